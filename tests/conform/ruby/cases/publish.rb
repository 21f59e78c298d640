# frozen_string_literal: true

# Putting messages in: publisher confirms, mandatory messages that come back, request and reply.

REPLY_TO = 'amq.rabbitmq.reply-to'

play 'confirms-single' do |s|
  channel = s.open
  queue = s.queue(channel, durable: true)
  20.times do |index|
    s.put(channel, '', queue, index.to_s, persistent: true)
    s.equal('confirmed means enqueued', s.count(channel, queue), index + 1)
  end
  s.put(channel, '', NOWHERE, 'unroutable is confirmed too')
  s.equal('bodies', s.drain(channel, queue), numbers(0..19))
end

play 'confirms-window' do |s|
  count = 10_000
  channel = s.open
  queue = s.queue(channel)
  count.times { |index| channel.basic_publish(index.to_s, '', queue, persistent: false) }
  confirms = Array.new(count) { s.confirm(channel) }
  s.equal('nacks', confirms.count(&:last), 0)
  s.equal('each tag once', confirms.map(&:first).sort == (1..count).to_a, true)
  s.equal('messages', s.count(channel, queue), count)
  inbox = s.consume(channel.connection.create_channel, queue, no_ack: true)
  s.equal('bodies in order', s.bodies(s.take(inbox, count)) == numbers(0...count), true)
end

# A full queue that rejects answers basic.nack.
play 'confirms-nack' do |s|
  channel = s.open
  queue = s.queue(channel, arguments: { 'x-max-length' => 1, 'x-overflow' => 'reject-publish' })
  s.put(channel, '', queue, 'fits')
  channel.basic_publish('does not fit', '', queue)
  s.equal('second confirm', s.confirm(channel), [2, true])
  s.equal('bodies', s.drain(channel, queue), %w[fits])
  s.put(channel, '', queue, 'fits again')
end

play 'mandatory-return' do |s|
  channel = s.open
  exchange = channel.direct(s.exchange_name)
  queue = s.queue(channel)
  channel.queue_bind(queue, exchange.name, routing_key: 'known')
  returns = Queue.new
  exchange.on_return do |info, properties, body|
    returns << Scene::Message.new(info, properties.to_hash, body)
  end
  s.put(channel, exchange.name, 'known', 'routed', mandatory: true)
  s.put(channel, exchange.name, 'unknown', 'not mandatory')
  s.equal('returns of what was routed or not mandatory', returns.size, 0)
  properties = { message_id: 'm-1', headers: { 'n' => 7 } }
  s.put(channel, exchange.name, 'unknown', 'comes back', mandatory: true, **properties)
  # The return is here before the confirm.
  s.equal('returns', returns.size, 1)
  back = returns.pop
  info = back.info
  got = [info.reply_code, info.reply_text, info.exchange, info.routing_key]
  s.equal('info', got, [312, 'NO_ROUTE', exchange.name, 'unknown'])
  got = [back.body, back.properties[:message_id], back.properties[:headers]]
  s.equal('message', got, ['comes back', 'm-1', { 'n' => 7 }])
  s.equal('routed', s.drain(channel, queue), %w[routed])
end

play 'direct-reply-to' do |s|
  caller = s.connect.create_channel
  server = s.open
  requests = s.queue(server)
  work = s.consume(server, requests, no_ack: true)
  replies = s.consume(caller, REPLY_TO, no_ack: true)
  %w[one two].each do |call|
    caller.basic_publish(call, '', requests, reply_to: REPLY_TO, correlation_id: call)
    request = s.take(work, 1).first
    address = request.properties[:reply_to]
    s.fail("the reply address is #{address}") unless address.match?(/\Aamq\.rabbitmq\.reply-to\../)
    s.await('passive declare of the reply address')
    server.queue_declare(address, passive: true)
    s.put(server, '', address, "re: #{call}", correlation_id: request.properties[:correlation_id])
    reply = s.take(replies, 1).first
    got = [reply.body, reply.properties[:correlation_id], reply.info.exchange, reply.info.routing_key]
    s.equal('reply', got, ["re: #{call}", call, '', address])
  end
end

play 'direct-reply-to-refusals' do |s|
  connection = s.connect
  text = 'PRECONDITION_FAILED - reply consumer cannot acknowledge'
  s.refused(connection, 406, text, [60, 20]) { |c| s.consume(c, REPLY_TO) }
  text = 'PRECONDITION_FAILED - fast reply consumer does not exist'
  s.refused(connection, 406, text, [60, 40]) { |c| c.basic_publish('', '', NOWHERE, reply_to: REPLY_TO) }
end
