"""oslo.messaging: calls and casts to endpoints, by topic, by server, and to all servers by fanout."""

import threading

import oslo_messaging

import broker
import openstack


class Arithmetic:
    """Version 1.5 of the endpoint without a namespace."""

    target = oslo_messaging.Target(version="1.5")

    def __init__(self, server, log):
        self.server, self.log = server, log

    def add(self, context, a, b):
        return {"server": self.server, "sum": a + b, "user": context.get("user")}

    def echo(self, context, value):
        return value

    def note(self, context, text):
        self.log.append((self.server, text))


class Names:
    """An endpoint in a namespace."""

    target = oslo_messaging.Target(namespace="names", version="2.0")

    def __init__(self, server):
        self.server = server

    def who(self, context):
        return self.server


def main(stage):
    conf = openstack.configuration(stage)
    # A client and its servers are different processes as a rule: each has its own transport.
    server_transport, client_transport = (openstack.transport(conf) for _ in range(2))
    topic, log = stage.name("compute"), []
    servers = [
        oslo_messaging.get_rpc_server(
            server_transport,
            oslo_messaging.Target(topic=topic, server=name),
            [Arithmetic(name, log), Names(name)],
            executor="threading",
        )
        for name in ("one", "two", "three")
    ]
    with openstack.serving(*servers):
        client = oslo_messaging.get_rpc_client(
            client_transport,
            oslo_messaging.Target(topic=topic, version="1.0"),
            timeout=openstack.CALL_SECONDS,
        )
        calls(client)
        casts(client, log)
        at_once(client)
    client_transport.cleanup()
    server_transport.cleanup()


def calls(client):
    # To the topic: some server answers, and each gets its turn.
    answers = [client.call({"user": "alice"}, "add", a=number, b=2) for number in range(9)]
    broker.same([answer["sum"] for answer in answers], [number + 2 for number in range(9)], "sums")
    broker.same({answer["user"] for answer in answers}, {"alice"}, "context")
    broker.same({answer["server"] for answer in answers}, {"one", "two", "three"}, "servers that answered")
    # To one server.
    for name in ("two", "three"):
        broker.same(client.prepare(server=name).call({}, "add", a=1, b=1)["server"], name, "server")
    # To an endpoint in a namespace.
    broker.same(
        client.prepare(namespace="names", version="2.0", server="one").call({}, "who"), "one", "by namespace"
    )
    for value in (None, True, 0, 1.5, "Grüße", [1, [2]], {"a": {"b": None}}, "x" * 300_000):
        broker.same(client.call({}, "echo", value=value), value, "value that comes back")


def casts(client, log):
    # To the topic: one server.
    client.cast({}, "note", text="any")
    broker.wait_until(lambda: len(log) == 1, "the cast to arrive")
    broker.same(log[0][1], "any", "text")
    client.prepare(server="two").cast({}, "note", text="two")
    broker.wait_until(lambda: len(log) == 2, "the cast to a server to arrive")
    broker.same(log[1], ("two", "two"), "cast to a server")
    # To all of them.
    for number in range(3):
        client.prepare(fanout=True).cast({}, "note", text=f"all {number}")
    broker.wait_until(lambda: len(log) == 11, "the casts to all servers to arrive")
    want = sorted((name, f"all {number}") for name in ("one", "two", "three") for number in range(3))
    # A call to each server comes behind the casts: none arrives twice.
    for name in ("one", "two", "three"):
        client.prepare(server=name).call({}, "echo", value=1)
    broker.same(sorted(log[2:]), want, "casts to all")


def at_once(client):
    """Calls from many threads share one reply queue; each finds its own answer."""
    answers = {}

    def call(number):
        answers[number] = client.call({}, "add", a=number, b=1000)["sum"]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(broker.WAIT_SECONDS)
    broker.same(answers, {number: number + 1000 for number in range(20)}, "answers to calls at once")


if __name__ == "__main__":
    broker.run(main)
