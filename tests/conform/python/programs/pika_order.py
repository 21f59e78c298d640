"""1000 messages keep their order: through a queue, through acks, through a crowd of publishers."""

import threading

import pika

import broker

COUNT = 1000


def numbers(deliveries):
    return [int(body) for _, _, body in deliveries]


def consumed_while_published(stage):
    publisher, consumer = stage.channel(), stage.channel()
    queue = stage.queue("running")
    consumer.queue_declare(queue)
    consumer.basic_qos(prefetch_count=37)
    inbox = broker.Inbox(consumer)

    def ack(channel, method, properties, body):
        inbox(channel, method, properties, body)
        channel.basic_ack(method.delivery_tag)

    consumer.basic_consume(queue, ack)
    for number in range(COUNT):
        publisher.basic_publish("", queue, str(number).encode())
    inbox.wait(COUNT, seconds=30)
    broker.same(numbers(inbox.deliveries), list(range(COUNT)), "order")
    broker.same([method.delivery_tag for method, _, _ in inbox.deliveries], list(range(1, COUNT + 1)), "tags")
    broker.same(len(inbox.settle(queue)), COUNT, "deliveries")


def backlog(stage):
    """Published first, consumed later, half of it given back in between."""
    publisher, consumer = stage.channel(), stage.channel()
    queue = stage.queue("backlog")
    publisher.queue_declare(queue, durable=True)
    publisher.confirm_delivery()
    for number in range(COUNT):
        publisher.basic_publish("", queue, str(number).encode(), pika.BasicProperties(delivery_mode=2))
    inbox = broker.Inbox(consumer)
    consumer.basic_consume(queue, inbox)
    inbox.wait(COUNT, seconds=30)
    broker.same(numbers(inbox.deliveries), list(range(COUNT)), "order of the first delivery")
    # Odd ones are done; the even ones go back and come again in their order.
    for method, _, body in inbox.deliveries:
        if int(body) % 2:
            consumer.basic_ack(method.delivery_tag)
    consumer.basic_recover(requeue=True)
    inbox.wait(COUNT + COUNT // 2, seconds=30)
    broker.same(numbers(inbox.deliveries[COUNT:]), list(range(0, COUNT, 2)), "order of the second delivery")
    broker.same({method.redelivered for method, _, _ in inbox.deliveries[COUNT:]}, {True}, "redelivered")


def crowd(stage):
    """Five publishers at once: the order of each one is kept, nothing is lost, nothing comes twice."""
    consumer = stage.channel()
    queue, exchange = stage.queue("crowd"), stage.exchange("crowd")
    consumer.exchange_declare(exchange, "fanout")
    consumer.queue_declare(queue)
    consumer.queue_bind(queue, exchange)
    inbox = broker.Inbox(consumer)
    consumer.basic_consume(queue, inbox, auto_ack=True)

    def publish(name):
        connection = pika.BlockingConnection(pika.URLParameters(broker.URI))
        channel = connection.channel()
        for number in range(COUNT // 5):
            channel.basic_publish(exchange, name, str(number).encode())
        connection.close()

    threads = [threading.Thread(target=publish, args=(name,)) for name in "abcde"]
    for thread in threads:
        thread.start()
    inbox.wait(COUNT, seconds=30)
    for thread in threads:
        thread.join()
    for name in "abcde":
        own = numbers(delivery for delivery in inbox.deliveries if delivery[0].routing_key == name)
        broker.same(own, list(range(COUNT // 5)), f"order of publisher {name}")
    broker.same(len(inbox.settle(queue)), COUNT, "deliveries")


def main(stage):
    consumed_while_published(stage)
    backlog(stage)
    crowd(stage)


if __name__ == "__main__":
    broker.run(main)
