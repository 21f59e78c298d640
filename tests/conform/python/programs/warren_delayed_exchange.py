"""Delayed messages with pika: an exchange of the plug-in's type, which the other broker needs for this."""

import time

import broker

DELAY_MS = 300


def main(stage):
    """What has an `x-delay` comes after what has none, not before its time, and says that it was late."""
    channel = stage.channel()
    exchange, queue = stage.exchange("late"), stage.queue("inbox")
    channel.exchange_declare(exchange, "x-delayed-message", arguments={"x-delayed-type": "topic"})
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, "a.*")
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox, auto_ack=True)
    began = time.monotonic()
    for key, body, headers in (
        ("a.late", b"late", {"x-delay": DELAY_MS}),
        ("b.never", b"never", {"x-delay": 1}),
        ("a.soon", b"soon", None),
    ):
        properties = broker.pika.BasicProperties(headers=headers)
        channel.basic_publish(exchange, key, body, properties)
    deliveries = inbox.wait(2)
    broker.holds(time.monotonic() - began >= DELAY_MS / 1000, "it came before its time")
    broker.same(inbox.bodies, [b"soon", b"late"], "what came")
    broker.same(deliveries[1][1].headers["x-delay"], -DELAY_MS, "x-delay")

    missing = "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"
    with broker.channel_error(406, missing):
        stage.channel().exchange_declare(stage.exchange("none"), "x-delayed-message")


if __name__ == "__main__":
    broker.run(main)
