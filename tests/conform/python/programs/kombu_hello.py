"""kombu: hello by SimpleQueue, with each of its serializers, and get that finds nothing."""

import queue

import kombu

import broker


def main(stage):
    stage.watch_py_amqp()
    # pickle is for those who trust each other: we are both.
    kombu.enable_insecure_serializers()
    with kombu.Connection(broker.URI) as connection:
        connection.connect()
        broker.same(connection.transport.driver_type, "amqp", "transport")
        broker.same(connection.connected, True, "connected")
        with connection.SimpleQueue(stage.name("hello")) as hello:
            hello.put("Hello World!")
            message = hello.get(block=True, timeout=broker.WAIT_SECONDS)
            broker.same(message.payload, "Hello World!", "text")
            message.ack()

            for serializer in ("json", "pickle", "yaml", "msgpack"):
                sent = {"number": 5, "list": [1, "two"], "text": "Grüße"}
                hello.put(sent, serializer=serializer, compression="zlib", priority=3)
                message = hello.get(timeout=broker.WAIT_SECONDS)
                broker.same(message.payload, sent, f"payload by {serializer}")
                broker.same(message.headers, {"compression": "application/x-gzip"}, "headers")
                broker.same(message.properties["priority"], 3, "priority")
                broker.same(message.properties["delivery_mode"], 2, "delivery mode")
                message.ack()

        # Counted while nobody consumes, then taken one by one, the first one twice.
        with connection.SimpleQueue(stage.name("counted")) as counted:
            for number in range(5):
                counted.put({"number": number})
            broker.wait_until(lambda: len(counted) == 5, "five messages to be counted")
            message = counted.get(timeout=broker.WAIT_SECONDS)
            broker.same(message.payload, {"number": 0}, "first")
            message.requeue()
            numbers = []
            for _ in range(5):
                message = counted.get(timeout=broker.WAIT_SECONDS)
                numbers.append(message.payload["number"])
                message.ack()
            broker.same(sorted(numbers), [0, 1, 2, 3, 4], "all five")
            try:
                counted.get(block=False)
            except queue.Empty:
                pass
            else:
                raise broker.Mismatch("a sixth message came")

        # SimpleBuffer: transient, no acknowledgement, nothing kept.
        with connection.SimpleBuffer(stage.name("buffer")) as buffer:
            buffer.put({"hello": "world"})
            message = buffer.get(timeout=broker.WAIT_SECONDS)
            broker.same(message.payload, {"hello": "world"}, "buffered")
            broker.same(message.properties["delivery_mode"], 1, "delivery mode")


if __name__ == "__main__":
    broker.run(main)
