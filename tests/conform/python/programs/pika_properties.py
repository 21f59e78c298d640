"""Every property and every field type comes back as it was sent, and none that was not.

pika writes headers of the types S x t I l D T F A V; py-amqp adds its own choice (it writes
floats, which pika cannot), and reads what pika wrote.
"""

import datetime
import decimal

import amqp
import pika

import broker

HEADERS = {
    "string": "Grüße, 世界",
    "empty": "",
    "octets": b"\x00\xff\x80 octets",
    "true": True,
    "false": False,
    "small": 0,
    "negative": -7,
    "int": 2**31 - 1,
    "lowest int": -(2**31),
    "long": 2**40,
    "lowest long": -(2**63),
    "highest long": 2**63 - 1,
    "decimal": decimal.Decimal("3.14"),
    "time": datetime.datetime(2024, 2, 29, 23, 59, 59, tzinfo=datetime.timezone.utc),
    "void": None,
    "array": [1, "two", [3, [4]], {"five": 6}, None, True],
    "empty array": [],
    "table": {"a": {"b": {"c": {"d": "deep"}}}, "list": [{"x": 1}, {"y": [2]}]},
    "empty table": {},
    "k" * 127: "a long name",
    "long string": "x" * 40_000,
}
EVERYTHING = {
    "content_type": "application/json; charset=utf-8",
    "content_encoding": "gzip",
    "headers": HEADERS,
    "delivery_mode": 2,
    "priority": 9,
    "correlation_id": "c" * 255,
    "reply_to": "some.queue",
    "expiration": "600000",
    "message_id": "id-1",
    "timestamp": 1_700_000_000,
    "type": "order.placed",
    "user_id": broker.USER,
    "app_id": "conform",
    "cluster_id": "deprecated, but carried",
}
NAMES = list(EVERYTHING)


def as_dict(properties):
    return {name: getattr(properties, name) for name in NAMES if getattr(properties, name) is not None}


def round_trip(channel, queue, given):
    channel.basic_publish("", queue, b"body", pika.BasicProperties(**given))
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    broker.holds(method is not None, "message arrived")
    broker.same(body, b"body", "body")
    got = as_dict(properties)
    broker.same(sorted(got), sorted(given), "properties present")
    for name, value in given.items():
        if name == "headers":
            # RabbitMQ 4 hands headers out sorted by name: their order is not promised.
            broker.same(sorted(got[name]), sorted(value), "names of headers")
            for header, content in value.items():
                same_value(got[name][header], content, f"header {header[:20]}")
        else:
            same_value(got[name], value, name)


def same_value(got, want, what):
    """Equal, and of the same Python type: True is not 1. (pika reads 64 bits into an int of its own.)"""
    kind = int if isinstance(got, int) and not isinstance(got, bool) else type(got)
    broker.same((kind, got), (type(want), want), what)


def with_pika(stage):
    channel = stage.channel()
    queue = stage.queue("pika")
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    round_trip(channel, queue, EVERYTHING)
    round_trip(channel, queue, {})
    for name in NAMES:
        round_trip(channel, queue, {name: EVERYTHING[name]})
    for name in ("content_type", "correlation_id", "message_id", "app_id", "type", "reply_to"):
        round_trip(channel, queue, {name: ""})
    for given in (
        {"headers": {}},
        {"delivery_mode": 1},
        {"priority": 0},
        {"priority": 255},
        {"timestamp": 0},
        {"timestamp": 2**63},
    ):
        round_trip(channel, queue, given)
    # The consumer's copy is the same.
    channel.basic_publish("", queue, b"", pika.BasicProperties(**EVERYTHING))
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox, auto_ack=True)
    ((_, properties, _),) = inbox.wait(1)
    broker.same(as_dict(properties), EVERYTHING, "properties consumed")


def refused(stage):
    connection = stage.connect()
    for given, text in (
        ({"user_id": "other"}, f"user_id property set to 'other' but authenticated user was '{broker.USER}'"),
        ({"expiration": "abc"}, "invalid expiration 'abc': no_integer"),
        ({"expiration": "-1"}, "invalid expiration '-1': {value_negative,-1}"),
        ({"expiration": "1.5"}, "invalid expiration '1.5': {leftover_string,\".5\"}"),
    ):
        channel = connection.channel()
        channel.confirm_delivery()
        with broker.channel_error(406, f"PRECONDITION_FAILED - {text}"):
            channel.basic_publish("", stage.name("nowhere"), b"", pika.BasicProperties(**given))


def with_py_amqp(stage):
    """Another client's encoding, read by itself and by pika."""
    headers = {
        "float": 0.1,
        "negative": -1.5,
        "int": 5,
        "big": 2**35,
        "text": "Grüße",
        "flag": True,
        "nested": {"list": [1, 2.5, "x"]},
        "none": None,
        "decimal": decimal.Decimal("12.50"),
    }
    with amqp.Connection(
        f"{broker.HOST}:{broker.PORT}",
        broker.USER,
        broker.PASSWORD,
        virtual_host=broker.VHOST,
        confirm_publish=True,
    ) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).queue
        channel.basic_publish(
            amqp.Message(
                "body",
                application_headers=headers,
                content_type="text/plain",
                priority=3,
                timestamp=1_700_000_000,
            ),
            routing_key=queue,
        )
        message = channel.basic_get(queue, no_ack=True)
        broker.same(message.body, "body", "body")
        broker.same(message.headers, headers, "headers")
        broker.same(
            (message.properties["content_type"], message.properties["priority"]),
            ("text/plain", 3),
            "properties",
        )
        broker.same(
            sorted(message.properties),
            ["application_headers", "content_encoding", "content_type", "priority", "timestamp"],
            "properties present",
        )
        # A message of pika, read by py-amqp.
        sender = stage.channel()
        sender.confirm_delivery()
        sender.basic_publish("", queue, b"body", pika.BasicProperties(**EVERYTHING))
        message = channel.basic_get(queue, no_ack=True)
        broker.same(sorted(message.headers), sorted(HEADERS), "names of headers")
        for name in ("table", "array", "long", "negative", "true", "void", "string", "long string"):
            same_value(message.headers[name], HEADERS[name], name)
        for name in ("correlation_id", "reply_to", "expiration", "user_id", "cluster_id", "type"):
            broker.same(message.properties[name], EVERYTHING[name], name)


def main(stage):
    with_pika(stage)
    refused(stage)
    with_py_amqp(stage)


if __name__ == "__main__":
    broker.run(main)
