"""The fourth tutorial: a direct exchange; each subscriber names the severities that it wants."""

import broker

WANTED = {
    "disk": ["error"],
    "screen": ["info", "warning", "error"],
    "pager": ["error", "critical"],
    "nobody": [],
}
SENT = ["info", "error", "debug", "warning", "critical", "error", "Error", ""]


def main(stage):
    logs = stage.exchange("direct_logs")
    emitter = stage.channel()
    emitter.exchange_declare(exchange=logs, exchange_type="direct")
    inboxes, queues = {}, {}
    for subscriber, severities in WANTED.items():
        channel = stage.channel()
        queues[subscriber] = channel.queue_declare(queue="", exclusive=True).method.queue
        for severity in severities:
            channel.queue_bind(exchange=logs, queue=queues[subscriber], routing_key=severity)
            # The same binding twice is one binding: no second copy.
            channel.queue_bind(exchange=logs, queue=queues[subscriber], routing_key=severity)
        inboxes[subscriber] = broker.Inbox(channel)
        channel.basic_consume(queues[subscriber], inboxes[subscriber], auto_ack=True)

    emitter.confirm_delivery()
    for number, severity in enumerate(SENT):
        emitter.basic_publish(logs, severity, f"{number} {severity}".encode())
    for subscriber, severities in WANTED.items():
        want = [
            f"{number} {severity}".encode() for number, severity in enumerate(SENT) if severity in severities
        ]
        inbox = inboxes[subscriber]
        inbox.wait(len(want))
        inbox.settle(queues[subscriber])
        broker.same(inbox.bodies, want, f"lines of {subscriber}")
        for method, _, body in inbox.deliveries:
            broker.same(method.routing_key, body.decode().split(" ")[1], "routing key of a line")

    # Unbind one severity: the other goes on.
    pager = inboxes["pager"]
    pager.channel.queue_unbind(queue=queues["pager"], exchange=logs, routing_key="error")
    seen = len(pager.deliveries)
    for severity in ("error", "critical"):
        emitter.basic_publish(logs, severity, b"later")
    pager.wait(seen + 1)
    pager.settle(queues["pager"])
    broker.same(
        [method.routing_key for method, _, _ in pager.deliveries[seen:]], ["critical"], "keys after unbind"
    )


if __name__ == "__main__":
    broker.run(main)
