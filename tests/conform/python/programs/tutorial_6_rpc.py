"""The sixth tutorial: calls over queues, by a callback queue and by direct reply-to.

The server computes Fibonacci numbers and answers to `reply_to` with the caller's `correlation_id`.
With direct reply-to there is no callback queue: the caller consumes from the pseudo-queue
`amq.rabbitmq.reply-to` and the server is given a name that leads back to that consumer.
"""

import threading
import uuid

import pika

import broker

REPLY_TO = "amq.rabbitmq.reply-to"


def fibonacci(number):
    a, b = 0, 1
    for _ in range(number):
        a, b = b, a + b
    return a


class Server(threading.Thread):
    """Answers calls until it is stopped; keeps the reply addresses that it saw."""

    def __init__(self, queue):
        super().__init__(daemon=True)
        self.queue = queue
        self.addresses = set()
        self.connection = pika.BlockingConnection(pika.URLParameters(broker.URI))
        self.channel = self.connection.channel()
        self.channel.queue_declare(queue=queue)
        self.channel.basic_qos(prefetch_count=1)
        self.channel.basic_consume(queue, self.on_call)

    def on_call(self, channel, method, properties, body):
        self.addresses.add(properties.reply_to)
        channel.basic_publish(
            "",
            properties.reply_to,
            str(fibonacci(int(body))).encode(),
            pika.BasicProperties(correlation_id=properties.correlation_id),
        )
        channel.basic_ack(method.delivery_tag)

    def run(self):
        self.channel.start_consuming()
        self.connection.close()

    def stop(self):
        self.connection.add_callback_threadsafe(self.channel.stop_consuming)
        self.join(broker.WAIT_SECONDS)


class Client:
    """Calls and waits for the answer with its own correlation id."""

    def __init__(self, channel, queue, callback_queue):
        self.channel, self.queue, self.callback_queue = channel, queue, callback_queue
        self.inbox = broker.Inbox(channel)
        channel.basic_consume(callback_queue, self.inbox, auto_ack=True)

    def ask(self, number):
        """Sends a call; returns its correlation id."""
        call = str(uuid.uuid4())
        self.channel.basic_publish(
            "",
            self.queue,
            str(number).encode(),
            pika.BasicProperties(reply_to=self.callback_queue, correlation_id=call),
        )
        return call

    def answers(self, calls):
        """Waits for the answers to all calls so far; returns those to `calls`."""
        self.inbox.wait(len(calls))
        by_call = {properties.correlation_id: int(body) for _, properties, body in self.inbox.deliveries}
        return [by_call[call] for call in calls]


def by_callback_queue(stage, server):
    channel = stage.channel()
    callback_queue = channel.queue_declare(queue="", exclusive=True).method.queue
    client = Client(channel, server.queue, callback_queue)
    calls = [client.ask(number) for number in (0, 1, 2, 10, 30, 64)]
    broker.same(client.answers(calls), [0, 1, 1, 55, 832040, 10610209857723], "Fibonacci numbers")
    broker.same(server.addresses, {callback_queue}, "reply_to as the server saw it")
    server.addresses.clear()


def by_direct_reply_to(stage, server):
    channel = stage.channel()
    client = Client(channel, server.queue, REPLY_TO)
    calls = [client.ask(number) for number in (7, 30)]
    broker.same(client.answers(calls), [13, 832040], "Fibonacci numbers")
    (address,) = server.addresses
    broker.holds(
        address.startswith(f"{REPLY_TO}.") and len(address) > len(REPLY_TO) + 10,
        f"the server was told to answer to {address!r}",
    )
    method, _, _ = client.inbox.deliveries[0]
    broker.same((method.exchange, method.routing_key), ("", address), "exchange and key of an answer")

    # A server may ask whether its caller still listens.
    asker = stage.channel()
    broker.same(
        asker.queue_declare(address, passive=True).method.queue, address, "passive declare of a caller"
    )
    # Another client on another connection is somebody else.
    other = Client(stage.channel(), server.queue, REPLY_TO)
    call = other.ask(20)
    broker.same(other.answers([call]), [6765], "answer to the other client")
    broker.same(len(server.addresses), 2, "different reply addresses")
    broker.same(len(client.inbox.deliveries), 2, "answers to the first client")

    # The caller goes away: its address leads nowhere.
    channel.connection.close()
    asker.add_on_return_callback(lambda _c, method, _p, _b: returned.append(method.reply_code))
    returned = []
    asker.basic_publish("", address, b"too late", mandatory=True)
    broker.wait_until(lambda: asker.connection.process_data_events() or returned, "the return")
    broker.same(returned, [312], "reply code of the return")


def direct_reply_to_refusals(stage):
    connection = stage.connect()
    with broker.channel_error(406, "PRECONDITION_FAILED - reply consumer cannot acknowledge"):
        connection.channel().basic_consume(REPLY_TO, print, auto_ack=False)
    with broker.channel_error(406, "PRECONDITION_FAILED - fast reply consumer does not exist"):
        channel = connection.channel()
        channel.basic_publish("", "nowhere", b"", pika.BasicProperties(reply_to=REPLY_TO))
        channel.queue_declare("", exclusive=True)
    with broker.channel_error(406, "PRECONDITION_FAILED - reply consumer already set"):
        channel = connection.channel()
        channel.basic_consume(REPLY_TO, print, auto_ack=True)
        channel.basic_consume(REPLY_TO, print, auto_ack=True)
    broker.holds(connection.is_open, "channel errors leave the connection open")


def main(stage):
    server = Server(stage.queue("rpc_queue"))
    server.start()
    by_callback_queue(stage, server)
    by_direct_reply_to(stage, server)
    direct_reply_to_refusals(stage)
    server.stop()


if __name__ == "__main__":
    broker.run(main)
