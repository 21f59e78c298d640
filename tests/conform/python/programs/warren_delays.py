"""Delays with pika, on a plain exchange: `x-delay` counts from now, `x-deliver-at` is a time of day."""

import time

import pika

import broker


def main(stage):
    """Messages come when they are due, by rising time, and tell that they were delayed."""
    channel = stage.channel()
    queue, exchange = stage.queue("later"), stage.exchange("plain")
    channel.exchange_declare(exchange, "topic")
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, "a.#")
    channel.confirm_delivery()
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox, auto_ack=True)
    began_ms = time.time() * 1000
    due_ms = {}
    for delay in (900, 300, 600):
        due_ms[str(delay).encode()] = time.time() * 1000 + delay
        properties = pika.BasicProperties(headers={"x-delay": delay})
        channel.basic_publish(exchange, "a.b", str(delay).encode(), properties)
    at = int(began_ms) + 1200
    due_ms[b"at"] = at
    channel.basic_publish(exchange, "a", b"at", pika.BasicProperties(headers={"x-deliver-at": at}))
    channel.basic_publish(exchange, "a", b"now")
    due_ms[b"now"] = began_ms
    for count in range(1, len(due_ms) + 1):
        inbox.wait(count)
        body = inbox.bodies[-1]
        early_ms = due_ms[body] - time.time() * 1000
        # The broker reads the clock in whole milliseconds.
        broker.holds(early_ms <= 1, f"{body!r} came {early_ms:.0f} ms before its time")
    broker.same(inbox.bodies, [b"now", b"300", b"600", b"900", b"at"], "order of deliveries")
    told = [(properties.headers or {}).get("x-delay") for _, properties, _ in inbox.deliveries]
    broker.same(told, [None, -300, -600, -900, None], "x-delay as delivered")


if __name__ == "__main__":
    broker.run(main)
