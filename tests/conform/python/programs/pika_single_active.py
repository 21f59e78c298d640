"""A single active consumer with pika: one is served, and when it goes the next gets what it had."""

import broker


def main(stage):
    """Three consumers on three connections; the second takes over by a cancel, the third by a close."""
    publisher = stage.channel()
    queue = stage.queue("alone")
    publisher.queue_declare(queue, arguments={"x-single-active-consumer": True})
    publisher.confirm_delivery()
    inboxes = [broker.Inbox(stage.channel()) for _ in range(3)]
    tags = [inbox.channel.basic_consume(queue, inbox) for inbox in inboxes]
    for body in (b"1", b"2"):
        publisher.basic_publish("", queue, body)
    first, second, third = inboxes
    first.wait(2)
    for idle in (second, third):
        broker.same(idle.settle(queue), [], "deliveries to those who wait")

    first.channel.basic_cancel(tags[0])
    publisher.basic_publish("", queue, b"3")
    second.wait(1)
    broker.same(second.bodies, [b"3"], "what the second gets after the first was cancelled")

    second.channel.connection.close()
    ((method, _, body),) = third.wait(1)
    broker.same((body, method.redelivered), (b"3", True), "what the third gets after the second left")
    first.channel.close()
    third.wait(3)
    broker.same(sorted(third.bodies), [b"1", b"2", b"3"], "what the third gets of the first")


if __name__ == "__main__":
    broker.run(main)
