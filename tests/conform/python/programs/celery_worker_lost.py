"""Celery: a worker is killed (kill -9) with a late-acked task in hand; the next worker does it."""

import os
import pathlib
import signal
import tempfile

import celery_app

import broker


def main(stage):
    celery_app.settle(stage)
    with tempfile.TemporaryDirectory() as folder:
        mark = pathlib.Path(folder) / "held"
        task = celery_app.hold.delay(str(mark))
        first = celery_app.Worker("first", "--pool=solo")
        with celery_app.working(first):
            broker.wait_until(lambda: mark.exists() and mark.read_text(encoding="utf-8"), "the task to begin")
            # A solo worker does its tasks itself: nobody is left to say goodbye.
            broker.same(int(mark.read_text(encoding="utf-8")), first.process.pid, "process of the task")
            os.kill(first.process.pid, signal.SIGKILL)
            first.process.wait(broker.WAIT_SECONDS)
        with celery_app.working(celery_app.Worker("second", "--pool=solo")):
            broker.same(task.get(timeout=broker.WAIT_SECONDS), "second worker", "who did the task")


if __name__ == "__main__":
    broker.run(main)
