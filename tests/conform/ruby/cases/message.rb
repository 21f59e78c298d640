# frozen_string_literal: true

require 'bigdecimal'
require 'digest'

# What a message carries: bodies of every size, all properties, headers of every type the client can write,
# and what queue arguments do to messages.

# A body whose every part differs, so that lost or swapped frames show.
def patterned(bytes)
  (0..bytes / 4).to_a.pack('N*')[0, bytes]
end

# A body as its size and digest, for a short report when it differs.
def digest(body)
  [body.bytesize, Digest::SHA256.hexdigest(body)]
end

def round_trip(scene, channel, queue, body, **options)
  scene.put(channel, '', queue, body, **options)
  scene.get(channel, queue, manual_ack: false)
end

play 'body-sizes' do |s|
  channel = s.open
  queue = s.queue(channel)
  frame = channel.connection.frame_max - 8
  [0, 1, frame - 1, frame, frame + 1, 2 * frame, 2 * frame + 1].each do |bytes|
    body = patterned(bytes)
    s.equal("#{bytes} bytes", digest(round_trip(s, channel, queue, body).body), digest(body))
  end
end

play 'large-message' do |s|
  channel = s.open
  queue = s.queue(channel)
  inbox = s.consume(channel.connection.create_channel, queue, no_ack: true)
  body = patterned(5 << 20)
  # A small one behind it must not overtake nor be mixed in.
  s.put(channel, '', queue, body, 'small')
  large, small = s.bodies(s.take(inbox, 2))
  s.equal('large', digest(large), digest(body))
  s.equal('small', small, 'small')
end

play 'properties' do |s|
  channel = s.open
  queue = s.queue(channel)
  sent = {
    content_type: 'application/json', content_encoding: 'identity', headers: { 'key' => 'value' },
    delivery_mode: 2, priority: 9, correlation_id: 'correlation', reply_to: 'somewhere', expiration: '600000',
    message_id: 'message-1', timestamp: 1_700_000_000, type: 'greeting', user_id: s.settings[:user],
    app_id: 'conform'
  }
  # The client writes the timestamp as a number and reads it as a time.
  read = sent.merge(timestamp: Time.at(1_700_000_000))
  s.equal('full message', round_trip(s, channel, queue, '{}', **sent).properties, read)
  # These three the client always sends.
  bare = { content_type: 'application/octet-stream', delivery_mode: 2, priority: 0 }
  s.equal('bare message', round_trip(s, channel, queue, 'bare').properties, bare)
  text = "PRECONDITION_FAILED - user_id property set to 'impostor' " \
         "but authenticated user was '#{s.settings[:user]}'"
  s.refused(channel.connection, 406, text, [60, 40]) do |c|
    c.basic_publish('', '', queue, user_id: 'impostor')
  end
end

play 'header-types' do |s|
  channel = s.open
  queue = s.queue(channel)
  headers = {
    'string' => 'text', 'bytes' => "\x00\xFF\x01".b, 'empty' => '',
    'zero' => 0, 'large' => 2**63 - 1, 'negative' => -2**63, 'double' => Math::PI,
    'decimal' => BigDecimal('42'), 'time' => Time.at(1_700_000_000),
    'yes' => true, 'no' => false, 'nothing' => nil,
    'array' => ['a', 1, true, nil, 2.5, [1, [2]], { 'in' => 'array' }],
    'table' => { 'one' => 1, 'two' => { 'three' => { 'deep' => %w[x] } } }, 'empty table' => {}
  }
  written = headers.merge('float' => AMQ::Protocol::Float32Bit.new(0.5))
  got = round_trip(s, channel, queue, 'typed', headers: written).properties[:headers]
  headers.merge('float' => 0.5).each { |name, want| s.equal("header #{name}", got[name], want) }
  s.equal('names', got.keys.sort, written.keys.sort)
end

play 'dead-letter' do |s|
  channel = s.open
  exchange = s.exchange(channel, 'direct')
  graves = s.queue(channel)
  channel.queue_bind(graves, exchange, routing_key: 'dead')
  queue = s.queue(channel, arguments: { 'x-dead-letter-exchange' => exchange,
                                        'x-dead-letter-routing-key' => 'dead', 'x-max-length' => 2 })
  inbox = s.consume(channel, graves, no_ack: true)
  expect = lambda do |body, reason|
    message = s.take(inbox, 1).first
    s.equal('body', message.body, body)
    headers = message.properties[:headers]
    death = headers['x-death'].first
    got = death.values_at('reason', 'queue', 'count', 'exchange', 'routing-keys')
    s.equal('x-death', got, [reason, queue, 1, '', [queue]])
    s.equal('time', death['time'].class, Time)
    s.equal('first death', headers['x-first-death-reason'], reason)
  end
  s.put(channel, '', queue, *%w[first second third])
  expect.call('first', 'maxlen')
  channel.reject(s.get(channel, queue).info.delivery_tag, false)
  expect.call('second', 'rejected')
  channel.nack(s.get(channel, queue).info.delivery_tag, false, false)
  expect.call('third', 'rejected')
  s.put(channel, '', queue, 'brief', expiration: '1')
  expect.call('brief', 'expired')
end
