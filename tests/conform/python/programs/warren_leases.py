"""`x-consumer-timeout` with pika: what is held for too long goes to another, and nobody is closed on."""

import broker


def main(stage):
    """The one who holds is still served afterwards; its late acknowledgement is passed over."""
    slow, quick = broker.Inbox(stage.channel()), broker.Inbox(stage.channel())
    queue = stage.queue("leased")
    slow.channel.queue_declare(queue, arguments={"x-consumer-timeout": 700})
    for inbox in (slow, quick):
        inbox.channel.basic_qos(prefetch_count=1)
    slow.channel.basic_consume(queue, slow)
    slow.channel.basic_publish("", queue, b"1")
    ((held, _, _),) = slow.wait(1)
    quick.channel.basic_consume(queue, quick)
    ((method, _, body),) = quick.wait(1)
    broker.same((body, method.redelivered), (b"1", True), "what the other gets")
    slow.channel.basic_ack(held.delivery_tag)
    quick.channel.basic_ack(method.delivery_tag)
    broker.same(len(quick.settle(queue)), 1, "deliveries after the late acknowledgement")
    slow.channel.basic_publish("", queue, b"2")
    slow.channel.basic_publish("", queue, b"3")
    broker.same(
        sorted([slow.wait(2)[1][2], quick.wait(2)[1][2]]), [b"2", b"3"], "what both get from then on"
    )


if __name__ == "__main__":
    broker.run(main)
