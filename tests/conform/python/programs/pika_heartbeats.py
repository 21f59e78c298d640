"""Heartbeats: an idle connection lives by them, a silent one dies for want of them."""

import threading
import time

import pika

import broker

INTERVAL_SECONDS = 1


def offered(stage):
    """The server offers 60 s; a client may ask for less, or none."""
    asked = []

    def choose(_connection, offer):
        asked.append(offer)
        return 0

    connection = stage.connect(heartbeat=choose)
    broker.same(asked, [60], "heartbeat that the server offers")
    connection.channel().queue_declare("", exclusive=True)


def idle_lives(stage):
    """Nothing is said for several intervals but heartbeats, in both directions."""
    connection = stage.connect(heartbeat=INTERVAL_SECONDS)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    received = connection._impl.bytes_received
    # The time is the matter here: only heartbeats may keep the connection alive meanwhile.
    end = time.monotonic() + 4.5 * INTERVAL_SECONDS
    while time.monotonic() < end:
        connection.process_data_events(time_limit=end - time.monotonic())
    octets = connection._impl.bytes_received - received
    broker.holds(
        octets >= 2 * 8 and octets % 8 == 0, f"server sent {octets} octets in 4.5 s, want heartbeats of 8"
    )
    channel.basic_publish("", queue, b"alive")
    broker.wait_until(lambda: channel.basic_get(queue, auto_ack=True)[2] == b"alive", "the message")


def silent_dies(stage):
    """A client that stops sending is dropped after two intervals, and its message is redelivered."""
    observer, silent = stage.channel(), stage.channel(heartbeat=INTERVAL_SECONDS)
    queue = stage.queue("held")
    observer.queue_declare(queue)
    observer.confirm_delivery()
    observer.basic_publish("", queue, b"held")
    silent.basic_get(queue)
    own = silent.queue_declare("", exclusive=True).method.queue
    began = time.monotonic()
    inbox = broker.Inbox(observer)
    observer.basic_consume(queue, inbox, auto_ack=True)
    # From here on nobody turns the silent connection's loop: it does not answer.
    ((method, _, body),) = inbox.wait(1, seconds=10 * INTERVAL_SECONDS)
    seconds = time.monotonic() - began
    broker.same((body, method.redelivered), (b"held", True), "message of the silent client")
    broker.holds(seconds > INTERVAL_SECONDS, f"dropped after {seconds:.1f} s, within the interval")
    # Its exclusive queue is gone with it.
    with broker.channel_error(404, f"NOT_FOUND - no queue '{own}' in vhost '{broker.VHOST}'"):
        observer.connection.channel().queue_declare(own, passive=True)
    try:
        for _ in range(3):
            silent.connection.process_data_events(time_limit=broker.WAIT_SECONDS)
    except (pika.exceptions.AMQPConnectionError, ConnectionError):
        return
    raise broker.Mismatch("the silent client's connection still works")


def main(stage):
    # They do nothing but wait: let them wait together.
    failures = []

    def guarded(part):
        try:
            part(stage)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(part,)) for part in (idle_lives, silent_dies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    offered(stage)


if __name__ == "__main__":
    broker.run(main)
