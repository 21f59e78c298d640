"""An alternate exchange takes what its exchange cannot route, before `mandatory` sends it back."""

import pika

import broker


def main(stage):
    channel = stage.channel()
    channel.confirm_delivery()
    lost, orders = stage.exchange("lost"), stage.exchange("orders")
    channel.exchange_declare(lost, "fanout")
    # The argument names an exchange that may as well come later.
    channel.exchange_declare(orders, "direct", arguments={"alternate-exchange": lost})
    routed = channel.queue_declare("", exclusive=True).method.queue
    stray = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(routed, orders, "known")
    channel.queue_bind(stray, lost)

    channel.basic_publish(orders, "known", b"known", mandatory=True)
    channel.basic_publish(orders, "unknown", b"unknown", mandatory=True)
    broker.same(channel.basic_get(routed, auto_ack=True)[2], b"known", "routed")
    method, properties, body = channel.basic_get(stray, auto_ack=True)
    broker.same((body, method.exchange, method.routing_key), (b"unknown", orders, "unknown"), "stray")
    broker.same(properties.headers, None, "headers of the stray message")
    broker.same([channel.basic_get(queue)[0] for queue in (routed, stray)], [None, None], "nothing else")

    # The alternate has nowhere to go either: returned, from the first exchange.
    channel.queue_unbind(stray, lost)
    try:
        channel.basic_publish(orders, "unknown", b"back", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        method = error.messages[0].method
        broker.same(
            (method.reply_code, method.exchange, method.routing_key), (312, orders, "unknown"), "return"
        )
    else:
        raise broker.Mismatch("nobody took the message, and it was not returned")
    # An alternate of an alternate, and one that leads back: each is asked once.
    last = stage.exchange("last")
    channel.exchange_declare(last, "direct", arguments={"alternate-exchange": stage.name("front")})
    channel.exchange_declare(stage.exchange("front"), "direct", arguments={"alternate-exchange": last})
    channel.queue_bind(stray, last, "found")
    channel.basic_publish(stage.name("front"), "found", b"by the second", mandatory=True)
    broker.same(channel.basic_get(stray, auto_ack=True)[2], b"by the second", "found by the alternate")
    try:
        channel.basic_publish(stage.name("front"), "nowhere", b"", mandatory=True)
    except pika.exceptions.UnroutableError:
        pass
    else:
        raise broker.Mismatch("a circle of alternates swallowed a message")

    # An alternate that is not there is not an error for the publisher.
    channel.exchange_delete(lost)
    channel.basic_publish(orders, "unknown", b"dropped")
    broker.holds(channel.is_open, "the channel stays open")

    # The argument is part of the exchange.
    with broker.channel_error(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange "
        f"'{orders}' in vhost '{broker.VHOST}': received none but current is the value "
        f"'{lost}' of type 'longstr'",
    ):
        channel.exchange_declare(orders, "direct")


if __name__ == "__main__":
    broker.run(main)
