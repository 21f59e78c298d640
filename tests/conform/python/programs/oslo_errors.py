"""oslo.messaging: exceptions that cross the broker, calls that nobody answers, and unknown methods."""

import threading
import time

import oslo_messaging

import broker
import openstack


class Refused(Exception):
    """What the endpoint is expected to raise."""


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def __init__(self, release):
        self.release = release

    def divide(self, context, a, b):
        return a / b

    @oslo_messaging.expected_exceptions(Refused)
    def refuse(self, context, why):
        raise Refused(why)

    def lookup(self, context, key):
        return {}[key]

    def hang(self, context):
        self.release.wait(broker.WAIT_SECONDS)
        return "late"

    def ping(self, context):
        return "pong"


def raised(kind, operation, *arguments, **settings):
    """What `operation` raises, which must be of `kind`."""
    try:
        answer = operation(*arguments, **settings)
    except kind as error:
        return error
    raise broker.Mismatch(f"got {answer!r}, want {kind.__name__}")


def main(stage):
    conf = openstack.configuration(stage)
    server_transport, topic = openstack.transport(conf), stage.name("errors")
    # This client builds the exceptions of these modules again, all others become RemoteError.
    client_transport = openstack.transport(conf, allowed_remote_exmods=["builtins"])
    release = threading.Event()
    server = oslo_messaging.get_rpc_server(
        server_transport,
        oslo_messaging.Target(topic=topic, server="one"),
        [Endpoint(release)],
        executor="threading",
    )
    client = oslo_messaging.get_rpc_client(
        client_transport, oslo_messaging.Target(topic=topic, version="1.0"), timeout=openstack.CALL_SECONDS
    )
    with openstack.serving(server):
        remote_exceptions(client)
        timeouts(client, release)
    nobody(client)
    client_transport.cleanup()
    server_transport.cleanup()


def remote_exceptions(client):
    error = raised(ZeroDivisionError, client.call, {}, "divide", a=1, b=0)
    broker.holds("division by zero" in str(error), f"error says {error}")
    raised(KeyError, client.call, {}, "lookup", key="missing")
    error = raised(oslo_messaging.RemoteError, client.call, {}, "refuse", why="not today")
    broker.same((error.exc_type, error.value), ("Refused", "not today"), "remote error")
    error = raised(oslo_messaging.RemoteError, client.call, {}, "nonsense")
    broker.same(error.exc_type, "NoSuchMethod", "unknown method")
    error = raised(oslo_messaging.RemoteError, client.prepare(version="9.0").call, {}, "ping")
    broker.same(error.exc_type, "UnsupportedVersion", "unknown version")
    broker.same(client.call({}, "ping"), "pong", "call after the errors")


def timeouts(client, release):
    """A call ends at its time; the answer that comes later disturbs nobody."""
    began = time.monotonic()
    raised(oslo_messaging.MessagingTimeout, client.prepare(timeout=1).call, {}, "hang")
    broker.holds(0.9 < time.monotonic() - began < 5, "the call ended about at its time")
    release.set()
    broker.same(client.call({}, "ping"), "pong", "call after the timeout")
    # The monitor sends a sign of life meanwhile, so that the short limit does not strike.
    release.clear()
    threading.Timer(3, release.set).start()
    answer = client.prepare(call_monitor_timeout=2, timeout=broker.WAIT_SECONDS).call({}, "hang")
    broker.same(answer, "late", "answer of a call that is watched")


def nobody(client):
    """The server is gone: a call waits in vain, a cast is no error."""
    raised(oslo_messaging.MessagingTimeout, client.prepare(timeout=1).call, {}, "ping")
    client.cast({}, "ping")
    raised(oslo_messaging.MessagingTimeout, client.prepare(server="never", timeout=1).call, {}, "ping")
    client.prepare(fanout=True).cast({}, "ping")


if __name__ == "__main__":
    broker.run(main)
