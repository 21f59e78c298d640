"""The exchange type `x-message-deduplication` with pika: what came before is confirmed and goes nowhere."""

import broker


def keyed(key, **more):
    """Properties with a key."""
    return broker.pika.BasicProperties(delivery_mode=2, headers={"x-deduplication-header": key, **more})


def main(stage):
    """Senders that send the same go through once between them, to each queue, behind any exchange."""
    channel, other = stage.channel(), stage.channel()
    once, news = stage.exchange("once"), stage.exchange("news")
    queues = [stage.queue("a"), stage.queue("b")]
    arguments = {"x-cache-size": "1000", "x-cache-persistence": "disk"}
    for _ in range(2):
        channel.exchange_declare(once, "x-message-deduplication", durable=True, arguments=arguments)
    channel.exchange_declare(news, "fanout")
    channel.exchange_bind(once, news)
    for queue in queues:
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, once)
    for sender in (channel, other):
        sender.confirm_delivery()
    for number in range(20):
        # Mandatory ones do not come back either: pika would raise.
        channel.basic_publish(once, "k", b"%d" % number, keyed(f"key {number}"), mandatory=True)
        other.basic_publish(news, "k", b"again", keyed(f"key {number}"), mandatory=True)
    other.basic_publish(once, "k", b"first", keyed(7))
    channel.basic_publish(once, "k", b"second", keyed(7))
    for body in (b"no key", b"no key"):
        channel.basic_publish(once, "k", body)
    want = [b"%d" % number for number in range(20)] + [b"first", b"no key", b"no key"]
    for queue in queues:
        inbox = broker.Inbox(channel)
        channel.basic_consume(queue, inbox, auto_ack=True)
        inbox.wait(len(want))
        inbox.settle(queue)
        broker.same(inbox.bodies, want, f"what came to {queue}")

    channel.exchange_delete(once)
    channel.exchange_declare(once, "x-message-deduplication", durable=True, arguments=arguments)
    channel.queue_bind(queues[0], once)
    channel.basic_publish(once, "k", b"anew", keyed("key 1"), mandatory=True)
    channel.basic_publish(once, "k", b"anew", keyed("key 1"), mandatory=True)

    text = "PRECONDITION_FAILED - Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"
    with broker.channel_error(406, text):
        stage.channel().exchange_declare(stage.exchange("bad"), "x-message-deduplication")


if __name__ == "__main__":
    broker.run(main)
