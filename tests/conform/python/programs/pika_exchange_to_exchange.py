"""Exchanges bound to exchanges: chains, cycles, one copy per queue, and what a deletion takes along."""

import broker


class Plan:
    """A few exchanges and queues on one confirming channel."""

    def __init__(self, stage):
        self.stage = stage
        self.channel = stage.channel()
        self.channel.confirm_delivery()

    def exchange(self, part, kind, **settings):
        name = self.stage.exchange(part)
        self.channel.exchange_declare(name, kind, **settings)
        return name

    def queue(self, exchange, key=""):
        name = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(name, exchange, key)
        return name

    def count(self, queue):
        return self.channel.queue_purge(queue).method.message_count


def chain(plan):
    channel = plan.channel
    entrance, middle, end = (
        plan.exchange(*pair) for pair in (("entrance", "direct"), ("middle", "topic"), ("end", "fanout"))
    )
    channel.exchange_bind(destination=middle, source=entrance, routing_key="a.b")
    channel.exchange_bind(destination=end, source=middle, routing_key="a.#")
    queue = plan.queue(end)
    beside = plan.queue(middle, "*.b")
    for key in ("a.b", "a.c"):
        channel.basic_publish(entrance, key, key.encode())
    # The message keeps the exchange and the key that it was published with.
    method, _, body = channel.basic_get(queue, auto_ack=True)
    broker.same(
        (method.exchange, method.routing_key, body, method.message_count),
        (entrance, "a.b", b"a.b", 0),
        "through the chain",
    )
    broker.same(plan.count(beside), 1, "beside the chain")
    # Into the middle of the chain.
    channel.basic_publish(middle, "a.x", b"")
    broker.same((plan.count(queue), plan.count(beside)), (1, 0), "from the middle")
    # A queue that two ways lead to gets one copy.
    channel.queue_bind(queue, entrance, "a.b")
    channel.basic_publish(entrance, "a.b", b"")
    broker.same((plan.count(queue), plan.count(beside)), (1, 1), "copies over two ways")
    # Cut.
    channel.queue_unbind(queue, entrance, "a.b")
    channel.exchange_unbind(destination=middle, source=entrance, routing_key="a.b")
    channel.basic_publish(entrance, "a.b", b"")
    broker.same((plan.count(queue), plan.count(beside)), (0, 0), "after unbind")


def cycle(plan):
    channel = plan.channel
    one, two = plan.exchange("one", "fanout"), plan.exchange("two", "fanout")
    for destination, source in ((one, two), (two, one), (one, one)):
        channel.exchange_bind(destination, source, "")
    queues = [plan.queue(one), plan.queue(two)]
    channel.basic_publish(one, "", b"round and round")
    broker.same([plan.count(queue) for queue in queues], [1, 1], "copies in a cycle")


def deletions(plan):
    channel = plan.channel
    source, gone = plan.exchange("source", "fanout"), plan.exchange("gone", "fanout")
    fading = plan.exchange("auto", "fanout", auto_delete=True)
    channel.exchange_bind(gone, source, "")
    queue = plan.queue(gone)
    with broker.channel_error(
        406, f"PRECONDITION_FAILED - exchange '{source}' in vhost '{broker.VHOST}' in use"
    ):
        channel.connection.channel().exchange_delete(source, if_unused=True)
    channel.exchange_delete(gone)
    channel.basic_publish(source, "", b"")
    # Declared anew under its old name it has no bindings, neither from nor to it.
    channel.exchange_declare(gone, "fanout")
    channel.basic_publish(source, "", b"")
    channel.basic_publish(gone, "", b"")
    broker.same(plan.count(queue), 0, "messages through an exchange that was deleted")
    channel.exchange_delete(source, if_unused=True)
    # An auto-delete exchange goes with the last binding of which it is the source.
    queue = plan.queue(fading)
    channel.exchange_bind(gone, fading, "")
    channel.queue_delete(queue)
    channel.exchange_declare(fading, passive=True)
    channel.exchange_unbind(gone, fading, "")
    with broker.channel_error(404, f"NOT_FOUND - no exchange '{fading}' in vhost '{broker.VHOST}'"):
        channel.connection.channel().exchange_declare(fading, passive=True)


def internal(plan):
    """An internal exchange takes messages from exchanges alone."""
    channel = plan.channel
    front, inside = plan.exchange("front", "fanout"), plan.exchange("inside", "fanout", internal=True)
    channel.exchange_bind(inside, front, "")
    queue = plan.queue(inside)
    channel.basic_publish(front, "", b"")
    broker.same(plan.count(queue), 1, "through the internal exchange")
    with broker.channel_error(
        403, f"ACCESS_REFUSED - cannot publish to internal exchange '{inside}' in vhost '{broker.VHOST}'"
    ):
        other = channel.connection.channel()
        other.confirm_delivery()
        other.basic_publish(inside, "", b"")


def main(stage):
    plan = Plan(stage)
    for part in (chain, cycle, deletions, internal):
        part(plan)


if __name__ == "__main__":
    broker.run(main)
