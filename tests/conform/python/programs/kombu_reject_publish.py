"""kombu: with `confirm_publish` a publish that a full queue refuses raises `MessageNacked`."""

import amqp
import kombu

import broker


def main(stage):
    with kombu.Connection(broker.URI, transport_options={"confirm_publish": True}) as connection:
        channel = connection.channel()
        queue = kombu.Queue(
            stage.name("full"),
            channel=channel,
            queue_arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
        )
        queue.declare()
        producer = kombu.Producer(channel)
        producer.publish("first", routing_key=queue.name)
        try:
            producer.publish("second", routing_key=queue.name)
        except amqp.exceptions.MessageNacked:
            pass
        else:
            raise broker.Mismatch("a full queue took a message")
        broker.same(queue.queue_declare(passive=True).message_count, 1, "messages in the queue")


if __name__ == "__main__":
    broker.run(main)
