"""The first tutorial: one message through a named queue and the default exchange."""

import broker


def main(stage):
    queue = stage.queue("hello")

    sender = stage.channel()
    sender.queue_declare(queue=queue)
    sender.basic_publish(exchange="", routing_key=queue, body=b"Hello World!")
    sender.connection.close()

    # The receiver declares too: it may be the first to start.
    receiver = stage.channel()
    declared = receiver.queue_declare(queue=queue)
    broker.same(declared.method.queue, queue, "name in declare-ok")

    inbox = broker.Inbox(receiver)
    receiver.basic_consume(queue=queue, auto_ack=True, on_message_callback=inbox)
    ((method, properties, body),) = inbox.wait(1)
    broker.same(body, b"Hello World!", "body")
    broker.same(method.exchange, "", "exchange")
    broker.same(method.routing_key, queue, "routing key")
    broker.same(method.delivery_tag, 1, "delivery tag")
    broker.same(method.redelivered, False, "redelivered")
    broker.same(properties.headers, None, "headers")
    broker.same(properties.delivery_mode, None, "delivery mode")

    # Delivered without acknowledgement means gone.
    receiver.connection.close()
    observer = stage.channel()
    broker.wait_until(
        lambda: observer.queue_declare(queue=queue, passive=True).method.consumer_count == 0,
        "the consumer to go",
    )
    again = observer.queue_declare(queue=queue, passive=True)
    broker.same(again.method.message_count, 0, "messages left")


if __name__ == "__main__":
    broker.run(main)
