"""Dead letters with pika: where a dropped message is found again, and the story that it tells."""

import broker


def main(stage):
    """Dropped by nack from a queue with a dead-letter exchange: found again there, with its story."""
    channel = stage.channel()
    queue, graveyard = stage.queue("mortal"), stage.queue("graveyard")
    channel.queue_declare(graveyard)
    channel.queue_declare(
        queue, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard}
    )
    channel.basic_publish("", queue, b"bad")
    inbox = broker.Inbox(channel)
    channel.basic_consume(graveyard, inbox, auto_ack=True)
    method, _, _ = channel.basic_get(queue)
    channel.basic_nack(method.delivery_tag, requeue=False)
    ((method, properties, body),) = inbox.wait(1)
    broker.same((body, method.routing_key, method.redelivered), (b"bad", graveyard, False), "dead letter")
    (death,) = properties.headers["x-death"]
    broker.same(
        {key: death[key] for key in ("count", "exchange", "queue", "reason", "routing-keys")},
        {"count": 1, "exchange": "", "queue": queue, "reason": "rejected", "routing-keys": [queue]},
        "x-death",
    )
    broker.same(
        [properties.headers[f"x-first-death-{key}"] for key in ("exchange", "queue", "reason")],
        ["", queue, "rejected"],
        "x-first-death",
    )


if __name__ == "__main__":
    broker.run(main)
