"""Aliases, models and triggers with pika and the HTTP API: what operators lay down for names of queues."""

import base64
import json
import os
import urllib.parse
import urllib.request

import broker

PORT = os.environ.get("MANAGEMENT_PORT", "15672")


def parameter(method, component, name, value=None):
    """Sets or deletes a parameter of the virtual host."""
    path = "/".join(urllib.parse.quote(part, safe="") for part in (component, broker.VHOST, name))
    url = f"http://{broker.HOST}:{PORT}/api/parameters/{path}"
    body = None if value is None else json.dumps({"value": value}).encode()
    request = urllib.request.Request(url, data=body, method=method)
    login = base64.b64encode(f"{broker.USER}:{broker.PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {login}")
    with urllib.request.urlopen(request, timeout=broker.WAIT_SECONDS) as answer:
        broker.holds(answer.status in (201, 204), f"{method} {url}: {answer.status}")


def main(stage):
    """A name leads from one queue to another while a publisher goes on, and a model makes them tell."""
    channel = stage.channel()
    first, second, alias = stage.queue("job.1"), stage.queue("job.2"), stage.name("alias")
    model, pattern = stage.name("model"), f"^{stage.prefix}\\.job\\."
    parameter("PUT", "queue-model", model, {"pattern": pattern, "arguments": {"x-trigger-length": 1}})
    events = stage.queue("events")
    channel.queue_declare(events)
    channel.queue_bind(events, "amq.rabbitmq.event", "queue.trigger.high")
    inbox = broker.Inbox(channel)
    channel.basic_consume(events, inbox, auto_ack=True)
    for queue in (first, second):
        channel.queue_declare(queue)
        # It is the same queue without arguments.
        channel.queue_declare(queue)

    parameter("PUT", "queue-alias", alias, {"queue": first})
    channel.basic_publish("", alias, b"1")
    channel.basic_publish("", alias, b"2")
    broker.same(channel.queue_declare(alias, passive=True).method.message_count, 2, "messages by alias")
    parameter("PUT", "queue-alias", alias, {"queue": second})
    channel.basic_publish("", alias, b"3")
    by_alias = broker.Inbox(channel)
    channel.basic_consume(alias, by_alias, auto_ack=True)
    by_alias.wait(1)
    broker.same(by_alias.bodies, [b"3"], "what came by the alias")

    told = [properties.headers for _, properties, _ in inbox.wait(2)]
    broker.same([(event["name"], event["threshold"]) for event in told], [(first, 1), (second, 1)], "events")
    text = f"PRECONDITION_FAILED - queue '{alias}' in vhost '{broker.VHOST}' is an alias of queue '{second}': it "
    with broker.channel_error(406, text + "cannot be declared or deleted"):
        stage.channel().queue_declare(alias)
    parameter("DELETE", "queue-alias", alias)
    parameter("DELETE", "queue-model", model)


if __name__ == "__main__":
    broker.run(main)
