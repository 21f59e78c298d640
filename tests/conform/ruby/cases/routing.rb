# frozen_string_literal: true

# Which message reaches which queue: the four exchange types, bindings between exchanges, unbinding.
# Every publish is confirmed before the queues are read, so an empty queue proves
# that nothing was routed to it.

play 'bind-direct' do |s|
  channel = s.open
  exchange = s.exchange(channel, 'direct')
  reds = s.queue(channel)
  colours = s.queue(channel)
  channel.queue_bind(reds, exchange, routing_key: 'red')
  %w[red green green].each { |key| channel.queue_bind(colours, exchange, routing_key: key) }
  ['red', 'green', 'blue', 'Red', ''].each { |key| s.put(channel, exchange, key, "to #{key}") }
  s.equal('reds', s.drain(channel, reds), ['to red'])
  s.equal('colours', s.drain(channel, colours), ['to red', 'to green'])
  # The second time there is nothing to unbind, which is fine.
  2.times { channel.queue_unbind(colours, exchange, routing_key: 'red') }
  s.put(channel, exchange, 'red', 'again')
  s.put(channel, exchange, 'green', 'again')
  s.equal('reds', s.drain(channel, reds), %w[again])
  s.equal('colours', s.drain(channel, colours), %w[again])
end

play 'bind-fanout' do |s|
  channel = s.open
  exchange = s.exchange(channel, 'fanout')
  queues = Array.new(3) { s.queue(channel) }
  queues.each { |queue| channel.queue_bind(queue, exchange, routing_key: 'ignored') }
  channel.queue_bind(queues.first, exchange, routing_key: 'a second binding, one copy all the same')
  s.put(channel, exchange, 'any key', 'news', 'more news')
  queues.each { |queue| s.equal(queue, s.drain(channel, queue), ['news', 'more news']) }
end

play 'bind-topic' do |s|
  channel = s.open
  exchange = s.exchange(channel, 'topic')
  keys = ['', 'a', 'a.b', 'a.b.c', 'b.a', 'a..c', '.', 'a.b.c.d']
  expected = {
    '#' => keys,
    '*' => %w[a],
    'a.#' => %w[a a.b a.b.c a..c a.b.c.d],
    'a.*' => %w[a.b],
    '*.*' => %w[a.b b.a .],
    'a.*.c' => %w[a.b.c a..c],
    'a.#.c' => %w[a.b.c a..c],
    '#.b.#' => %w[a.b a.b.c b.a a.b.c.d],
    '#.*' => %w[a a.b a.b.c b.a a..c . a.b.c.d],
    'a*' => []
  }
  queues = expected.transform_values { s.queue(channel) }
  queues.each { |pattern, queue| channel.queue_bind(queue, exchange, routing_key: pattern) }
  keys.each { |key| s.put(channel, exchange, key, key) }
  expected.each { |pattern, want| s.equal("pattern #{pattern}", s.drain(channel, queues[pattern]), want) }
end

play 'bind-headers' do |s|
  channel = s.open
  exchange = s.exchange(channel, 'headers')
  bindings = {
    all: { 'x-match' => 'all', 'format' => 'pdf', 'pages' => 3 },
    any: { 'x-match' => 'any', 'format' => 'pdf', 'pages' => 3 },
    default: { 'format' => 'pdf', 'pages' => 3 },
    present: { 'x-match' => 'all', 'format' => nil }
  }
  queues = bindings.transform_values { s.queue(channel) }
  bindings.each { |name, table| channel.queue_bind(queues[name], exchange, arguments: table) }
  {
    'both' => { 'format' => 'pdf', 'pages' => 3, 'more' => true },
    'one' => { 'format' => 'pdf', 'pages' => 4 },
    'other' => { 'pages' => 3 },
    'none' => { 'format' => 'zip' },
    'bare' => {}
  }.each { |body, headers| s.put(channel, exchange, 'ignored', body, headers: headers) }
  {
    all: %w[both], any: %w[both one other], default: %w[both], present: %w[both one none]
  }.each { |name, want| s.equal("binding #{name}", s.drain(channel, queues[name]), want) }
end

play 'exchange-to-exchange' do |s|
  channel = s.open
  source = s.exchange(channel, 'topic')
  middle = s.exchange(channel, 'fanout', internal: true)
  behind = s.queue(channel)
  beside = s.queue(channel)
  channel.exchange_bind(source, middle, routing_key: 'news.#')
  # A way back must not make messages go round for ever, nor arrive twice.
  channel.exchange_bind(middle, source, routing_key: '')
  channel.queue_bind(behind, middle)
  channel.queue_bind(beside, source, routing_key: '#')
  s.put(channel, source, 'news.local', 'local')
  s.put(channel, source, 'weather', 'rain')
  s.equal('behind', s.drain(channel, behind), %w[local])
  s.equal('beside', s.drain(channel, beside), %w[local rain])
  channel.exchange_unbind(source, middle, routing_key: 'news.#')
  s.put(channel, source, 'news.world', 'world')
  s.equal('behind', s.drain(channel, behind), [])
  text = "ACCESS_REFUSED - cannot publish to internal exchange '#{middle}' in vhost '#{s.vhost}'"
  s.refused(channel.connection, 403, text, [60, 40]) { |c| c.basic_publish('', middle, '') }
end

play 'alternate-exchange' do |s|
  channel = s.open
  spare = s.exchange(channel, 'fanout')
  main = s.exchange(channel, 'direct', arguments: { 'alternate-exchange' => spare })
  known = s.queue(channel)
  strays = s.queue(channel)
  channel.queue_bind(known, main, routing_key: 'known')
  channel.queue_bind(strays, spare)
  s.put(channel, main, 'known', 'found')
  s.put(channel, main, 'unknown', 'astray')
  s.equal('known', s.drain(channel, known), %w[found])
  s.equal('strays', s.drain(channel, strays), %w[astray])
end
