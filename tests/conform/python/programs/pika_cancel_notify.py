"""Consumers that end: by their own cancel, by the queue's deletion, by an exclusive owner's leaving."""

import pika

import broker


def queue_deleted(stage):
    """Every consumer of a deleted queue is told by basic.cancel; its channel stays open."""
    deleter, consumer = stage.channel(), stage.channel()
    broker.same(consumer.connection.consumer_cancel_notify_supported, True, "capability")
    queue = stage.queue("deleted")
    consumer.queue_declare(queue)
    cancelled = []
    consumer.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    for tag in ("one", "two"):
        consumer.basic_consume(queue, print, consumer_tag=tag)
    with broker.channel_error(406, f"PRECONDITION_FAILED - queue '{queue}' in vhost '{broker.VHOST}' in use"):
        deleter.connection.channel().queue_delete(queue, if_unused=True)
    deleter.queue_delete(queue)
    broker.wait_until(lambda: consumer.connection.process_data_events() or len(cancelled) == 2, "two cancels")
    broker.same(sorted(cancelled), ["one", "two"], "consumers cancelled by the server")
    broker.same(consumer.consumer_tags, [], "consumers left")
    # Its tag may be used again.
    consumer.queue_declare(queue)
    inbox = broker.Inbox(consumer)
    consumer.basic_consume(queue, inbox, consumer_tag="one", auto_ack=True)
    deleter.basic_publish("", queue, b"again")
    inbox.wait(1)


def generator_ends(stage):
    """pika's `consume` generator ends when the server cancels it."""
    deleter, consumer = stage.channel(), stage.channel()
    queue = stage.queue("generator")
    consumer.queue_declare(queue)
    deleter.basic_publish("", queue, b"only")
    seen = []
    for method, _, body in consumer.consume(queue, inactivity_timeout=broker.WAIT_SECONDS):
        if method is None:
            raise broker.Mismatch("the generator waits for a cancel that does not come")
        seen.append(body)
        consumer.basic_ack(method.delivery_tag)
        deleter.queue_delete(queue)
    broker.same(seen, [b"only"], "what the generator gave")


def own_cancel(stage):
    """After cancel-ok nothing is delivered; what is in hand stays in hand."""
    publisher, consumer = stage.channel(), stage.channel()
    queue = stage.queue("own")
    consumer.queue_declare(queue)
    publisher.confirm_delivery()
    inbox = broker.Inbox(consumer)
    tag = consumer.basic_consume(queue, inbox)
    broker.holds(tag != "", "the consumer has a tag")
    publisher.basic_publish("", queue, b"held")
    inbox.wait(1)
    consumer.basic_cancel(tag)
    publisher.basic_publish("", queue, b"later")
    counts = publisher.queue_declare(queue, passive=True).method
    broker.same((counts.message_count, counts.consumer_count), (1, 0), "ready, consumers")
    broker.same(len(inbox.settle(queue)), 1, "deliveries")
    consumer.basic_ack(1)
    broker.same(consumer.basic_get(queue, auto_ack=True)[2], b"later", "next message")


def server_chooses_the_tag(stage):
    """An empty tag (pika always sends one, py-amqp need not) is replaced by `amq.ctag-...`."""
    import amqp

    with amqp.Connection(
        f"{broker.HOST}:{broker.PORT}", broker.USER, broker.PASSWORD, virtual_host=broker.VHOST
    ) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).queue
        tags = [channel.basic_consume(queue, consumer_tag="", callback=print) for _ in range(2)]
        broker.holds(all(tag.startswith("amq.ctag-") for tag in tags), f"tags by the server: {tags}")
        broker.holds(tags[0] != tags[1], "different tags")


def exclusive_consumer(stage):
    """An exclusive consumer keeps all others out until it goes."""
    owner, other = stage.channel(), stage.channel()
    queue = stage.queue("exclusive")
    owner.queue_declare(queue)
    owner.basic_consume(queue, print, exclusive=True, consumer_tag="owner")
    refusal = f"ACCESS_REFUSED - queue '{queue}' in vhost '{broker.VHOST}' in exclusive use"
    with broker.channel_error(403, refusal):
        other.basic_consume(queue, print)
    owner.basic_cancel("owner")
    other = other.connection.channel()
    other.basic_consume(queue, print)
    # Nor may one become exclusive where others are.
    with broker.channel_error(403, refusal):
        owner.basic_consume(queue, print, exclusive=True)


def auto_delete(stage):
    """An auto-delete queue goes with its last consumer, not before its first."""
    channel = stage.channel()
    queue = stage.queue("auto")
    channel.queue_declare(queue, auto_delete=True)
    channel.queue_declare(queue, auto_delete=True)
    for tag in ("one", "two"):
        channel.basic_consume(queue, print, consumer_tag=tag)
    channel.basic_cancel("one")
    channel.queue_declare(queue, passive=True)
    channel.basic_cancel("two")
    try:
        broker.wait_until(lambda: not channel.queue_declare(queue, passive=True), "the queue to go")
    except pika.exceptions.ChannelClosedByBroker as closed:
        broker.same(closed.reply_code, 404, "passive declare of a queue that is gone")


def main(stage):
    queue_deleted(stage)
    generator_ends(stage)
    own_cancel(stage)
    server_chooses_the_tag(stage)
    exclusive_consumer(stage)
    auto_delete(stage)


if __name__ == "__main__":
    broker.run(main)
