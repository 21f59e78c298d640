# frozen_string_literal: true

# Opening, tuning and keeping a connection: what the client says of itself and what the broker answers.

CAPABILITIES = %w[
  publisher_confirms exchange_exchange_bindings basic.nack consumer_cancel_notify connection.blocked
  consumer_priorities authentication_failure_close per_consumer_qos direct_reply_to
].freeze

play 'connect' do |s|
  properties = Bunny::Session::DEFAULT_CLIENT_PROPERTIES.merge(
    connection_name: 'conform ruby', nested: { 'numbers' => [1, 70_000, 2.5], 'flag' => true }
  )
  connection = s.connect(client_properties: properties, heartbeat: 7)
  %w[product version platform].each do |name|
    value = connection.server_properties[name]
    s.fail("server property #{name} is #{value.inspect}") unless value.is_a?(String) && !value.empty?
  end
  CAPABILITIES.each { |name| s.equal("capability #{name}", connection.server_capabilities[name], true) }
  tuned = [connection.heartbeat, connection.frame_max, connection.channel_max]
  s.equal('heartbeat, frame-max, channel-max', tuned, [7, 131_072, 2047])
  s.await('connection.close-ok')
  connection.close
  s.equal('closed', connection.closed?, true)
end

play 'tune' do |s|
  s.equal('heartbeat of the broker', s.connect(heartbeat: :server).heartbeat, 60)
  connection = s.connect(heartbeat: 0, frame_max: 4096, channel_max: 5)
  s.equal('tuned', [connection.heartbeat, connection.frame_max, connection.channel_max], [0, 4096, 5])
  channel = s.confirm_channel(connection)
  queue = s.queue(channel)
  s.put(channel, '', queue, 'x' * 10_000)
  s.equal('bodies', s.drain(channel, queue), ['x' * 10_000])
end

# The client hangs up when it has heard nothing for 2.2 heartbeats, so one that is silent for longer and
# still open has heard the broker's. Three seconds of silence are what is tested, so they are waited for.
play 'heartbeat' do |s|
  idle = s.connect(heartbeat: 1)
  sleep 3
  s.equal('open', idle.open?, true)
  idle.create_channel.close
end

play 'login-refused' do |s|
  s.connect(password: 'certainly not the password')
rescue Bunny::AuthenticationFailureError
  nil
else
  s.fail('a wrong password was accepted')
end

play 'vhost-missing' do |s|
  s.connect(vhost: 'conform-no-such-vhost')
rescue Bunny::NotAllowedError => e
  s.equal('text', e.connection_close.reply_text, 'NOT_ALLOWED - vhost conform-no-such-vhost not found')
else
  s.fail('a missing virtual host was opened')
end

play 'channel-error-isolated' do |s|
  connection = s.connect
  healthy = s.confirm_channel(connection)
  queue = s.queue(healthy)
  inbox = s.consume(healthy, queue, no_ack: true)
  %w[one two three].each do |round|
    text = "NOT_FOUND - no queue 'conform.ruby.nowhere' in vhost '#{s.vhost}'"
    s.refused(connection, 404, text, [50, 10]) { |c| c.queue_declare('conform.ruby.nowhere', passive: true) }
    s.put(healthy, '', queue, round)
    s.equal('body', s.bodies(s.take(inbox, 1)), [round])
  end
end

play 'many-channels' do |s|
  connection = s.connect
  inboxes = Array.new(100) do |index|
    channel = connection.create_channel
    queue = channel.queue_declare('', exclusive: true).queue
    inbox = s.consume(channel, queue, no_ack: true)
    channel.basic_publish("channel #{index}", '', queue)
    inbox
  end
  inboxes.each_with_index do |inbox, index|
    s.equal('echo', s.bodies(s.take(inbox, 1)), ["channel #{index}"])
    s.await('channel.close-ok')
    inbox.consumer.channel.close
  end
  connection.create_channel.close
end

play 'blocked-listener' do |s|
  connection = s.connect
  events = Queue.new
  connection.on_blocked { |blocked| events << "blocked #{blocked.reason}" }
  connection.on_unblocked { events << 'unblocked' }
  channel = s.confirm_channel(connection)
  queue = s.queue(channel)
  s.put(channel, '', queue, 'one', 'two')
  s.equal('bodies', s.drain(channel, queue), %w[one two])
  s.equal('events', [events.size, connection.blocked?], [0, false])
end

play 'update-secret' do |s|
  connection = s.connect
  channel = s.confirm_channel(connection)
  s.await('connection.update-secret-ok')
  connection.update_secret(s.settings[:pass], 'conformance')
  queue = s.queue(channel)
  s.put(channel, '', queue, 'after')
  s.equal('bodies', s.drain(channel, queue), %w[after])
end

play 'flow' do |s|
  channel = s.open
  s.await('channel.flow-ok')
  s.equal('active', channel.channel_flow(true).active, true)
  queue = s.queue(channel)
  s.put(channel, '', queue, 'flows')
  s.equal('bodies', s.drain(channel, queue), %w[flows])
end
