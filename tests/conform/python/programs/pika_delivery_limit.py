"""A quorum queue's delivery limit with pika: what fails too often is counted, and becomes a dead letter."""

import broker

LIMIT = 3


def fail(stage, limit):
    """Rejects a message until it is not delivered any more; returns what each delivery was told."""
    channel = stage.channel()
    queue, graveyard = stage.queue("work"), stage.queue("graveyard")
    channel.queue_declare(graveyard)
    arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": graveyard,
    }
    if limit is not None:
        arguments["x-delivery-limit"] = limit
    channel.queue_declare(queue, durable=True, arguments=arguments)
    dead = broker.Inbox(channel)
    channel.basic_consume(graveyard, dead, auto_ack=True)
    told = []

    def poison(_channel, method, properties, _body):
        told.append((method.redelivered, (properties.headers or {}).get("x-delivery-count", 0)))
        channel.basic_reject(method.delivery_tag, requeue=True)

    channel.basic_consume(queue, poison)
    channel.basic_publish("", queue, b"poison")
    ((_, properties, _),) = dead.wait(1)
    (death,) = properties.headers["x-death"]
    broker.same((death["reason"], death["queue"]), ("delivery_limit", queue), "how it died")
    for name in (queue, graveyard):
        channel.queue_delete(name)
    return told


def main(stage):
    """The limit that was asked for, and the one of 20 that nobody asked for."""
    for asked, limit in ((LIMIT, LIMIT), (None, 20)):
        wanted = [(count > 0, count) for count in range(limit + 1)]
        broker.same(fail(stage, asked), wanted, f"redelivered and counts with a limit of {asked}")


if __name__ == "__main__":
    broker.run(main)
