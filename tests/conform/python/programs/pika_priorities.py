"""Priorities with pika: higher ones first, the first come among equals, and a clamp above the maximum."""

import pika

import broker

PUBLISHED = [("a", 1), ("b", 9), ("c", None), ("d", 5), ("e", 9), ("f", 0), ("g", 200), ("h", 5)]
WANTED = [b"b", b"e", b"g", b"d", b"h", b"a", b"c", b"f"]


def main(stage):
    """A backlog is delivered by priority; what comes back keeps its place among its own."""
    channel = stage.channel()
    queue = stage.queue("urgent")
    channel.queue_declare(queue, arguments={"x-max-priority": 9})
    channel.confirm_delivery()
    for body, priority in PUBLISHED:
        channel.basic_publish("", queue, body.encode(), pika.BasicProperties(priority=priority))
    first, _, body = channel.basic_get(queue)
    broker.same(body, WANTED[0], "the first of the highest priority")
    channel.basic_nack(first.delivery_tag, requeue=True)
    channel.basic_qos(prefetch_count=1)
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox)
    for count in range(1, len(WANTED) + 1):
        method, _, _ = inbox.wait(count)[-1]
        channel.basic_ack(method.delivery_tag)
    broker.same(inbox.bodies, WANTED, "order of deliveries")


if __name__ == "__main__":
    broker.run(main)
