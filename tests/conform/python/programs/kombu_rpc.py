"""kombu: calls to a server that is a ConsumerProducerMixin, and a worker that is a ConsumerMixin.

Both run in threads with connections of their own, as such programs do, and stop on `should_stop`.
"""

import contextlib
import threading

import kombu
from kombu.mixins import ConsumerMixin, ConsumerProducerMixin

import broker


def fibonacci(number):
    a, b = 0, 1
    for _ in range(number):
        a, b = b, a + b
    return a


class Server(ConsumerProducerMixin):
    """Answers each call on the connection that it keeps for publishing."""

    def __init__(self, queue):
        self.connection, self.queue, self.ready = kombu.Connection(broker.URI), queue, threading.Event()

    def get_consumers(self, Consumer, channel):
        return [
            Consumer(
                queues=[self.queue], on_message=self.on_request, accept={"application/json"}, prefetch_count=1
            )
        ]

    def on_consume_ready(self, connection, channel, consumers, **_):
        self.ready.set()

    def on_request(self, message):
        self.producer.publish(
            {"result": fibonacci(message.payload["number"])},
            exchange="",
            routing_key=message.properties["reply_to"],
            correlation_id=message.properties["correlation_id"],
            serializer="json",
            retry=True,
        )
        message.ack()


class Worker(ConsumerMixin):
    """Notes the jobs of two queues."""

    def __init__(self, queues):
        self.connection, self.queues, self.ready = kombu.Connection(broker.URI), queues, threading.Event()
        self.jobs = []

    def get_consumers(self, Consumer, channel):
        return [Consumer(queues=self.queues, callbacks=[self.on_job], accept=["json", "pickle"])]

    def on_consume_ready(self, connection, channel, consumers, **_):
        self.ready.set()

    def on_job(self, body, message):
        self.jobs.append(body)
        message.ack()


@contextlib.contextmanager
def running(mixin):
    """Runs a consumer in a thread until the end of the block."""
    thread = threading.Thread(target=mixin.run, daemon=True)
    thread.start()
    try:
        broker.holds(mixin.ready.wait(broker.WAIT_SECONDS), "the consumer is ready")
        yield
    finally:
        mixin.should_stop = True
        thread.join(broker.WAIT_SECONDS)
    broker.holds(not thread.is_alive(), "the consumer stops")


def calls(stage):
    server = Server(kombu.Queue(stage.name("rpc"), durable=False))
    callback = kombu.Queue(kombu.uuid(), exclusive=True, auto_delete=True)
    answers = {}

    def on_answer(message):
        answers[message.properties["correlation_id"]] = message.payload["result"]

    with (
        running(server),
        kombu.Connection(broker.URI) as connection,
        connection.Producer() as producer,
        kombu.Consumer(connection, on_message=on_answer, queues=[callback], no_ack=True),
    ):
        asked = {kombu.uuid(): number for number in (0, 1, 10, 30)}
        for call, number in asked.items():
            producer.publish(
                {"number": number},
                exchange="",
                routing_key=server.queue.name,
                declare=[callback],
                reply_to=callback.name,
                correlation_id=call,
            )
        while len(answers) < len(asked):
            connection.drain_events(timeout=broker.WAIT_SECONDS)
    broker.same(answers, {call: fibonacci(number) for call, number in asked.items()}, "answers")


def jobs(stage):
    exchange = kombu.Exchange(stage.name("jobs"), type="topic")
    worker = Worker(
        [kombu.Queue(stage.name(part), exchange, routing_key=f"{part}.#") for part in ("mail", "print")]
    )
    with running(worker), kombu.Connection(broker.URI) as connection:
        producer = connection.Producer()
        for number in range(10):
            key = f"{('mail', 'print')[number % 2]}.now"
            producer.publish({"number": number}, exchange=exchange, routing_key=key)
        broker.wait_until(lambda: len(worker.jobs) == 10, "ten jobs to be done")
        broker.same(sorted(job["number"] for job in worker.jobs), list(range(10)), "jobs")

        # The broker cancels a consumer: the mixin connects anew and declares its queues again.
        worker.ready.clear()
        worker.queues[0](connection.channel()).delete()
        broker.holds(worker.ready.wait(broker.WAIT_SECONDS), "the worker consumes again after the cancel")
        producer.publish({"number": 10}, exchange=exchange, routing_key="mail.again")
        broker.wait_until(lambda: len(worker.jobs) == 11, "the job after the cancel")


def main(stage):
    stage.watch_py_amqp()
    calls(stage)
    jobs(stage)


if __name__ == "__main__":
    broker.run(main)
