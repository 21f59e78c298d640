"""A headers exchange: `x-match` all, any, and their -with-x forms; values compare by type and value."""

import pika

import broker

BINDINGS = {
    "all": {"x-match": "all", "format": "pdf", "pages": 10},
    # No x-match means all.
    "default": {"format": "pdf", "pages": 10},
    "any": {"x-match": "any", "format": "pdf", "pages": 10},
    # Keys that begin with x- are ignored, unless the -with-x form is asked for.
    "all, x ignored": {"x-match": "all", "format": "zip", "x-origin": "mail"},
    "all-with-x": {"x-match": "all-with-x", "format": "zip", "x-origin": "mail"},
    "any, x ignored": {"x-match": "any", "x-origin": "mail"},
    "any-with-x": {"x-match": "any-with-x", "format": "gif", "x-origin": "mail"},
    # A void value asks for the header's presence alone.
    "present": {"x-match": "all", "format": None},
    # Nothing asked: all is true of everything, any of nothing.
    "all of nothing": {"x-match": "all"},
    "any of nothing": {"x-match": "any"},
    "string": {"x-match": "all", "pages": "10"},
    "bool": {"x-match": "all", "signed": True},
    "table": {"x-match": "all", "origin": {"city": "Oslo", "floor": 3}},
}

MESSAGES = [
    # headers, and the bindings that catch them beside "all of nothing", which catches everything
    (None, []),
    ({}, []),
    ({"format": "pdf", "pages": 10}, ["all", "default", "any", "present"]),
    ({"format": "pdf", "pages": 10, "more": 1}, ["all", "default", "any", "present"]),
    ({"format": "pdf"}, ["any", "present"]),
    ({"pages": 10}, ["any"]),
    ({"pages": "10"}, ["string"]),
    ({"pages": 11, "format": "txt"}, ["present"]),
    ({"format": None}, ["present"]),
    ({"Format": "pdf"}, []),
    ({"format": "zip", "x-origin": "mail"}, ["all, x ignored", "all-with-x", "any-with-x", "present"]),
    ({"format": "zip"}, ["all, x ignored", "present"]),
    ({"format": "zip", "x-origin": "web"}, ["all, x ignored", "present"]),
    ({"x-origin": "mail"}, ["any-with-x"]),
    ({"format": "gif"}, ["any-with-x", "present"]),
    ({"signed": True}, ["bool"]),
    ({"signed": False}, []),
    ({"signed": 1}, []),
    ({"origin": {"city": "Oslo", "floor": 3}}, ["table"]),
    ({"origin": {"city": "Oslo", "floor": 4}}, []),
]


def main(stage):
    exchange = stage.exchange("documents")
    channel = stage.channel()
    channel.exchange_declare(exchange, "headers")
    channel.confirm_delivery()
    queues = {}
    for name, arguments in BINDINGS.items():
        queues[name] = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queues[name], exchange, "the key does not matter", arguments)
    for headers, catchers in MESSAGES:
        channel.basic_publish(exchange, "another key", b"", pika.BasicProperties(headers=headers))
        caught = [name for name, queue in queues.items() if channel.basic_get(queue, auto_ack=True)[0]]
        want = [name for name in BINDINGS if name in catchers or name == "all of nothing"]
        broker.same(caught, want, f"bindings that catch {headers}")

    # Unbound by the same arguments only.
    channel.queue_unbind(queues["any"], exchange, "the key does not matter", {"x-match": "any"})
    channel.basic_publish(exchange, "", b"", pika.BasicProperties(headers={"pages": 10}))
    broker.holds(channel.basic_get(queues["any"], auto_ack=True)[0], "another binding was removed")
    channel.queue_unbind(queues["any"], exchange, "the key does not matter", BINDINGS["any"])
    channel.basic_publish(exchange, "", b"", pika.BasicProperties(headers={"pages": 10}))
    broker.same(channel.basic_get(queues["any"], auto_ack=True)[0], None, "caught after unbind")

    # amq.headers and its old name amq.match are there from the start.
    for predeclared in ("amq.headers", "amq.match"):
        queue = channel.queue_declare("", exclusive=True).method.queue
        mark = stage.name(predeclared)
        channel.queue_bind(queue, predeclared, "", {"mark": mark})
        channel.basic_publish(predeclared, "", b"", pika.BasicProperties(headers={"mark": mark}))
        broker.holds(channel.basic_get(queue, auto_ack=True)[0], f"caught by {predeclared}")

    with broker.channel_error(
        406,
        'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; '
        "expected all, any, all-with-x, or any-with-x",
    ):
        channel.queue_bind(queues["all"], exchange, "", {"x-match": "some"})


if __name__ == "__main__":
    broker.run(main)
