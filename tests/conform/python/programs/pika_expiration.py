"""Times to live with pika: a message is there before its time is over and a dead letter behind it."""

import time

import pika

import broker

TTL_SECONDS = 0.5
# Brokers count in whole milliseconds, from the beginning of the one in which a message came.
TICK_SECONDS = 0.001


def dies_in_time(stage, name, arguments, expiration):
    """Publishes one message that lives for `TTL_SECONDS` and waits for its dead letter."""
    channel = stage.channel()
    queue, graveyard = stage.queue(f"{name}-mortal"), stage.queue(f"{name}-graveyard")
    channel.queue_declare(graveyard)
    channel.queue_declare(
        queue, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard, **arguments}
    )
    inbox = broker.Inbox(channel)
    channel.basic_consume(graveyard, inbox, auto_ack=True)
    published = time.monotonic()
    channel.basic_publish("", queue, b"x", pika.BasicProperties(expiration=expiration))
    ((_, properties, body),) = inbox.wait(1)
    lived = time.monotonic() - published
    broker.holds(lived >= TTL_SECONDS - TICK_SECONDS, f"dead after {lived:.3f} s, before its time")
    (death,) = properties.headers["x-death"]
    broker.same((body, death["reason"]), (b"x", "expired"), "dead letter")
    broker.same(death.get("original-expiration"), expiration, "original-expiration")
    broker.same(properties.expiration, None, "expiration of the dead letter")


def main(stage):
    """By the message, by the queue, and by the shorter of both."""
    ttl = int(TTL_SECONDS * 1000)
    dies_in_time(stage, "own", {}, str(ttl))
    dies_in_time(stage, "queue", {"x-message-ttl": ttl}, None)
    dies_in_time(stage, "both", {"x-message-ttl": ttl}, "60000")


if __name__ == "__main__":
    broker.run(main)
