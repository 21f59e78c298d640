"""The second tutorial: tasks shared between workers, and a worker that is killed with a task in hand.

Durable queue, persistent messages, manual acknowledgement, prefetch 1. A worker is a real process
(this file with `worker QUEUE`); it prints the task that it holds and never acknowledges it.
"""

import subprocess
import sys

import pika

import broker

PERSISTENT = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)


def stuck_worker(queue):
    """Takes one task, says so, and works on it for ever."""
    channel = pika.BlockingConnection(pika.URLParameters(broker.URI)).channel()
    channel.queue_declare(queue=queue, durable=True)
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(
        queue, lambda _c, method, _p, body: print(method.redelivered, body.decode(), flush=True)
    )
    channel.start_consuming()


def shared_fairly(stage):
    """With prefetch 1 a worker that is busy gets nothing: the free one does the rest."""
    queue = stage.queue("fair")
    boss, busy, free = stage.channel(), stage.channel(), stage.channel()
    boss.queue_declare(queue=queue, durable=True)
    boss.confirm_delivery()
    inboxes = {}
    for worker in (busy, free):
        worker.basic_qos(prefetch_count=1)
        inboxes[worker] = broker.Inbox(worker)
        worker.basic_consume(queue, inboxes[worker])

    tasks = [f"task {number}".encode() for number in range(6)]
    for task in tasks:
        boss.basic_publish("", queue, task, PERSISTENT)
    inboxes[busy].wait(1)
    for done in range(1, 6):
        broker.same(len(inboxes[free].settle(queue)), done, "tasks sent to the free worker")
        method, properties, _ = inboxes[free].deliveries[-1]
        broker.same(properties.delivery_mode, 2, "delivery mode")
        free.basic_ack(method.delivery_tag)
        if done < 5:
            inboxes[free].wait(done + 1)
    broker.same(len(inboxes[busy].settle(queue)), 1, "tasks sent to the busy worker")
    broker.same(sorted(inboxes[busy].bodies + inboxes[free].bodies), tasks, "all tasks, once each")

    # It ends its task; nothing is left.
    busy.basic_ack(1)
    busy.connection.close()
    broker.same(boss.queue_declare(queue, passive=True, durable=True).method.message_count, 0, "left")


def round_robin(stage):
    """Without prefetch the queue deals the tasks out in turn, whether they are done or not."""
    queue = stage.queue("turns")
    boss, workers = stage.channel(), [stage.channel(), stage.channel()]
    boss.queue_declare(queue=queue, durable=True)
    inboxes = [broker.Inbox(worker) for worker in workers]
    for worker, inbox in zip(workers, inboxes):
        worker.basic_consume(queue, inbox)
    for number in range(8):
        boss.basic_publish("", queue, str(number).encode(), PERSISTENT)
    for inbox in inboxes:
        inbox.wait(4)
        # Tasks come in order, every second one to each.
        numbers = [int(body) for body in inbox.bodies]
        broker.same(numbers, list(range(numbers[0], 8, 2)), "tasks of one worker")
        inbox.channel.basic_ack(inbox.deliveries[-1][0].delivery_tag, multiple=True)


def killed_worker(stage):
    """A worker dies (kill -9) with a task in hand: another one gets it, marked as redelivered."""
    queue = stage.queue("tasks")
    boss = stage.channel()
    boss.queue_declare(queue=queue, durable=True)
    # Only what is confirmed is sure to be counted: RabbitMQ lets a declare overtake a publish.
    boss.confirm_delivery()
    process = subprocess.Popen([sys.executable, __file__, "worker", queue], stdout=subprocess.PIPE, text=True)
    try:
        boss.basic_publish("", queue, b"long task", PERSISTENT)
        broker.same(process.stdout.readline(), "False long task\n", "what the worker says")
        # Prefetch 1: this one waits in the queue, behind the one in hand.
        boss.basic_publish("", queue, b"next task", PERSISTENT)
        counts = boss.queue_declare(queue=queue, durable=True).method
        broker.same((counts.message_count, counts.consumer_count), (1, 1), "ready, consumers")
    finally:
        process.kill()
        process.wait()

    heir = stage.channel()
    inbox = broker.Inbox(heir)
    broker.wait_until(
        lambda: boss.queue_declare(queue=queue, durable=True).method.message_count == 2,
        "the dead worker's task to be back in the queue",
    )
    heir.basic_consume(queue, inbox)
    told = [(body, method.redelivered) for method, _, body in inbox.wait(2)]
    broker.same(told, [(b"long task", True), (b"next task", False)], "tasks in order")
    heir.basic_ack(2, multiple=True)
    broker.same(len(inbox.settle(queue)), 2, "tasks in all")
    heir.connection.close()
    broker.same(boss.queue_declare(queue=queue, durable=True).method.message_count, 0, "left")


def durable_is_part_of_the_name(stage):
    """A queue that exists as durable cannot be declared again as transient."""
    queue = stage.queue("task_queue")
    channel = stage.channel()
    channel.queue_declare(queue=queue, durable=True)
    with broker.channel_error(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{queue}' "
        f"in vhost '{broker.VHOST}': received 'false' but current is 'true'",
    ):
        channel.queue_declare(queue=queue, durable=False)
    # The error closes the channel and nothing else.
    channel.connection.channel().queue_declare(queue=queue, durable=True)


def main(stage):
    shared_fairly(stage)
    round_robin(stage)
    killed_worker(stage)
    durable_is_part_of_the_name(stage)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        stuck_worker(sys.argv[2])
    else:
        broker.run(main)
