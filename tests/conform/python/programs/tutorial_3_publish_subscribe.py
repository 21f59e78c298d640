"""The third tutorial: a fanout exchange copies each log line to every subscriber's own queue.

The queues are exclusive and named by the server; they go when their connection does.
"""

import broker


class Subscriber:
    """One listener with a queue of its own."""

    def __init__(self, stage, exchange):
        self.channel = stage.channel()
        self.channel.exchange_declare(exchange=exchange, exchange_type="fanout")
        declared = self.channel.queue_declare(queue="", exclusive=True).method
        self.queue = declared.queue
        broker.holds(self.queue.startswith("amq.gen-"), f"server named a queue {self.queue!r}")
        broker.same((declared.message_count, declared.consumer_count), (0, 0), "counts of a new queue")
        self.channel.queue_bind(exchange=exchange, queue=self.queue)
        self.inbox = broker.Inbox(self.channel)
        self.channel.basic_consume(self.queue, self.inbox, auto_ack=True)


def main(stage):
    logs = stage.exchange("logs")
    emitter = stage.channel()
    emitter.exchange_declare(exchange=logs, exchange_type="fanout")
    # Nobody listens yet: the message is lost, and that is no error.
    emitter.basic_publish(exchange=logs, routing_key="", body=b"unheard")

    subscribers = [Subscriber(stage, logs) for _ in range(3)]
    broker.same(len({subscriber.queue for subscriber in subscribers}), 3, "different queue names")

    lines = [f"info: line {number}".encode() for number in range(20)]
    for line in lines:
        # A fanout exchange does not look at the key.
        emitter.basic_publish(exchange=logs, routing_key="any.key", body=line)
    for subscriber in subscribers:
        subscriber.inbox.wait(len(lines))
        broker.same(subscriber.inbox.bodies, lines, "lines of a subscriber")
        broker.same({method.exchange for method, _, _ in subscriber.inbox.deliveries}, {logs}, "exchange")

    # Another connection may not touch an exclusive queue.
    leaver, *others = subscribers
    with broker.channel_error(
        405,
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue "
        f"'{leaver.queue}' in vhost '{broker.VHOST}'. It could be originally declared "
        "on another connection or the exclusive property value does not match that "
        "of the original declaration.",
    ):
        others[0].channel.connection.channel().queue_declare(leaver.queue, passive=True)

    # One goes; its queue goes with it, the others still hear.
    leaver.channel.connection.close()
    with broker.channel_error(404, f"NOT_FOUND - no queue '{leaver.queue}' in vhost '{broker.VHOST}'"):
        others[0].channel.connection.channel().queue_declare(leaver.queue, passive=True)
    emitter.basic_publish(exchange=logs, routing_key="", body=b"last")
    for subscriber in others:
        subscriber.inbox.wait(len(lines) + 1)
        broker.same(subscriber.inbox.bodies[-1], b"last", "last line")
        broker.same(len(subscriber.inbox.settle(subscriber.queue)), len(lines) + 1, "lines in all")


if __name__ == "__main__":
    broker.run(main)
