"""Limits of a virtual host and of a user with pika and the HTTP API: connections, channels and queues."""

import base64
import contextlib
import json
import os
import urllib.parse
import urllib.request

import pika

import broker

PORT = os.environ.get("MANAGEMENT_PORT", "15672")


def ask(method, *path, **fields):
    """Has the HTTP API do something."""
    path = "/".join(urllib.parse.quote(part, safe="") for part in path)
    body = json.dumps(fields).encode() if fields or method == "PUT" else None
    request = urllib.request.Request(f"http://{broker.HOST}:{PORT}/api/{path}", data=body, method=method)
    login = base64.b64encode(f"{broker.USER}:{broker.PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {login}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=broker.WAIT_SECONDS) as answer:
        broker.holds(answer.status in (201, 204), f"{method} {path}: {answer.status}")


@contextlib.contextmanager
def not_allowed(text):
    """The body must end with the broker closing the connection, as not allowed."""
    try:
        yield
    # The first is what pika makes of a connection that is closed before it is open.
    except (pika.exceptions.ProbableAccessDeniedError, pika.exceptions.ConnectionClosedByBroker) as error:
        broker.holds("(530" in str(error), f"530 in {error}")
        broker.holds(f"NOT_ALLOWED - {text}" in str(error), f"{text!r} in {error}")
    else:
        raise broker.Mismatch(f"connection stayed open, want {text}")


def main(stage):
    """Each limit lets in as many as it says, and what has ended makes room."""
    vhost, user = stage.name("vhost"), stage.name("user")

    def connect():
        credentials = pika.PlainCredentials(user, "p")
        return stage.connect(virtual_host=vhost, credentials=credentials)

    def connects():
        try:
            return connect()
        except pika.exceptions.ProbableAccessDeniedError:
            return None

    ask("PUT", "vhosts", vhost)
    ask("PUT", "users", user, password="p", tags="")
    ask("PUT", "permissions", vhost, user, configure=".*", write=".*", read=".*")
    try:
        connections(user, vhost, connect, connects)
        channels(user, connect)
        queues(vhost, connect)
    finally:
        ask("DELETE", "vhosts", vhost)
        ask("DELETE", "users", user)


def connections(user, vhost, connect, connects):
    """Two at a time, of the user and then of the virtual host."""
    full = f"connection refused for user '{user}': user connection limit (2) is reached"
    ask("PUT", "user-limits", user, "max-connections", value=2)
    first, second = connect(), connect()
    with not_allowed(full):
        connect()
    first.close()
    third = broker.wait_until(connects, "a place of one that has closed")
    ask("DELETE", "user-limits", user, "max-connections")

    full = f"access to vhost '{vhost}' refused for user '{user}': connection limit (2) is reached"
    ask("PUT", "vhost-limits", vhost, "max-connections", value=2)
    with not_allowed(full):
        connect()
    # What is open stays so, even without any.
    ask("PUT", "vhost-limits", vhost, "max-connections", value=0)
    for connection in (second, third):
        connection.channel().close()
        connection.close()
    ask("PUT", "vhost-limits", vhost, "max-connections", value=-1)


def channels(user, connect):
    """Three at a time, on two connections."""
    ask("PUT", "user-limits", user, "max-channels", value=3)
    first, second = connect(), connect()
    channel = first.channel()
    first.channel()
    second.channel()
    channel.close()
    broker.wait_until(second.channel, "a channel")
    with not_allowed("number of channels opened for user '"):
        second.channel()
    broker.holds(first.channel(), "channels of a connection that was closed are free")
    first.close()
    ask("DELETE", "user-limits", user, "max-channels")


def queues(vhost, connect):
    """Two of them, whatever they are."""
    ask("PUT", "vhost-limits", vhost, "max-queues", value=2)
    connection = connect()
    channel = connection.channel()
    channel.queue_declare("a", durable=True)
    own = channel.queue_declare("", exclusive=True).method.queue
    text = f"PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost '{vhost}' (2) is reached"
    with broker.channel_error(406, text):
        channel.queue_declare("b")
    channel = connection.channel()
    channel.queue_declare("a", durable=True)
    channel.queue_delete(own)
    channel.queue_declare("b")
    connection.close()


if __name__ == "__main__":
    broker.run(main)
