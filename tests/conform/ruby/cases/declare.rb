# frozen_string_literal: true

# Declaring, purging and deleting queues and exchanges, and what is refused with which words.

NOWHERE = 'conform.ruby.nowhere'
QUEUE_DECLARE = [50, 10].freeze
QUEUE_DELETE = [50, 40].freeze
EXCHANGE_DECLARE = [40, 10].freeze

def no_queue(scene, name)
  "NOT_FOUND - no queue '#{name}' in vhost '#{scene.vhost}'"
end

play 'queue-declare' do |s|
  channel = s.open
  name = s.queue_name
  declare = lambda do |options = { durable: true }|
    s.await('queue.declare-ok')
    ok = channel.queue_declare(name, options)
    [ok.queue, ok.message_count, ok.consumer_count]
  end
  s.equal('new queue', declare.call, [name, 0, 0])
  s.put(channel, '', name, 'a', 'b')
  s.equal('declared again', declare.call, [name, 2, 0])
  s.take(s.consume(channel, name), 2)
  s.equal('with a consumer', declare.call, [name, 0, 1])
  s.equal('passively', declare.call({ passive: true }), [name, 0, 1])

  exchange = s.exchange(channel, 'topic', durable: true, internal: true)
  s.await('exchange.declare-ok')
  channel.exchange_declare(exchange, 'topic', durable: true, internal: true)
  [exchange, 'amq.direct', 'amq.fanout', 'amq.topic', 'amq.headers', 'amq.match'].each do |standard|
    s.await("passive exchange.declare-ok of #{standard}")
    channel.exchange_declare(standard, 'direct', passive: true)
  end
end

play 'queue-server-named' do |s|
  channel = s.open
  names = Array.new(2) { channel.queue_declare('', exclusive: true).queue }
  names.each { |name| s.fail("the broker's name is #{name}") unless name.match?(/\Aamq\.gen-[\w-]{22}\z/) }
  s.fail("the same name twice: #{names}") if names.uniq.size == 1
  # The empty name and an empty key mean the queue that this channel declared last.
  channel.queue_bind('', 'amq.direct', routing_key: '')
  s.put(channel, 'amq.direct', names.last, 'for the second')
  s.equal('first queue', s.drain(channel, names.first), [])
  s.equal('second queue', s.drain(channel, ''), ['for the second'])
end

play 'queue-exclusive' do |s|
  owner = s.connect
  stranger = s.connect
  name = s.queue(owner.create_channel, exclusive: true)
  text = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '#{name}' " \
         "in vhost '#{s.vhost}'. " \
         'It could be originally declared on another connection or the exclusive property value ' \
         'does not match that of the original declaration.'
  s.refused(stranger, 405, text, QUEUE_DECLARE) { |c| c.queue_declare(name, passive: true) }
  s.refused(stranger, 405, text, QUEUE_DECLARE) { |c| c.queue_declare(name, exclusive: true) }
  s.refused(stranger, 405, text, [50, 20]) { |c| c.queue_bind(name, 'amq.direct', routing_key: 'k') }
  s.refused(stranger, 405, text, [50, 30]) { |c| c.queue_purge(name) }
  s.refused(stranger, 405, text, QUEUE_DELETE) { |c| c.queue_delete(name) }
  s.await('connection.close-ok')
  owner.close
  s.refused(stranger, 404, no_queue(s, name), QUEUE_DECLARE) { |c| c.queue_declare(name, passive: true) }
end

play 'queue-auto-delete' do |s|
  channel = s.open
  name = s.queue(channel, auto_delete: true)
  one = s.consume(channel, name)
  two = s.consume(channel, name)
  channel.basic_cancel(one.tag)
  s.equal('messages while it has a consumer', s.count(channel, name), 0)
  channel.basic_cancel(two.tag)
  s.refused(channel.connection, 404, no_queue(s, name), QUEUE_DECLARE) do |c|
    c.queue_declare(name, passive: true)
  end
end

play 'declare-mismatch' do |s|
  channel = s.open
  connection = channel.connection
  queue = s.queue(channel)
  exchange = s.exchange(channel, 'direct')
  inequivalent = lambda do |argument, kind, name, rest|
    "PRECONDITION_FAILED - inequivalent arg '#{argument}' for #{kind} '#{name}' " \
      "in vhost '#{s.vhost}': #{rest}"
  end
  flipped = "received 'true' but current is 'false'"
  text = inequivalent.call('durable', 'queue', queue, flipped)
  s.refused(connection, 406, text, QUEUE_DECLARE) { |c| c.queue_declare(queue, durable: true) }
  text = inequivalent.call('auto_delete', 'queue', queue, flipped)
  s.refused(connection, 406, text, QUEUE_DECLARE) { |c| c.queue_declare(queue, auto_delete: true) }
  text = inequivalent.call('x-message-ttl', 'queue', queue,
                           "received the value '60000' of type 'long' but current is none")
  s.refused(connection, 406, text, QUEUE_DECLARE) do |c|
    c.queue_declare(queue, arguments: { 'x-message-ttl' => 60_000 })
  end
  text = inequivalent.call('type', 'exchange', exchange, "received 'fanout' but current is 'direct'")
  s.refused(connection, 406, text, EXCHANGE_DECLARE) { |c| c.exchange_declare(exchange, 'fanout') }
  text = inequivalent.call('durable', 'exchange', exchange, flipped)
  s.refused(connection, 406, text, EXCHANGE_DECLARE) do |c|
    c.exchange_declare(exchange, 'direct', durable: true)
  end
end

play 'missing' do |s|
  connection = s.connect
  no_exchange = "NOT_FOUND - no exchange '#{NOWHERE}' in vhost '#{s.vhost}'"
  no_queue = no_queue(s, NOWHERE)
  s.refused(connection, 404, no_queue, QUEUE_DECLARE) { |c| c.queue_declare(NOWHERE, passive: true) }
  s.refused(connection, 404, no_queue, [50, 20]) { |c| c.queue_bind(NOWHERE, 'amq.direct', routing_key: 'k') }
  s.refused(connection, 404, no_queue, [50, 30]) { |c| c.queue_purge(NOWHERE) }
  s.refused(connection, 404, no_exchange, EXCHANGE_DECLARE) do |c|
    c.exchange_declare(NOWHERE, 'direct', passive: true)
  end
  s.refused(connection, 404, no_exchange, [60, 40]) { |c| c.basic_publish('lost', NOWHERE, 'key') }
  channel = connection.create_channel
  s.await('delete-ok of what is missing')
  s.equal('messages of a missing queue', channel.queue_delete(NOWHERE).message_count, 0)
  channel.exchange_delete(NOWHERE)
end

play 'purge' do |s|
  channel = s.open
  queue = s.queue(channel)
  s.put(channel, '', queue, 'held', 'b', 'c', 'd')
  held = s.get(channel, queue)
  s.equal('purged', channel.queue_purge(queue).message_count, 3)
  s.equal('purged again', channel.queue_purge(queue).message_count, 0)
  channel.nack(held.info.delivery_tag, false, true)
  s.equal('purge spares what awaits its ack', s.drain(channel, queue), %w[held])
end

play 'delete-conditions' do |s|
  channel = s.open
  connection = channel.connection
  queue = s.queue(channel)
  s.put(channel, '', queue, 'a', 'b')
  refusal = "PRECONDITION_FAILED - queue '#{queue}' in vhost '#{s.vhost}'"
  s.refused(connection, 406, "#{refusal} not empty", QUEUE_DELETE) do |c|
    c.queue_delete(queue, if_empty: true)
  end
  consumer = connection.create_channel
  s.take(s.consume(consumer, queue), 2)
  s.refused(connection, 406, "#{refusal} in use", QUEUE_DELETE) { |c| c.queue_delete(queue, if_unused: true) }
  consumer.close
  s.equal('messages deleted', channel.queue_delete(queue, if_unused: true).message_count, 2)

  exchange = s.exchange(channel, 'fanout')
  bound = s.queue(channel)
  channel.queue_bind(bound, exchange)
  used = "PRECONDITION_FAILED - exchange '#{exchange}' in vhost '#{s.vhost}' in use"
  s.refused(connection, 406, used, [40, 20]) { |c| c.exchange_delete(exchange, if_unused: true) }
  channel.queue_unbind(bound, exchange)
  channel.exchange_delete(exchange, if_unused: true)
end
