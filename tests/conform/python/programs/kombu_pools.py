"""kombu: producer and connection pools, drain_events with its timeout, heartbeat_check, confirms, returns."""

import socket
import threading
import time

import amqp
import kombu
from kombu.pools import connections, producers

import broker


def producer_pool(stage):
    """20 threads share 5 producers; every message arrives once."""
    connection = kombu.Connection(broker.URI)
    queue = kombu.Queue(stage.name("pool"), kombu.Exchange(stage.name("pool")), routing_key="pool")
    producers[connection].limit = 5
    broker.holds(
        producers[connection] is producers[kombu.Connection(broker.URI)], "one pool for equal connections"
    )

    def publish(thread):
        for number in range(10):
            with producers[connection].acquire(block=True, timeout=broker.WAIT_SECONDS) as producer:
                producer.publish(
                    [thread, number],
                    exchange=queue.exchange,
                    routing_key="pool",
                    declare=[queue],
                    retry=True,
                    retry_policy={"max_retries": 3},
                )

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(broker.WAIT_SECONDS)
    got = []
    with connections[connection].acquire(block=True) as own:
        with own.Consumer(queue, callbacks=[lambda body, message: (got.append(tuple(body)), message.ack())]):
            while len(got) < 200:
                own.drain_events(timeout=broker.WAIT_SECONDS)
    broker.same(sorted(got), [(thread, number) for thread in range(20) for number in range(10)], "messages")
    kombu.pools.reset()


def drain_and_heartbeat(stage):
    """drain_events gives up at its time; heartbeat_check keeps an idle connection alive by hand."""
    with kombu.Connection(broker.URI, heartbeat=2) as connection:
        connection.connect()
        broker.same(connection.get_heartbeat_interval(), 2, "heartbeat interval")
        queue = kombu.Queue(stage.name("idle"), channel=connection.channel(), exclusive=True, durable=False)
        got = []
        with connection.Consumer(queue, callbacks=[lambda body, _message: got.append(body)], no_ack=True):
            # The time is the matter here: more than twice the interval without a message.
            end = time.monotonic() + 5
            while time.monotonic() < end:
                connection.heartbeat_check(rate=2)
                try:
                    connection.drain_events(timeout=0.5)
                except socket.timeout:
                    continue
                raise broker.Mismatch("an event came to an idle consumer")
            connection.Producer().publish("alive", routing_key=queue.name)
            connection.drain_events(timeout=broker.WAIT_SECONDS)
        broker.same(got, ["alive"], "message after idling")


def silence_is_noticed(stage):
    """Without heartbeat_check the server hangs up on the silent client."""
    with kombu.Connection(broker.URI, heartbeat=1) as silent:
        silent.connect()
        # drain_events reads and does not write: no heartbeat leaves.
        deadline = time.monotonic() + broker.WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                silent.drain_events(timeout=1)
            except socket.timeout:
                continue
            except silent.connection_errors:
                return
    raise broker.Mismatch("the server kept a client that sends no heartbeats")


def confirms_and_returns(stage):
    with kombu.Connection(broker.URI, transport_options={"confirm_publish": True}) as connection:
        channel = connection.channel()
        queue = kombu.Queue(stage.name("confirmed"), channel=channel)
        queue.declare()
        returned = []
        producer = kombu.Producer(
            channel,
            on_return=lambda error, exchange, key, message: returned.append(
                (error.reply_code, error.reply_text, exchange, key)
            ),
        )
        producer.publish("first", routing_key=queue.name, mandatory=True)
        broker.same(queue.queue_declare(passive=True).message_count, 1, "confirmed messages")
        broker.same(returned, [], "returns")
        producer.publish("lost", routing_key=stage.name("nobody"), mandatory=True)
        broker.same(returned, [(312, "NO_ROUTE", "", stage.name("nobody"))], "returns")

        try:
            kombu.Queue(stage.name("missing"), channel=channel).queue_declare(passive=True)
        except amqp.exceptions.NotFound as error:
            broker.same(
                (error.reply_code, error.reply_text, error.method_name),
                (
                    404,
                    f"NOT_FOUND - no queue '{stage.name('missing')}' in vhost '{broker.VHOST}'",
                    "Queue.declare",
                ),
                "channel.close",
            )
        else:
            raise broker.Mismatch("a missing queue was found")


def main(stage):
    stage.watch_py_amqp()
    producer_pool(stage)
    drain_and_heartbeat(stage)
    silence_is_noticed(stage)
    confirms_and_returns(stage)


if __name__ == "__main__":
    broker.run(main)
