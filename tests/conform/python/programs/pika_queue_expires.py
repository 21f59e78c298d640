"""`x-expires` with pika: a queue that nobody uses goes, and one that is used stays."""

import time

import pika

import broker

EXPIRES_SECONDS = 1.5


def exists(channel, queue):
    """Whether the queue is there: a message finds it, which does not count as use as a declaration would."""
    try:
        channel.basic_publish("", queue, b"anybody?", mandatory=True)
    except pika.exceptions.UnroutableError:
        return False
    return True


def main(stage):
    """A consumer keeps its queue for longer than the time; without one it goes, but not before its time."""
    channel = stage.channel()
    used, unused = stage.queue("used"), stage.queue("unused")
    arguments = {"x-expires": int(EXPIRES_SECONDS * 1000)}
    channel.confirm_delivery()
    declared = time.monotonic()
    for queue in (used, unused):
        channel.queue_declare(queue, arguments=arguments)
    tag = channel.basic_consume(used, broker.Inbox(channel))
    broker.wait_until(lambda: not exists(channel, unused), "the unused queue to go", pause=0.1)
    broker.holds(time.monotonic() - declared >= EXPIRES_SECONDS, "the queue went before its time")
    broker.holds(exists(channel, used), "the queue with a consumer went")
    channel.basic_cancel(tag)
    broker.wait_until(lambda: not exists(channel, used), "the other queue to go", pause=0.1)


if __name__ == "__main__":
    broker.run(main)
