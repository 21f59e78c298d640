"""Bodies of every awkward size, up to 10 MB, by get and by consume; and one that is too large."""

import hashlib

import pika

import broker

FRAME_MAX = 131072
# Around one frame (8 octets of a frame are not payload), around two, and far beyond.
SIZES = [
    0,
    1,
    FRAME_MAX - 9,
    FRAME_MAX - 8,
    FRAME_MAX - 7,
    FRAME_MAX,
    2 * (FRAME_MAX - 8),
    2 * (FRAME_MAX - 8) + 1,
    1_000_000,
    1 << 20,
    10_000_000,
]
# RabbitMQ 4's default for max_message_size.
LIMIT = 16 * 1024 * 1024


def body_of(size):
    """Content in which every stretch differs from every other, so that a lost or swapped frame shows."""
    block = hashlib.shake_256(str(size).encode()).digest(min(size, 1_048_573))
    return (block * (size // max(len(block), 1) + 1))[:size]


def there_and_back(stage, durable):
    publisher, consumer = stage.channel(), stage.channel()
    queue = stage.queue("durable" if durable else "transient")
    publisher.queue_declare(queue, durable=durable)
    publisher.confirm_delivery()
    properties = pika.BasicProperties(delivery_mode=2 if durable else 1)
    for size in SIZES:
        publisher.basic_publish("", queue, body_of(size), properties)
    inbox = broker.Inbox(consumer)
    consumer.basic_qos(prefetch_count=3)
    # Each body crosses twice: consumed and put back, then fetched.
    for size in SIZES:
        method, _, body = consumer.basic_get(queue)
        check(body, size, "fetched")
        consumer.basic_nack(method.delivery_tag, requeue=True)
        method, _, body = consumer.basic_get(queue)
        check(body, size, "fetched again")
        broker.same(method.redelivered, True, "redelivered")
        consumer.basic_ack(method.delivery_tag)
        publisher.basic_publish("", queue, body, properties)
    consumer.basic_consume(queue, inbox)
    for number, size in enumerate(SIZES):
        method, _, body = inbox.wait(number + 1)[number]
        check(body, size, "consumed")
        consumer.basic_ack(method.delivery_tag)


def check(body, size, how):
    broker.same(len(body), size, f"length of a body {how}")
    broker.holds(body == body_of(size), f"{size} octets {how} differ from what was sent")


def interleaved(stage):
    """A large body does not mix with the small ones of other channels on the same connection."""
    connection = stage.connect()
    channels = [connection.channel() for _ in range(4)]
    inboxes = []
    for number, channel in enumerate(channels):
        queue = channel.queue_declare("", exclusive=True).method.queue
        inboxes.append(broker.Inbox(channel))
        channel.basic_consume(queue, inboxes[-1], auto_ack=True)
        for _ in range(5):
            channel.basic_publish("", queue, body_of(1_000_000 + number if number % 2 else number))
    for number, inbox in enumerate(inboxes):
        for _, _, body in inbox.wait(5):
            check(body, 1_000_000 + number if number % 2 else number, "on one of four channels")


def too_large(stage):
    channel = stage.channel()
    channel.confirm_delivery()
    with broker.channel_error(
        406, f"PRECONDITION_FAILED - message size {LIMIT + 1} is larger than configured max size {LIMIT}"
    ):
        channel.basic_publish("", stage.name("nobody"), bytes(LIMIT + 1))
    channel = channel.connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", stage.name("nobody"), bytes(LIMIT))


def main(stage):
    there_and_back(stage, durable=False)
    there_and_back(stage, durable=True)
    interleaved(stage)
    too_large(stage)


if __name__ == "__main__":
    broker.run(main)
