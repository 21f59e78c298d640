"""Publisher confirms with pika: routed, unroutable; and many at once.

`BlockingChannel.confirm_delivery` makes every publish wait for its ack or nack; with `mandatory` a
message that no queue takes raises `UnroutableError`. The asynchronous part
uses a `SelectConnection`, which sees the bare acks: tags, `multiple`, and the return before the ack.
"""

import pika

import broker


def blocking(stage):
    channel = stage.channel()
    queue = stage.queue("confirmed")
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=2)
    for number in range(20):
        channel.basic_publish("", queue, str(number).encode(), persistent, mandatory=True)
        # Confirmed means in the queue.
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 20, "confirmed messages")

    # No route: returned, and confirmed all the same.
    try:
        channel.basic_publish(
            "", f"{queue}.nobody", b"lost", pika.BasicProperties(app_id="conform"), mandatory=True
        )
    except pika.exceptions.UnroutableError as error:
        (message,) = error.messages
        method, properties, body = message.method, message.properties, message.body
        broker.same((method.reply_code, method.reply_text), (312, "NO_ROUTE"), "basic.return")
        broker.same((method.exchange, method.routing_key), ("", f"{queue}.nobody"), "address of the return")
        broker.same((properties.app_id, body), ("conform", b"lost"), "message returned")
    else:
        raise broker.Mismatch("an unroutable mandatory message was not returned")
    # Not mandatory: dropped in silence and acked.
    channel.basic_publish("", f"{queue}.nobody", b"lost")
    # An exchange without bindings routes nowhere too.
    try:
        channel.basic_publish("amq.topic", stage.name("no.binding"), b"lost", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        broker.same(error.messages[0].method.exchange, "amq.topic", "exchange of the return")
    else:
        raise broker.Mismatch("an unroutable mandatory message was not returned")
    broker.holds(channel.is_open, "channel stays open")
    # An exchange that does not exist is an error.
    with broker.channel_error(404, f"NOT_FOUND - no exchange '{queue}.x' in vhost '{broker.VHOST}'"):
        channel.basic_publish(f"{queue}.x", "", b"lost")


def asynchronous(stage):
    """1000 publishes in a window; every one is confirmed exactly once."""
    count, queue, events = 1000, stage.queue("window"), []
    unconfirmed = set(range(1, count + 2))
    parameters = pika.URLParameters(broker.URI)
    failure = []

    def stop(connection):
        connection.close()

    def on_confirm(frame):
        method = frame.method
        if not isinstance(method, pika.spec.Basic.Ack):
            failure.append(f"{method}")
            return stop(connection)
        tags = (
            {tag for tag in unconfirmed if tag <= method.delivery_tag}
            if method.multiple
            else {method.delivery_tag}
        )
        if not tags or not tags <= unconfirmed:
            failure.append(f"ack of {method.delivery_tag} multiple={method.multiple} confirms nothing open")
            return stop(connection)
        unconfirmed.difference_update(tags)
        if count + 1 in tags:
            events.append("ack")
        if not unconfirmed:
            stop(connection)

    def publish(channel):
        for number in range(count):
            channel.basic_publish("", queue, str(number).encode(), pika.BasicProperties(delivery_mode=2))
        channel.basic_publish("", f"{queue}.nobody", b"last", mandatory=True)

    def on_channel(channel):
        channel.add_on_return_callback(lambda *_: events.append("return"))
        channel.confirm_delivery(
            on_confirm,
            callback=lambda _: channel.queue_declare(
                queue, durable=True, callback=lambda _: publish(channel)
            ),
        )

    connection = pika.SelectConnection(
        parameters,
        on_open_callback=lambda opened: opened.channel(on_open_callback=on_channel),
        on_open_error_callback=lambda _c, error: failure.append(str(error)),
        on_close_callback=lambda closed, _why: closed.ioloop.stop(),
    )
    connection.ioloop.call_later(
        broker.WAIT_SECONDS,
        lambda: (failure.append(f"{len(unconfirmed)} of {count + 1} not confirmed"), stop(connection)),
    )
    connection.ioloop.start()
    broker.same(failure, [], "failures")
    broker.same(events, ["return", "ack"], "a return comes before its ack")
    declared = stage.channel().queue_declare(queue, durable=True)
    broker.same(declared.method.message_count, count, "messages in the queue")


def main(stage):
    blocking(stage)
    asynchronous(stage)


if __name__ == "__main__":
    broker.run(main)
