"""basic.get: one message at a time, with what is left behind it; and what happens to the unacked."""

import broker


def main(stage):
    channel = stage.channel()
    queue = stage.queue("fetched")
    channel.queue_declare(queue)
    broker.same(channel.basic_get(queue), (None, None, None), "get from an empty queue")
    channel.confirm_delivery()
    for number in range(4):
        channel.basic_publish("", queue, str(number).encode())

    for number in range(3):
        method, _, body = channel.basic_get(queue)
        broker.same((body, method.message_count), (str(number).encode(), 3 - number), "body, messages left")
        broker.same((method.delivery_tag, method.redelivered), (number + 1, False), "tag, redelivered")
        broker.same((method.exchange, method.routing_key), ("", queue), "address")
    # Unacked messages are not counted as ready.
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 1, "ready")
    channel.basic_ack(2)  # keeps 1 and 3
    channel.basic_reject(3, requeue=False)  # drops 3

    # The channel closes: 1 comes back, to its old place in front of 3.
    connection = channel.connection
    channel.close()
    channel = connection.channel()
    got = [channel.basic_get(queue, auto_ack=True) for _ in range(3)]
    told = [(body, method and method.redelivered, method and method.message_count) for method, _, body in got]
    broker.same(told, [(b"0", True, 1), (b"3", False, 0), (None, None, None)], "after the channel closed")

    # With auto_ack there is nothing to acknowledge.
    with broker.channel_error(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        channel.basic_ack(1)
        channel.queue_declare(queue, passive=True)
    channel = connection.channel()
    with broker.channel_error(404, f"NOT_FOUND - no queue '{queue}.none' in vhost '{broker.VHOST}'"):
        channel.basic_get(f"{queue}.none")

    # Purge says how many it took, and leaves the unacked alone.
    channel = connection.channel()
    channel.confirm_delivery()
    for number in range(5):
        channel.basic_publish("", queue, str(number).encode())
    channel.basic_get(queue)
    broker.same(channel.queue_purge(queue).method.message_count, 4, "purged")
    channel.basic_nack(1, requeue=True)
    broker.same(channel.queue_delete(queue).method.message_count, 1, "deleted with the queue")


if __name__ == "__main__":
    broker.run(main)
