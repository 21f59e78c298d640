# frozen_string_literal: true

# Getting messages out: consumers, acknowledgement, prefetch, requeueing, cancelling, basic.get.

def numbers(range)
  range.map(&:to_s)
end

play 'ack-prefetch' do |s|
  publisher = s.open
  queue = s.queue(publisher)
  s.put(publisher, '', queue, *numbers(0..9))
  channel = publisher.connection.create_channel
  inbox = s.consume(channel, queue, prefetch: 3)
  first = s.take(inbox, 3)
  s.equal('first', s.bodies(first), numbers(0..2))
  first.each_with_index do |message, index|
    info = message.info
    got = [info.delivery_tag.to_i, info.redelivered?, info.exchange, info.routing_key, info.consumer_tag]
    s.equal('info', got, [index + 1, false, '', queue, inbox.tag])
  end
  s.equal('ready while three are out', s.count(publisher, queue), 7)
  channel.ack(first[1].info.delivery_tag)
  fourth = s.take(inbox, 1).first
  s.equal('ready after one ack', s.count(publisher, queue), 6)
  channel.ack(fourth.info.delivery_tag, true)
  s.equal('after an ack of all', s.bodies(next_three = s.take(inbox, 3)), numbers(4..6))
  s.equal('ready', s.count(publisher, queue), 3)
  channel.ack(next_three.last.info.delivery_tag, true)
  last = s.take(inbox, 3)
  channel.ack(last.last.info.delivery_tag, true)
  channel.close
  s.equal('left', s.drain(publisher, queue), [])
end

play 'nack-requeue' do |s|
  publisher = s.open
  queue = s.queue(publisher)
  s.put(publisher, '', queue, *%w[a b c d])
  channel = publisher.connection.create_channel
  expect = lambda do |body, redelivered|
    message = s.get(channel, queue)
    s.equal('message', [message.body, message.info.redelivered], [body, redelivered])
    message.info.delivery_tag
  end
  channel.reject(expect.call('a', false), true)
  expect.call('a', true)
  expect.call('b', false)
  channel.nack(expect.call('c', false), true, true)
  tags = %w[a b c].map { |body| expect.call(body, true) }
  channel.nack(tags.last, true, false)
  channel.reject(expect.call('d', false), false)
  s.equal('what is not requeued is gone', s.drain(channel, queue), [])
end

play 'recover' do |s|
  channel = s.open
  queue = s.queue(channel)
  s.put(channel, '', queue, *%w[a b c])
  inbox = s.consume(channel, queue)
  channel.ack(s.take(inbox, 3).first.info.delivery_tag)
  s.await('basic.recover-ok')
  channel.basic_recover(true)
  again = s.take(inbox, 2)
  s.equal('recovered', s.bodies(again), %w[b c])
  s.equal('redelivered', again.map { |message| message.info.redelivered? }, [true, true])
end

play 'unknown-delivery-tag' do |s|
  connection = s.connect
  text = 'PRECONDITION_FAILED - unknown delivery tag 99'
  s.refused_later(connection, 406, text, [60, 80]) { |c| c.basic_ack(99, false) }
  s.refused_later(connection, 406, text, [60, 90]) { |c| c.basic_reject(99, true) }
  s.refused_later(connection, 406, text, [60, 120]) { |c| c.basic_nack(99, false, true) }
end

play 'round-robin' do |s|
  publisher = s.open
  queue = s.queue(publisher)
  inboxes = Array.new(2) { s.consume(publisher.connection.create_channel, queue) }
  s.put(publisher, '', queue, *numbers(0..9))
  shares = inboxes.map { |inbox| s.bodies(s.take(inbox, 5)).map(&:to_i) }
  shares.each { |share| s.equal("steps in #{share}", share.each_cons(2).map { |a, b| b - a }, [2, 2, 2, 2]) }
  s.equal('both shares', shares.flatten.sort, (0..9).to_a)
end

# After basic.cancel-ok nothing more comes, and what was out stays out until it is settled.
play 'consumer-cancel' do |s|
  channel = s.open
  queue = s.queue(channel)
  inbox = s.consume(channel, queue, prefetch: 1)
  s.put(channel, '', queue, 'held', 'waits')
  held = s.take(inbox, 1).first
  s.await('basic.cancel-ok')
  s.equal('cancelled', channel.basic_cancel(inbox.tag).consumer_tag, inbox.tag)
  channel.ack(held.info.delivery_tag)
  s.equal('left', s.drain(channel, queue), %w[waits])
  s.equal('deliveries after the cancel', inbox.deliveries.size, 0)
end

play 'consumer-cancel-notify' do |s|
  channel = s.open
  queue = s.queue(channel)
  inbox = s.consume(channel, queue)
  channel.connection.create_channel.queue_delete(queue)
  s.await('basic.cancel of the broker')
  s.equal('cancelled', inbox.cancelled.pop, inbox.tag)
  following = s.queue(channel)
  s.put(channel, '', following, 'the channel lives')
  s.equal('bodies', s.drain(channel, following), ['the channel lives'])
end

play 'consumer-exclusive' do |s|
  channel = s.open
  queue = s.queue(channel)
  inbox = s.consume(channel, queue, exclusive: true)
  text = "ACCESS_REFUSED - queue '#{queue}' in vhost '#{s.vhost}' in exclusive use"
  s.refused(channel.connection, 403, text, [60, 20]) { |c| s.consume(c, queue) }
  channel.basic_cancel(inbox.tag)
  s.consume(channel, queue)
end

play 'consumer-priority' do |s|
  publisher = s.open
  queue = s.queue(publisher)
  low = s.consume(publisher.connection.create_channel, queue, arguments: { 'x-priority' => 1 })
  high = s.consume(publisher.connection.create_channel, queue, prefetch: 2, arguments: { 'x-priority' => 10 })
  s.put(publisher, '', queue, *numbers(0..3))
  s.equal('high', s.bodies(s.take(high, 2)), %w[0 1])
  s.equal('low', s.bodies(s.take(low, 2)), %w[2 3])
end

play 'close-returns-unacked' do |s|
  channel = s.open
  queue = s.queue(channel)
  s.put(channel, '', queue, *numbers(0..4))
  leaver = s.connect
  leaving = leaver.create_channel
  held = s.take(s.consume(leaving, queue), 5)
  leaving.ack(held.first.info.delivery_tag)
  s.await('connection.close-ok')
  leaver.close
  back = s.take(s.consume(channel, queue), 4)
  s.equal('back', s.bodies(back), numbers(1..4))
  s.equal('redelivered', back.map { |message| message.info.redelivered? }, [true] * 4)
end

play 'get-counts' do |s|
  channel = s.open
  queue = s.queue(channel)
  s.equal('get of an empty queue', s.get(channel, queue), nil)
  s.put(channel, '', queue, *%w[a b c])
  tags = %w[a b c].each_with_index.map do |body, index|
    message = s.get(channel, queue)
    info = message.info
    s.equal('message', [message.body, info.delivery_tag.to_i, info.redelivered], [body, index + 1, false])
    s.equal('info', [info.exchange, info.routing_key, info.message_count], ['', queue, 2 - index])
    info.delivery_tag
  end
  s.equal('get when all are out', s.get(channel, queue), nil)
  channel.nack(tags.last, true, true)
  back = s.get(channel, queue, manual_ack: false)
  s.equal('back', [back.body, back.info.redelivered, back.info.message_count], ['a', true, 2])
end
