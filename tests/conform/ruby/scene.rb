# frozen_string_literal: true

require 'bunny'
require 'logger'
require 'securerandom'
require 'timeout'

# What one case stands on: connections that are closed afterwards, names that no other run uses and that are
# deleted afterwards, and waits that name what they wait for.
#
# No wait is a fixed time: each ends when its condition holds, or fails the case at the deadline.
class Scene
  DEADLINE_SECONDS = 20
  RUN = SecureRandom.hex(4)

  # The broker did otherwise than the case asks.
  class Fault < StandardError; end

  # A delivery, a got or a returned message: what the broker said of it, its properties and its body.
  Message = Struct.new(:info, :properties, :body)

  # Deliveries of one consumer, and the tags of cancelled consumers.
  Inbox = Struct.new(:deliveries, :cancelled, :consumer) do
    def tag
      consumer.consumer_tag
    end
  end

  attr_reader :settings

  def initialize(name)
    @name = name
    @awaited = 'its first step'
    @connections = []
    @queues = []
    @exchanges = []
    @confirms = {}
    uri = ENV['AMQP_URI'].to_s
    uri = "amqp://guest:guest@#{env('AMQP_HOST', '127.0.0.1')}:#{env('AMQP_PORT', '5672')}/%2F" if uri.empty?
    @settings = AMQ::Settings.parse_amqp_url(uri)
  end

  def vhost
    settings[:vhost] || '/'
  end

  # Runs an act with the deadline over all of it and returns why it failed, or nil if it did not.
  def fault_of(act)
    Timeout.timeout(DEADLINE_SECONDS) { act.call(self) }
    nil
  rescue Fault => e
    e.message
  rescue Timeout::Error
    "no #{@awaited} in #{DEADLINE_SECONDS} s"
  rescue StandardError => e
    "awaiting #{@awaited}: #{e.class}: #{e.message}"
  end

  # Deletes what the case named. Deleting what is gone already answers delete-ok as well.
  def clean
    return if @queues.empty? && @exchanges.empty?

    channel = connect.create_channel
    @queues.each { |queue| channel.queue_delete(queue) }
    @exchanges.each { |exchange| channel.exchange_delete(exchange) }
  end

  # Ends every connection, so that a case which failed leaves no consumer behind.
  def drop
    @connections.each do |connection|
      Timeout.timeout(1) { connection.close(false) } if connection.open?
    rescue StandardError
      # It is ending already, and the case has its result.
      nil
    end
  end

  # Names what the next steps wait for; the name is told if it does not come.
  def await(what)
    @awaited = what
  end

  def fail(reason)
    raise Fault, reason
  end

  def equal(what, got, want)
    fail("#{what}: got #{got.inspect}, want #{want.inspect}") unless got == want
  end

  def connect(options = {})
    await('connection.open-ok')
    connection = Bunny.new({
      hosts: [settings[:host]], port: settings[:port], vhost: vhost,
      username: settings[:user], password: settings[:pass],
      automatically_recover: false, continuation_timeout: DEADLINE_SECONDS * 1000,
      logger: Logger.new(IO::NULL)
    }.merge(options))
    @connections << connection
    connection.start
  end

  # A channel in confirm mode. The confirms are kept here, as [tag, nacked], in the order they came.
  def confirm_channel(connection)
    channel = connection.create_channel
    confirms = Queue.new
    await('confirm.select-ok')
    channel.confirm_select(->(tag, _multiple, nacked) { confirms << [tag, nacked] })
    # The client looks for the lowest unconfirmed tag while a publish may add one, which a copy does not mind.
    channel.unconfirmed_set.define_singleton_method(:min) { to_a.min }
    @confirms[channel] = confirms
    channel
  end

  # The usual start of a case: a channel that confirms, on a connection of its own.
  def open
    confirm_channel(connect)
  end

  def queue_name
    @queues << "conform.ruby.#{RUN}.#{@name}.q#{@queues.size}"
    @queues.last
  end

  def exchange_name
    @exchanges << "conform.ruby.#{RUN}.#{@name}.x#{@exchanges.size}"
    @exchanges.last
  end

  def queue(channel, options = {})
    await('queue.declare-ok')
    channel.queue_declare(queue_name, options).queue
  end

  def exchange(channel, type, options = {})
    await('exchange.declare-ok')
    name = exchange_name
    channel.exchange_declare(name, type, options)
    name
  end

  # The next confirm of a channel, as [tag, nacked].
  def confirm(channel)
    await('confirm')
    @confirms.fetch(channel).pop
  end

  # Publishes each body and returns when the broker has confirmed, hence routed, all of them.
  def put(channel, exchange, key, *bodies, **options)
    bodies.each { |body| channel.basic_publish(body, exchange, key, options.dup) }
    bodies.each { equal('nacked', confirm(channel).last, false) }
  end

  def consume(channel, queue, no_ack: false, exclusive: false, prefetch: nil, arguments: {})
    channel.basic_qos(prefetch) if prefetch
    tag = channel.generate_consumer_tag
    consumer = Bunny::Consumer.new(channel, queue, tag, no_ack, exclusive, arguments)
    inbox = Inbox.new(Queue.new, Queue.new, consumer)
    consumer.on_delivery do |info, properties, body|
      inbox.deliveries << Message.new(info, properties.to_hash, body)
    end
    consumer.on_cancellation { |cancel| inbox.cancelled << cancel.consumer_tag }
    await('basic.consume-ok')
    channel.basic_consume_with(consumer)
    inbox
  end

  def take(inbox, count)
    Array.new(count) do |index|
      await("delivery #{index + 1} of #{count}")
      inbox.deliveries.pop
    end
  end

  # One message by basic.get, or nil if the queue is empty.
  def get(channel, queue, manual_ack: true)
    await('basic.get-ok')
    info, properties, body = channel.basic_get(queue, manual_ack: manual_ack)
    info && Message.new(info, properties.to_hash, body)
  end

  # Takes all that is ready in a queue by basic.get and returns the bodies.
  def drain(channel, queue)
    bodies = []
    while (message = get(channel, queue, manual_ack: false))
      bodies << message.body
    end
    bodies
  end

  # How many messages are ready in a queue.
  def count(channel, queue)
    await('passive queue.declare-ok')
    channel.queue_declare(queue, passive: true).message_count
  end

  # Runs an attempt on a channel of its own, which the broker must close with this code, text and method.
  # A publish has no reply, so a synchronous method is sent behind it: it fails when the channel is closed.
  def refused(connection, code, text, method, &attempt)
    channel = connection.create_channel
    await("channel.close #{code}")
    begin
      attempt.call(channel)
      channel.basic_qos(1)
    rescue Bunny::ChannelLevelException => e
      return check_close(e.channel_close, code, text, method)
    end
    fail("accepted what must be refused with #{code} #{text}")
  end

  # Like refused, for acknowledgements: the client tells their errors by a callback alone.
  def refused_later(connection, code, text, method, &attempt)
    channel = connection.create_channel
    closed = Queue.new
    channel.on_error { |_, close| closed << close }
    await("channel.close #{code}")
    attempt.call(channel)
    check_close(closed.pop, code, text, method)
  end

  def bodies(messages)
    messages.map(&:body)
  end

  private

  def env(name, otherwise)
    value = ENV[name].to_s
    value.empty? ? otherwise : value
  end

  def check_close(close, code, text, method)
    # A reply text is a short string: RabbitMQ cuts longer ones to 252 bytes and three dots.
    text = "#{text[0, 252]}..." if text.size > 255
    got = [close.reply_code, close.reply_text, [close.class_id, close.method_id]]
    equal('channel.close', got, [code, text, method])
  end
end
