"""kombu: a work queue with priorities of its own: one direct exchange, three queues, acks, rejects."""

import socket

import kombu

import broker


def main(stage):
    stage.watch_py_amqp()
    exchange = kombu.Exchange(stage.name("tasks"), type="direct")
    queues = [kombu.Queue(stage.name(speed), exchange, routing_key=speed) for speed in ("high", "mid", "low")]
    done, rejected = [], []

    with kombu.Connection(broker.URI) as boss, kombu.Connection(broker.URI) as worker:
        with boss.Producer() as producer:
            for number in range(30):
                producer.publish(
                    {"number": number},
                    serializer="pickle",
                    compression="bzip2",
                    exchange=exchange,
                    declare=[exchange, *queues],
                    routing_key=("high", "mid", "low")[number % 3],
                )

        def work(body, message):
            # Every tenth task fails once.
            if body["number"] % 10 == 0 and not message.delivery_info["redelivered"]:
                rejected.append(body["number"])
                message.requeue()
                return
            done.append((message.delivery_info["routing_key"], body["number"]))
            message.ack()

        with worker.Consumer(queues, callbacks=[work], accept=["pickle"], prefetch_count=4):
            broker.wait_until(lambda: drained(worker) or len(done) == 30, "all tasks to be done", pause=0)
        for index, speed in enumerate(("high", "mid", "low")):
            numbers = [number for key, number in done if key == speed]
            broker.same(sorted(numbers), list(range(index, 30, 3)), f"tasks of {speed}")
        broker.same(sorted(rejected), [0, 10, 20], "tasks that failed once")
        with boss.channel() as channel:
            counts = [queue(channel).queue_declare(passive=True).message_count for queue in queues]
            broker.same(counts, [0, 0, 0], "tasks left")
            # Purge and delete.
            with boss.Producer(channel) as producer:
                for _ in range(3):
                    producer.publish({}, exchange=exchange, routing_key="low", mandatory=True)
            low = queues[2](channel)
            broker.wait_until(lambda: low.queue_declare(passive=True).message_count == 3, "three messages")
            broker.same(low.purge(), 3, "purged")
            low.delete(if_unused=True, if_empty=True)


def drained(connection):
    """Handles what comes within a second; false either way, for the waiting loop."""
    try:
        connection.drain_events(timeout=1)
    except socket.timeout:
        pass
    return False


if __name__ == "__main__":
    broker.run(main)
