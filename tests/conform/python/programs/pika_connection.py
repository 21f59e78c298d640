"""What a connection says about itself: capabilities, limits, refusals; and channels that fail alone.

A client that announces `connection.blocked` and listens for it is not disturbed by it while
the broker has memory and disk.
"""

import pika

import broker


def capabilities(stage):
    connection = stage.connect(
        client_properties={
            "connection_name": stage.name("client"),
            "product": "conform",
            "nested": {"list": [1, "two", None, True]},
        }
    )
    for name in (
        "basic_nack_supported",
        "consumer_cancel_notify_supported",
        "exchange_exchange_bindings_supported",
        "publisher_confirms_supported",
    ):
        broker.same(getattr(connection, name), True, name)
    properties = connection._impl.server_properties
    broker.holds(
        {"product", "version", "platform", "capabilities", "cluster_name"} <= set(properties),
        f"server properties: {sorted(properties)}",
    )
    wanted = {
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    }
    said = {name for name, value in properties["capabilities"].items() if value is True}
    broker.same(wanted - said, set(), "capabilities that are missing")


def tuning(stage):
    """The client may ask for less than the server offers."""
    parameters = stage.connect()._impl.params
    broker.same((parameters.channel_max, parameters.frame_max), (2047, 131072), "what the server offers")
    connection = stage.connect(channel_max=3, frame_max=4096, heartbeat=7)
    for _ in range(3):
        connection.channel().queue_declare("", exclusive=True)
    # 20 KB in frames of 4 KB.
    channel = stage.channel(frame_max=4096)
    queue = channel.queue_declare("", exclusive=True).method.queue
    body = bytes(range(256)) * 80
    channel.basic_publish("", queue, body)
    broker.wait_until(lambda: channel.queue_declare(queue, passive=True).method.message_count, "the message")
    broker.same(channel.basic_get(queue)[2], body, "body in small frames")


def blocked_listener(stage):
    connection = stage.connect(blocked_connection_timeout=1)
    events = []
    connection.add_on_connection_blocked_callback(lambda _c, frame: events.append(frame.method.reason))
    connection.add_on_connection_unblocked_callback(lambda _c, frame: events.append("unblocked"))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    inbox = broker.Inbox(channel)
    channel.basic_consume(queue, inbox, auto_ack=True)
    for _ in range(200):
        channel.basic_publish("", queue, b"x" * 1000)
    inbox.wait(200)
    broker.same(events, [], "blocked events")


def refused(stage):
    """Wrong password, no such vhost."""
    wrong = pika.PlainCredentials(broker.USER, f"{broker.PASSWORD}-wrong")
    try:
        stage.connect(credentials=wrong)
    except pika.exceptions.ProbableAuthenticationError as error:
        broker.holds(
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
            "For details see the broker logfile." in str(error),
            f"refusal says {error}",
        )
    else:
        raise broker.Mismatch("a wrong password was accepted")
    try:
        stage.connect(virtual_host=stage.name("vhost"))
    except pika.exceptions.ProbableAccessDeniedError as error:
        broker.holds(
            f"(530) 'NOT_ALLOWED - vhost {stage.name('vhost')} not found'" in str(error),
            f"refusal says {error}",
        )
    else:
        raise broker.Mismatch("a vhost that does not exist was opened")


def errors_stay_in_their_channel(stage):
    connection = stage.connect()
    good, queue = connection.channel(), stage.queue("declared")
    inbox = broker.Inbox(good)
    good.queue_declare(queue, arguments={"x-max-length": 5})
    good.basic_consume(queue, inbox, auto_ack=True)
    where = f"in vhost '{broker.VHOST}'"
    inequivalent = f"PRECONDITION_FAILED - inequivalent arg '%s' for queue '{queue}' {where}: "
    refusals = [
        (
            404,
            f"NOT_FOUND - no queue '{queue}.none' {where}",
            lambda c: c.queue_declare(f"{queue}.none", passive=True),
        ),
        (
            404,
            f"NOT_FOUND - no exchange '{queue}.none' {where}",
            lambda c: c.exchange_declare(f"{queue}.none", passive=True),
        ),
        (
            404,
            f"NOT_FOUND - no exchange '{queue}.none' {where}",
            lambda c: c.queue_bind(queue, f"{queue}.none"),
        ),
        (
            404,
            f"NOT_FOUND - no queue '{queue}.none' {where}",
            lambda c: c.basic_consume(f"{queue}.none", print),
        ),
        (
            406,
            inequivalent % "auto_delete" + "received 'true' but current is 'false'",
            lambda c: c.queue_declare(queue, auto_delete=True, arguments={"x-max-length": 5}),
        ),
        (
            406,
            inequivalent % "x-max-length" + "received '6' but current is '5'",
            lambda c: c.queue_declare(queue, arguments={"x-max-length": 6}),
        ),
        (
            406,
            f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' {where}: "
            "received 'fanout' but current is 'direct'",
            lambda c: c.exchange_declare("amq.direct", "fanout", durable=True),
        ),
        (
            406,
            "PRECONDITION_FAILED - unknown exchange type 'x-nope'",
            lambda c: c.exchange_declare(stage.exchange("odd"), "x-nope"),
        ),
        (
            403,
            f"ACCESS_REFUSED - queue name 'amq.{stage.prefix}' contains reserved prefix 'amq.*'",
            lambda c: c.queue_declare(f"amq.{stage.prefix}"),
        ),
        (
            403,
            f"ACCESS_REFUSED - exchange name 'amq.{stage.prefix}' contains reserved prefix 'amq.*'",
            lambda c: c.exchange_declare(f"amq.{stage.prefix}"),
        ),
        (
            403,
            "ACCESS_REFUSED - operation not permitted on the default exchange",
            lambda c: c.queue_bind(queue, "", "key"),
        ),
    ]
    for code, text, operation in refusals:
        with broker.channel_error(code, text):
            operation(connection.channel())
    good.basic_publish("", queue, b"unharmed")
    broker.same(inbox.wait(1)[0][2], b"unharmed", "body on the channel that did no wrong")
    # A number may be used again after its channel has been closed, by either side.
    number = good.channel_number
    good.close()
    connection.channel(number).queue_declare(queue, passive=True)


def many_channels(stage):
    """200 channels, each with its own queue and its own delivery tags."""
    connection = stage.connect()
    inboxes = []
    for number in range(200):
        channel = connection.channel()
        inbox = broker.Inbox(channel)
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_consume(queue, inbox, auto_ack=True)
        channel.basic_publish("", queue, str(number).encode())
        inboxes.append(inbox)
    for number, inbox in enumerate(inboxes):
        ((method, _, body),) = inbox.wait(1)
        broker.same((body, method.delivery_tag), (str(number).encode(), 1), "message of a channel")


def main(stage):
    capabilities(stage)
    tuning(stage)
    blocked_listener(stage)
    refused(stage)
    errors_stay_in_their_channel(stage)
    many_channels(stage)


if __name__ == "__main__":
    broker.run(main)
