"""oslo.messaging: notifications by priority, listener pools, requeue, and batches."""

import threading

import oslo_messaging

import broker
import openstack

PRIORITIES = ["debug", "info", "warn", "error", "critical"]


class Endpoint:
    """Notes every notification, by the method that is named like its priority."""

    def __init__(self, requeue_first=()):
        self.seen, self.lock, self.requeue = [], threading.Lock(), set(requeue_first)

    def note(self, priority, publisher_id, event_type, payload):
        with self.lock:
            self.seen.append((priority, publisher_id, event_type, payload["number"]))
            if event_type in self.requeue:
                self.requeue.discard(event_type)
                return oslo_messaging.NotificationResult.REQUEUE
        return oslo_messaging.NotificationResult.HANDLED


def _priority(name):
    def method(self, context, publisher_id, event_type, payload, metadata):
        return self.note(name, publisher_id, event_type, payload)

    return method


for _name in ("info", "warn", "error"):
    setattr(Endpoint, _name, _priority(_name))


class OnlyDisk(Endpoint):
    """Wants the events of disks alone."""

    filter_rule = oslo_messaging.NotificationFilter(event_type=r"^disk\.")


def listener(transport, topic, endpoints, **settings):
    return oslo_messaging.get_notification_listener(
        transport, [oslo_messaging.Target(topic=topic)], endpoints, executor="threading", **settings
    )


def main(stage):
    conf = openstack.configuration(stage)
    transport, publishing = (
        openstack.transport(conf, oslo_messaging.get_notification_transport) for _ in range(2)
    )
    by_priority(stage.name, transport, publishing)
    pools(stage.name, transport, publishing)
    kept_and_requeued(stage.name, transport, publishing)
    batches(stage.name, transport, publishing)
    transport.cleanup()
    publishing.cleanup()


def notifier(transport, topic):
    return oslo_messaging.Notifier(
        transport, publisher_id="conform.host", driver="messagingv2", topics=[topic]
    )


def by_priority(name, transport, publishing):
    endpoint, disks = Endpoint(), OnlyDisk()
    speaker = notifier(publishing, name("notices"))
    with openstack.serving(listener(transport, name("notices"), [endpoint, disks])):
        for number, priority in enumerate(("info", "warn", "error", "info")):
            getattr(speaker, priority)(
                {}, f"{'disk' if number % 2 else 'net'}.{priority}", {"number": number}
            )
        broker.wait_until(lambda: len(endpoint.seen) == 4, "four notifications")
        want = [
            ("error", "conform.host", "net.error", 2),
            ("info", "conform.host", "disk.info", 3),
            ("info", "conform.host", "net.info", 0),
            ("warn", "conform.host", "disk.warn", 1),
        ]
        broker.same(sorted(endpoint.seen), want, "notifications")
        broker.wait_until(lambda: len(disks.seen) == 2, "two notifications of disks")
        broker.same(sorted(number for *_, number in disks.seen), [1, 3], "notifications of disks")


def pools(name, transport, publishing):
    """Every pool gets each notification, within a pool one member does; beside them the topic itself."""
    alone, partner, other, plain = (Endpoint() for _ in range(4))
    speaker = notifier(publishing, name("pooled"))
    with openstack.serving(
        listener(transport, name("pooled"), [alone], pool=name("audit")),
        listener(transport, name("pooled"), [partner], pool=name("audit")),
        listener(transport, name("pooled"), [other], pool=name("billing")),
        listener(transport, name("pooled"), [plain]),
    ):
        for number in range(20):
            speaker.info({}, "unit.created", {"number": number})
        for members in ([alone, partner], [other], [plain]):

            def seen(members=members):
                return sorted(number for member in members for *_, number in member.seen)

            broker.wait_until(lambda seen=seen: len(seen()) >= 20, "20 notifications of a pool")
            broker.same(seen(), list(range(20)), "notifications of a pool")
        broker.holds(alone.seen and partner.seen, "both members of the pool have work")


def kept_and_requeued(name, transport, publishing):
    """What is said while nobody listens is kept; what a listener puts back comes again."""
    endpoint = Endpoint(requeue_first={"job.failed"})
    speaker = notifier(publishing, name("kept"))
    with openstack.serving(listener(transport, name("kept"), [Endpoint()])):
        pass  # its queue stays when it goes
    for number, event in enumerate(("job.done", "job.failed", "job.done")):
        speaker.info({}, event, {"number": number})
    with openstack.serving(listener(transport, name("kept"), [endpoint], allow_requeue=True)):
        broker.wait_until(lambda: len(endpoint.seen) == 4, "three notifications, one of them twice")
        broker.same(sorted(number for *_, number in endpoint.seen), [0, 1, 1, 2], "notifications")


class Batches:
    """Takes many notifications in one call."""

    def __init__(self):
        self.sizes, self.numbers = [], []

    def info(self, messages):
        self.sizes.append(len(messages))
        self.numbers.extend(message["payload"]["number"] for message in messages)


def batches(name, transport, publishing):
    endpoint = Batches()
    speaker = notifier(publishing, name("batched"))
    with openstack.serving(
        oslo_messaging.get_batch_notification_listener(
            transport,
            [oslo_messaging.Target(topic=name("batched"))],
            [endpoint],
            executor="threading",
            batch_size=5,
            batch_timeout=1,
        )
    ):
        for number in range(12):
            speaker.info({}, "many", {"number": number})
        broker.wait_until(lambda: len(endpoint.numbers) == 12, "twelve notifications")
    broker.same(sorted(endpoint.numbers), list(range(12)), "notifications")
    broker.holds(max(endpoint.sizes) > 1 and max(endpoint.sizes) <= 5, f"sizes of batches: {endpoint.sizes}")


if __name__ == "__main__":
    broker.run(main)
