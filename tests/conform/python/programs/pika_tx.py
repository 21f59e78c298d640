"""Transactions: publishes and acks that count from the commit on, or not at all."""

import broker


def main(stage):
    channel, observer = stage.channel(), stage.channel()
    queue = stage.queue("tx")
    channel.queue_declare(queue)

    def ready():
        return observer.queue_declare(queue, passive=True).method.message_count

    channel.tx_select()
    channel.tx_select()  # again is no error
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", queue, body)
    # The channel itself has asked after the publishes: they have been seen, and wait.
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 0, "before commit")
    broker.same(ready(), 0, "before commit, from outside")
    channel.tx_commit()
    broker.same(ready(), 3, "after commit")

    channel.basic_publish("", queue, b"never")
    channel.tx_rollback()
    channel.tx_commit()
    broker.same(ready(), 3, "after rollback")

    # Acks: rolled back they leave the message in the consumer's hand, to be acked again.
    tags = [channel.basic_get(queue)[0].delivery_tag for _ in range(3)]
    channel.basic_ack(tags[0])
    channel.tx_rollback()
    channel.basic_ack(tags[0])
    channel.basic_nack(tags[1], requeue=True)
    channel.basic_reject(tags[2], requeue=False)
    broker.same(ready(), 0, "settled, but not committed")
    channel.tx_commit()
    # RabbitMQ confirms the commit before its queues have taken the acks.
    broker.wait_until(lambda: ready() == 1, "the requeue by the commit")
    method, _, body = channel.basic_get(queue)
    broker.same((body, method.redelivered), (b"2", True), "the requeued message")

    # Publish and ack in one: a channel that closes has not committed either.
    channel.basic_ack(method.delivery_tag)
    channel.basic_publish("", queue, b"never")
    connection = channel.connection
    channel.close()
    broker.wait_until(lambda: ready() == 1, "the uncommitted ack to be undone")
    method, _, body = observer.basic_get(queue, auto_ack=True)
    broker.same((body, method.redelivered), (b"2", True), "what was never acked")
    broker.same(ready(), 0, "what was never published")

    # A mandatory message comes back at the commit, not before.
    channel = connection.channel()
    returned = []
    channel.add_on_return_callback(lambda _c, method, _p, body: returned.append((method.reply_code, body)))
    channel.tx_select()
    channel.basic_publish("", f"{queue}.nobody", b"back", mandatory=True)
    channel.queue_declare(queue, passive=True)
    connection.process_data_events(time_limit=0)
    broker.same(returned, [], "returned before commit")
    channel.tx_commit()
    broker.wait_until(lambda: connection.process_data_events() or returned, "the return")
    broker.same(returned, [(312, b"back")], "returned by commit")

    with broker.channel_error(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode"):
        channel.confirm_delivery()
    channel = connection.channel()
    channel.confirm_delivery()
    with broker.channel_error(406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode"):
        channel.tx_select()
    for end in ("tx_commit", "tx_rollback"):
        with broker.channel_error(406, "PRECONDITION_FAILED - channel is not transactional"):
            getattr(connection.channel(), end)()


if __name__ == "__main__":
    broker.run(main)
