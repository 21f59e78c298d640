"""Celery: a countdown on quorum queues, which waits in the broker: in queues with a TTL, one for each bit of it."""

import time

import celery_app

import broker

# Celery counts whole seconds; two bits, so that the message dies in one queue and in the next.
COUNTDOWN = 3
# The names of kombu.transport.native_delayed_delivery, which no setting changes.
LEVELS = [f"celery_delayed_{level}" for level in range(28)]


def main(stage):
    celery_app.settle(stage, queues="quorum")
    stage.owns(queues=LEVELS, exchanges=[*LEVELS, "celery_delayed_delivery"])
    with celery_app.working(celery_app.Worker("worker", "--pool=solo")):
        begun = time.monotonic()
        delayed = celery_app.add.apply_async((1, 2), countdown=COUNTDOWN)
        # It is with the broker, not with the worker.
        channel = stage.channel()
        waiting = channel.queue_declare("celery_delayed_1", passive=True).method.message_count
        broker.same(waiting, 1, "messages in the queue of two seconds")
        at_once = celery_app.add.delay(3, 4)
        broker.same(at_once.get(timeout=broker.WAIT_SECONDS), 7, "a task beside it")
        broker.holds(not delayed.ready(), "what is delayed does not come first")
        broker.same(delayed.get(timeout=broker.WAIT_SECONDS), 3, "the delayed task")
        broker.holds(time.monotonic() - begun >= COUNTDOWN, "the task comes after its countdown, not before")


if __name__ == "__main__":
    broker.run(main)
