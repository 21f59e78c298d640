"""Celery: remote control of two workers (pidbox: a fanout out, a direct exchange back) and events."""

import threading

import celery_app

import broker


def main(stage):
    celery_app.settle(stage)
    app = celery_app.app
    workers = [celery_app.Worker(name, "--pool=solo", "--task-events") for name in ("one", "two")]
    names = sorted(worker.name for worker in workers)
    with celery_app.working(*workers):
        asked(app, names)
        told(app, stage, workers)
        watched(app, names)
        shut_down(app, workers)


def all_answer(ask, count, what):
    """Asks again until `count` workers answer within a second; returns the answers."""
    return broker.wait_until(lambda: (answers := ask()) and len(answers) == count and answers, what)


def asked(app, names):
    answers = all_answer(lambda: app.control.ping(timeout=1), 2, "both workers to answer a ping")
    broker.same(
        sorted((name, pong) for answer in answers for name, pong in answer.items()),
        [(name, {"ok": "pong"}) for name in names],
        "pings",
    )
    answers = all_answer(
        lambda: app.control.ping(timeout=5, destination=[names[0]], limit=1), 1, "one answer"
    )
    broker.same(answers, [{names[0]: {"ok": "pong"}}], "ping to one worker")
    inspect = app.control.inspect(timeout=1)
    tasks = all_answer(inspect.registered, 2, "both workers to list their tasks")
    broker.holds(all("celery_app.add" in listed for listed in tasks.values()), f"registered tasks: {tasks}")
    stats = all_answer(inspect.stats, 2, "both workers' statistics")
    broker.same({stat["broker"]["transport"] for stat in stats.values()}, {"amqp"}, "transport")


def told(app, stage, workers):
    """One worker is told to consume a second queue, later to leave it."""
    queue, first = stage.name("extra"), workers[0].name
    inspect = app.control.inspect(timeout=1, destination=[first])

    def queues():
        answer = inspect.active_queues()
        return sorted(each["name"] for each in answer[first]) if answer else None

    own = f"{stage.prefix}.tasks"
    app.control.add_consumer(queue, destination=[first], reply=True, timeout=5, limit=1)
    broker.wait_until(lambda: queues() == sorted([own, queue]), "the worker to consume both queues")
    result = celery_app.context.apply_async(queue=queue)
    broker.same(result.get(timeout=broker.WAIT_SECONDS)["routing_key"], queue, "queue of a task")
    app.control.cancel_consumer(queue, destination=[first], reply=True, timeout=5, limit=1)
    broker.wait_until(lambda: queues() == [own], "the worker to leave the queue")


def watched(app, names):
    """Task events come over a topic exchange, from both workers in turn."""
    seen, ready = [], threading.Event()
    connection = app.connection()
    receiver = app.events.Receiver(
        connection, handlers={"task-received": seen.append, "task-succeeded": seen.append}
    )
    receiver.on_consume_ready = lambda *_, **__: ready.set()
    thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
    thread.start()
    broker.holds(ready.wait(broker.WAIT_SECONDS), "the receiver is ready")

    def by_task():
        return {(event["uuid"], event["type"], event["hostname"]) for event in list(seen)}

    ids = []

    def enough():
        # Tasks go to whoever is free: go on until both have had one.
        task = celery_app.add.delay(1, 2)
        task.get(timeout=broker.WAIT_SECONDS)
        ids.append(task.id)
        return {host for _, _, host in by_task()} == set(names)

    broker.wait_until(enough, "events from both workers")
    broker.wait_until(
        lambda: (
            {(uuid, kind) for uuid, kind, _ in by_task()}
            >= {(uuid, kind) for uuid in ids for kind in ("task-received", "task-succeeded")}
        ),
        "two events a task",
    )
    receiver.should_stop = True
    thread.join(broker.WAIT_SECONDS)
    broker.holds(not thread.is_alive(), "the receiver stops")
    connection.close()


def shut_down(app, workers):
    """A broadcast ends them."""
    app.control.shutdown()
    for worker in workers:
        broker.wait_until(lambda worker=worker: worker.process.poll() is not None, f"{worker.name} to end")
        broker.same(worker.process.returncode, 0, "exit code")
    broker.same(app.control.ping(timeout=0.5), [], "pings after the shutdown")


if __name__ == "__main__":
    broker.run(main)
