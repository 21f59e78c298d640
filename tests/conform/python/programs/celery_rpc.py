"""Celery: tasks and their results over the broker (`rpc://`), retries, groups, chains, delays."""

import time

import celery
import celery_app
from celery.result import AsyncResult

import broker

SECONDS = broker.WAIT_SECONDS


def main(stage):
    celery_app.settle(stage)
    # Said before there is a worker: it waits in the queue.
    early = celery_app.add.delay(40, 2)
    with celery_app.working(
        celery_app.Worker("solo", "--pool=solo"),
        celery_app.Worker("threads", "--pool=threads", "--concurrency=4"),
    ):
        broker.same(early.get(timeout=SECONDS), 42, "result of the task that waited")
        results()
        retries()
        canvases()
        delays()
        messages(stage)


def results():
    pending = [celery_app.add.delay(number, number) for number in range(50)]
    broker.same([result.get(timeout=SECONDS) for result in pending], list(range(0, 100, 2)), "sums")
    broker.same({result.state for result in pending}, {"SUCCESS"}, "states")
    failing = celery_app.fail.delay("on purpose")
    try:
        failing.get(timeout=SECONDS)
    except ValueError as error:
        broker.same(str(error), "on purpose", "text of the exception")
    else:
        raise broker.Mismatch("a task that fails gave a result")
    broker.same(failing.state, "FAILURE", "state")
    broker.holds("ValueError: on purpose" in failing.traceback, "the traceback came with the failure")
    ignored = celery_app.add.apply_async((1, 1), ignore_result=True)
    broker.same(ignored.get(), None, "result of a task without one")
    large = "x" * 1_000_000
    broker.same(
        len(celery_app.add.delay(large, large).get(timeout=SECONDS)), 2_000_000, "length of a large result"
    )


def retries():
    for task in (celery_app.retried, celery_app.retried_by_itself):
        broker.same(task.delay(2).get(timeout=SECONDS), 2, f"tries of {task.name}")
    for task, kind in ((celery_app.retried, RuntimeError), (celery_app.retried_by_itself, ConnectionError)):
        try:
            task.delay(9).get(timeout=SECONDS)
        except kind as error:
            broker.same(str(error), "try 3", f"last error of {task.name}")
        else:
            raise broker.Mismatch("a task with no tries left gave a result")


def canvases():
    group = celery.group(celery_app.add.s(number, number) for number in range(20))()
    broker.same(group.get(timeout=SECONDS), list(range(0, 40, 2)), "results of a group")
    broker.holds(group.successful(), "the group is successful")
    chain = celery.chain(celery_app.add.s(1, 2), celery_app.add.s(10), celery_app.add.s(100))()
    broker.same(chain.get(timeout=SECONDS), 113, "result of a chain")
    broker.same(~celery_app.add.starmap([(1, 1), (2, 2)]), [2, 4], "results of a starmap")


def delays():
    began = time.monotonic()
    later = celery_app.add.apply_async((1, 2), countdown=1)
    broker.same(celery_app.add.delay(1, 1).get(timeout=SECONDS), 2, "a task that overtakes")
    broker.same(later.get(timeout=SECONDS), 3, "result of the task that was put off")
    broker.holds(time.monotonic() - began >= 0.9, "it was put off")
    expired = celery_app.add.apply_async((1, 2), countdown=1, expires=0.1)
    try:
        expired.get(timeout=SECONDS)
    except celery.exceptions.TaskRevokedError as error:
        broker.same(str(error), "expired", "reason")
    else:
        raise broker.Mismatch("an expired task was done")


def messages(stage):
    """What travels with a task: its id, a priority, headers, and the queue for its result."""
    sent = celery_app.context.apply_async(priority=5, headers={"tenant": "blue"})
    got = sent.get(timeout=SECONDS)
    broker.same(
        {key: got[key] for key in ("id", "redelivered", "routing_key", "priority")},
        {"id": sent.id, "redelivered": False, "routing_key": f"{stage.prefix}.tasks", "priority": 5},
        "delivery of a task",
    )
    broker.same(got["headers"]["tenant"], "blue", "header")
    broker.same(got["reply_to"], celery_app.app.thread_oid, "queue for the result")
    # Asked for by its id alone.
    sent = celery_app.add.delay(3, 4)
    broker.same(AsyncResult(sent.id, app=celery_app.app).get(timeout=SECONDS), 7, "result by id")


if __name__ == "__main__":
    broker.run(main)
