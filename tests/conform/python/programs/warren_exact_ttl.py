"""Times to live are exact wherever a message stands. RabbitMQ looks at the head of a queue alone."""

import time

import pika

import broker

TTLS_MS = [900, 300, 600, None]


def main(stage):
    """Behind one that lives for ever, messages die in the order of their times, and are not counted after."""
    channel = stage.channel()
    queue, graveyard = stage.queue("mortal"), stage.queue("graveyard")
    channel.queue_declare(graveyard)
    channel.queue_declare(
        queue, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard}
    )
    inbox = broker.Inbox(channel)
    channel.basic_consume(graveyard, inbox, auto_ack=True)
    published = time.monotonic()
    channel.basic_publish("", queue, b"for ever")
    for ttl in TTLS_MS:
        expiration = None if ttl is None else str(ttl)
        channel.basic_publish("", queue, str(ttl).encode(), pika.BasicProperties(expiration=expiration))
    for count, ttl in enumerate(sorted(filter(None, TTLS_MS)), 1):
        inbox.wait(count)
        lived_ms = (time.monotonic() - published) * 1000
        broker.same(inbox.bodies[-1], str(ttl).encode(), "next to die")
        broker.holds(lived_ms >= ttl, f"dead after {lived_ms:.0f} ms, to live for {ttl}")
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 2, "what is left")


if __name__ == "__main__":
    broker.run(main)
