"""Recent history with pika: who comes late gets what was published last."""

import broker


def main(stage):
    """A queue that is bound gets the last messages, but those that were not to be remembered."""
    channel = stage.channel()
    exchange, late, later = stage.exchange("news"), stage.queue("late"), stage.queue("later")
    arguments = {"x-recent-history-length": 3}
    channel.exchange_declare(exchange, "x-recent-history", durable=True, arguments=arguments)
    secret = broker.pika.BasicProperties(headers={"x-recent-history-no-store": True})
    for number in range(5):
        channel.basic_publish(exchange, f"k{number}", b"%d" % number)
    channel.basic_publish(exchange, "", b"secret", secret)

    inboxes = [broker.Inbox(channel) for _ in range(2)]
    for queue, inbox in zip((late, later), inboxes):
        channel.queue_declare(queue)
        channel.basic_consume(queue, inbox, auto_ack=True)
        channel.queue_bind(queue, exchange)
        inbox.wait(3)
        channel.basic_publish(exchange, "", b"new")
    inboxes[0].wait(5)
    inboxes[1].wait(4)
    broker.same(inboxes[0].bodies, [b"2", b"3", b"4", b"new", b"new"], "late")
    broker.same(inboxes[1].bodies, [b"3", b"4", b"new", b"new"], "later")
    broker.same([method.routing_key for method, _, _ in inboxes[0].deliveries[:3]], ["k2", "k3", "k4"], "keys")


if __name__ == "__main__":
    broker.run(main)
