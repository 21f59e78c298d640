"""The Celery application that the celery programs and their worker processes share.

A program makes up the names (exchange, queue, control, events) under its stage's prefix and hands them
to the workers in the environment, so that no other Celery on the same broker is met. A worker is
what users run: `celery -A celery_app worker` in a process of its own.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import celery

import broker

app = celery.Celery("celery_app")


def configure(prefix, results, queues):
    """Names everything that the application declares after `prefix`; `queues` is the type of its queues."""
    if queues == "quorum":
        # What a countdown delays in the broker finds its way back by a topic.
        app.conf.update(task_default_queue_type=queues, task_default_exchange_type="topic")
    app.conf.update(
        broker_url=broker.URI,
        result_backend=results,
        task_default_queue=f"{prefix}.tasks",
        control_exchange=f"{prefix}.control",
        event_exchange=f"{prefix}.events",
        event_queue_prefix=f"{prefix}.events",
        result_exchange=f"{prefix}.results",
        # By default a second passes between two looks at a chord's members.
        result_chord_retry_interval=0.2,
        broker_connection_retry_on_startup=True,
        task_track_started=True,
    )


def settle(stage, results="rpc://", queues="classic"):
    """Gives the stage's names to the application here and to the workers that are started from here."""
    stage.watch_py_amqp()
    # What the workers declare and do not delete.
    prefix = stage.prefix
    stage.owns(
        queues=[f"{prefix}.tasks"],
        exchanges=[
            f"{prefix}.tasks",
            f"{prefix}.events",
            f"{prefix}.results",
            f"{prefix}.control.pidbox",
            f"reply.{prefix}.control.pidbox",
        ],
    )
    os.environ.update(
        CONFORM_CELERY_PREFIX=prefix,
        CONFORM_CELERY_RESULTS=results,
        CONFORM_CELERY_QUEUES=queues,
    )
    configure(prefix, results, queues)


if "CONFORM_CELERY_PREFIX" in os.environ:
    configure(
        os.environ["CONFORM_CELERY_PREFIX"],
        os.environ["CONFORM_CELERY_RESULTS"],
        os.environ["CONFORM_CELERY_QUEUES"],
    )


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=3)
def retried(self, until):
    """Succeeds at its `until`th retry, by hand."""
    if self.request.retries < until:
        raise self.retry(exc=RuntimeError(f"try {self.request.retries}"), countdown=0.1)
    return self.request.retries


@app.task(bind=True, autoretry_for=(ConnectionError,), max_retries=3, default_retry_delay=0.1)
def retried_by_itself(self, until):
    """Succeeds at its `until`th retry, by `autoretry_for`."""
    if self.request.retries < until:
        raise ConnectionError(f"try {self.request.retries}")
    return self.request.retries


@app.task(bind=True)
def context(self):
    """What the message of the task carried."""
    info = self.request.delivery_info
    return {
        "id": self.request.id,
        "routing_key": info["routing_key"],
        "redelivered": info["redelivered"],
        "priority": info["priority"],
        "headers": self.request.headers,
        "reply_to": self.request.reply_to,
    }


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def hold(self, path):
    """Marks its start in a file; holds its first worker for ever, a later one not at all."""
    if self.request.delivery_info["redelivered"]:
        return "second worker"
    pathlib.Path(path).write_text(str(os.getpid()), encoding="utf-8")
    while True:
        time.sleep(60)


class Worker:
    """One worker process."""

    def __init__(self, name, *options):
        self.name = f"{name}@{app.conf.task_default_queue}"
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "celery_app",
                "worker",
                "--hostname",
                self.name,
                "--loglevel",
                "INFO",
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def ready(self):
        """True once the worker says so; an exit before that is an error."""
        if self.process.poll() is not None:
            raise broker.Mismatch(f"the worker ended: {self.text()[-500:]}")
        return " ready." in self.text()

    def text(self):
        """Its log so far."""
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        """Asks it to end (warm shutdown), and ends it when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def working(*workers):
    """Waits until all are ready, and stops them in the end."""
    try:
        for worker in workers:
            broker.wait_until(worker.ready, f"{worker.name} to be ready", seconds=30)
        yield
    except Exception:
        for worker in workers:
            print(worker.text()[-5000:], file=sys.stderr)
        raise
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.stop()
