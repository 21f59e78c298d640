"""Messages given back: nack and reject, with and without requeue, recover, and a closed connection."""

import broker


def fill(channel, queue, count):
    channel.queue_declare(queue)
    channel.confirm_delivery()
    for number in range(count):
        channel.basic_publish("", queue, str(number).encode())


def told(deliveries):
    return [(body, method.redelivered) for method, _, body in deliveries]


def nack(stage):
    publisher, channel = stage.channel(), stage.channel()
    queue = stage.queue("nack")
    fill(publisher, queue, 5)
    channel.basic_qos(prefetch_count=5)
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox)
    broker.same(told(inbox.wait(5)), [(b"%d" % n, False) for n in range(5)], "first delivery")
    # Back it goes, and comes again at once, marked, under a new tag.
    channel.basic_nack(3, requeue=True)
    broker.same(told(inbox.wait(6)[5:]), [(b"2", True)], "after nack")
    broker.same(inbox.deliveries[5][0].delivery_tag, 6, "new delivery tag")
    # Everything in hand up to tag 5, and it keeps its order.
    channel.basic_nack(5, multiple=True, requeue=True)
    broker.same(told(inbox.wait(10)[6:]), [(b"%d" % n, True) for n in (0, 1, 3, 4)], "after nack multiple")
    # Dropped for good.
    channel.basic_nack(6, requeue=False)
    channel.basic_reject(7, requeue=False)
    channel.basic_ack(0, multiple=True)
    broker.same(len(inbox.settle(queue)), 10, "deliveries in all")
    channel.connection.close()
    broker.same(publisher.queue_declare(queue, passive=True).method.message_count, 0, "left")


def double_ack(stage):
    channel = stage.channel()
    queue = stage.queue("double")
    fill(channel, queue, 1)
    method, _, _ = channel.basic_get(queue)
    channel.basic_ack(method.delivery_tag)
    with broker.channel_error(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        channel.basic_nack(method.delivery_tag)
        channel.queue_declare(queue, passive=True)


def recover(stage):
    channel = stage.channel()
    queue = stage.queue("recover")
    fill(channel, queue, 3)
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox)
    inbox.wait(3)
    channel.basic_recover(requeue=True)
    broker.same(told(inbox.wait(6)[3:]), [(b"%d" % n, True) for n in range(3)], "after recover")
    channel.basic_ack(0, multiple=True)
    broker.same(len(inbox.settle(queue)), 6, "deliveries in all")


def lost_connection(stage):
    """What a consumer held when it went is given to the next, in its old order and marked."""
    publisher, lost, heir = stage.channel(), stage.channel(), stage.channel()
    queue = stage.queue("lost")
    fill(publisher, queue, 6)
    lost.basic_qos(prefetch_count=4)
    inbox = broker.Inbox(lost)
    lost.basic_consume(queue, inbox)
    inbox.wait(4)
    lost.basic_ack(2)
    inbox.wait(5)
    lost.connection.close()
    broker.wait_until(
        lambda: publisher.queue_declare(queue, passive=True).method.message_count == 5,
        "messages to be ready again",
    )
    inbox = broker.Inbox(heir)
    heir.basic_consume(queue, inbox)
    want = [(b"0", True), (b"2", True), (b"3", True), (b"4", True), (b"5", False)]
    broker.same(told(inbox.wait(5)), want, "what the heir gets")


def main(stage):
    nack(stage)
    double_ack(stage)
    recover(stage)
    lost_connection(stage)


if __name__ == "__main__":
    broker.run(main)
