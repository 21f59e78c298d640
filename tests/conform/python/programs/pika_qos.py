"""basic.qos: how many unacknowledged messages a consumer, or with `global` a channel, may hold."""

import broker


def filled(stage, part, count):
    """A queue with `count` messages and a channel on another connection."""
    channel = stage.channel()
    queue = stage.queue(part)
    channel.queue_declare(queue)
    channel.confirm_delivery()
    for number in range(count):
        channel.basic_publish("", queue, str(number).encode())
    return queue, stage.channel()


def numbers(*values):
    return [str(value).encode() for value in values]


def per_consumer(stage):
    queue, channel = filled(stage, "each", 12)
    channel.basic_qos(prefetch_count=3)
    first = broker.Inbox(channel)
    channel.basic_consume(queue, first, consumer_tag="first")
    first.wait(3)
    broker.same(first.settle(queue) and first.bodies, numbers(0, 1, 2), "three in hand")
    # The limit counts for each consumer that comes after it.
    channel.basic_qos(prefetch_count=2)
    second = broker.Inbox(channel)
    channel.basic_consume(queue, second, consumer_tag="second")
    second.wait(2)
    second.settle(queue)
    broker.same((len(first.deliveries), second.bodies), (3, numbers(3, 4)), "first, second")
    # One ack, one more message, for the consumer that acked.
    channel.basic_ack(second.deliveries[0][0].delivery_tag)
    second.wait(3)
    second.settle(queue)
    broker.same((len(first.deliveries), second.bodies), (3, numbers(3, 4, 5)), "after one ack")
    # `multiple` acks of both.
    channel.basic_ack(second.deliveries[-1][0].delivery_tag, multiple=True)
    first.wait(6)
    second.wait(5)
    first.settle(queue)
    broker.same((len(first.deliveries), len(second.deliveries)), (6, 5), "after ack of all")
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 1, "still waiting")
    # basic.get knows no limit.
    broker.same(channel.basic_get(queue)[2], b"11", "got past the limit")


def global_limit(stage):
    """`global`: the consumers of one channel share the limit."""
    queue, channel = filled(stage, "all", 10)
    channel.basic_qos(prefetch_count=4, global_qos=True)
    inboxes = [broker.Inbox(channel), broker.Inbox(channel)]
    for inbox in inboxes:
        channel.basic_consume(queue, inbox)
    broker.wait_until(
        lambda: channel.connection.process_data_events() or total(inboxes) >= 4, "four deliveries"
    )
    inboxes[0].settle(queue)
    broker.same(total(inboxes), 4, "in hand of both")
    channel.basic_ack(2, multiple=True)
    broker.wait_until(lambda: channel.connection.process_data_events() or total(inboxes) >= 6, "two more")
    inboxes[0].settle(queue)
    broker.same(total(inboxes), 6, "in hand of both after two acks")


def total(inboxes):
    return sum(len(inbox.deliveries) for inbox in inboxes)


def no_limit(stage):
    """Zero is no limit; automatic acknowledgement knows none."""
    queue, channel = filled(stage, "free", 50)
    channel.basic_qos(prefetch_count=0)
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox)
    inbox.wait(50)
    channel.connection.close()

    channel = stage.channel()
    channel.basic_qos(prefetch_count=1)
    inbox = broker.Inbox(channel)
    broker.wait_until(
        lambda: channel.queue_declare(queue, passive=True).method.message_count == 50,
        "unacked messages to be ready again",
    )
    channel.basic_consume(queue, inbox, auto_ack=True)
    broker.same({method.redelivered for method, _, _ in inbox.wait(50)}, {True}, "redelivered")
    broker.same(inbox.bodies, numbers(*range(50)), "in their old order")


def main(stage):
    per_consumer(stage)
    global_limit(stage)
    no_limit(stage)


if __name__ == "__main__":
    broker.run(main)
