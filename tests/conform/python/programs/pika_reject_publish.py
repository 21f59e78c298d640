"""Publisher confirms with pika and a full queue: a publish that it refuses is nacked."""

import pika

import broker


def main(stage):
    """A full queue with `reject-publish` nacks; once there is room it acks again."""
    channel = stage.channel()
    queue = stage.queue("full")
    channel.queue_declare(queue, durable=True, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    for body in (b"1", b"2"):
        channel.basic_publish("", queue, body, mandatory=True)
    for mandatory in (True, False):
        try:
            channel.basic_publish("", queue, b"3", mandatory=mandatory)
        except pika.exceptions.NackError as error:
            broker.same(len(error.messages), 0, "messages returned with the nack")
        else:
            raise broker.Mismatch("a full queue took a message")
    broker.same(channel.basic_get(queue, auto_ack=True)[2], b"1", "oldest message")
    channel.basic_publish("", queue, b"4", mandatory=True)
    broker.same(
        [channel.basic_get(queue, auto_ack=True)[2] for _ in range(3)], [b"2", b"4", None], "what is left"
    )


if __name__ == "__main__":
    broker.run(main)
