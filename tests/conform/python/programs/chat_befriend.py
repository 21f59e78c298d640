"""A chat in which people meet through servers and then talk without them.

    alice --friends (fanout)--> [requests] --one of several servers--> (default) --> [bob's own queue]
    bob   --(default), reply-to of the request-->  [alice's queue for bob]
    alice --(default), mandatory--> [bob's queue for alice],  and back

A request to befriend goes to the fanout exchange `friends`, which has ONE durable queue that all
servers share: one of them takes it and sends it on, through the default exchange, to the queue that
only the other person (and the servers' directory) knows. Who accepts answers to the queue in `reply_to`.
Each friendship has, in each direction, a durable queue with a name that nobody can guess: whoever knows
it may write. It is not exclusive, for it keeps messages while its owner is away; its consumer is.
Who ends a friendship deletes the queue, and the other's next mandatory message comes back: 312.
"""

import json
import threading
import uuid

import pika

import broker

PERSISTENT = {"delivery_mode": 2, "content_type": "application/json"}


class Server(threading.Thread):
    """Takes requests from the shared queue and sends each to the person that it names."""

    def __init__(self, friends, requests, directory):
        super().__init__(daemon=True)
        self.directory, self.handled = directory, []
        self.connection = pika.BlockingConnection(pika.URLParameters(broker.URI))
        self.channel = self.connection.channel()
        self.channel.exchange_declare(friends, "fanout", durable=True)
        # Every server declares the same queue and the same binding: there is one.
        self.channel.queue_declare(requests, durable=True)
        self.channel.queue_bind(requests, friends)
        self.channel.basic_qos(prefetch_count=1)
        self.channel.confirm_delivery()
        self.channel.basic_consume(requests, self.on_request)

    def on_request(self, channel, method, properties, body):
        request = json.loads(body)
        # Sent on as it is: the answer goes to the asker, not to the server.
        channel.basic_publish("", self.directory[request["to"]], body, properties, mandatory=True)
        channel.basic_ack(method.delivery_tag)
        self.handled.append(request["from"])

    def run(self):
        self.channel.start_consuming()
        self.connection.close()

    def stop(self):
        self.connection.add_callback_threadsafe(self.channel.stop_consuming)
        self.join(broker.WAIT_SECONDS)


class Person:
    """Somebody with a queue for requests and one queue for each friend."""

    def __init__(self, stage, name, friends, directory):
        self.stage, self.name, self.friends = stage, name, friends
        self.mine, self.theirs = {}, {}  # by friend: the queue that I read, the queue that I write to
        self.come()
        self.own_queue = self.unguessable()
        directory[name] = self.own_queue
        self.requests = self.read(self.own_queue)

    def come(self):
        self.connection = self.stage.connect()
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def leave(self):
        self.connection.close()

    def unguessable(self):
        """A new durable queue that others may write to when they are told its name."""
        queue = self.stage.queue(uuid.uuid4().hex)
        self.channel.queue_declare(queue, durable=True, exclusive=False)
        return queue

    def read(self, queue):
        """Consumes a queue, alone."""
        inbox = broker.Inbox(self.channel)
        self.channel.basic_consume(queue, inbox, exclusive=True, auto_ack=False)
        return inbox

    def ask(self, friend):
        """Asks to befriend; answers will come to a queue made for this friend."""
        self.mine[friend] = self.unguessable()
        self.answers = self.read(self.mine[friend])
        self.channel.basic_publish(
            self.friends,
            "",
            json.dumps({"from": self.name, "to": friend}).encode(),
            pika.BasicProperties(
                reply_to=self.mine[friend], correlation_id=f"{self.name}+{friend}", **PERSISTENT
            ),
        )

    def accept(self):
        """Waits for a request and answers it with the name of a queue of its own."""
        method, properties, body = self.requests.wait(len(self.theirs) + 1)[-1]
        request = json.loads(body)
        broker.same(request["to"], self.name, "addressee of a request")
        # It came through the default exchange, from a server.
        broker.same((method.exchange, method.routing_key), ("", self.own_queue), "way of a request")
        friend = request["from"]
        self.theirs[friend], self.mine[friend] = properties.reply_to, self.unguessable()
        self.channel.basic_publish(
            "",
            properties.reply_to,
            json.dumps({"write_to": self.mine[friend]}).encode(),
            pika.BasicProperties(correlation_id=properties.correlation_id, **PERSISTENT),
            mandatory=True,
        )
        self.channel.basic_ack(method.delivery_tag)
        return friend

    def accepted(self, friend):
        """Waits for the answer to `ask`."""
        ((method, properties, body),) = self.answers.wait(1)
        broker.same(properties.correlation_id, f"{self.name}+{friend}", "correlation id of the answer")
        self.theirs[friend] = json.loads(body)["write_to"]
        self.channel.basic_ack(method.delivery_tag)

    def say(self, friend, text):
        self.channel.basic_publish(
            "", self.theirs[friend], text.encode(), pika.BasicProperties(**PERSISTENT), mandatory=True
        )

    def unfriend(self, friend):
        self.channel.queue_delete(self.mine.pop(friend))


def texts(inbox, first, count):
    """Waits for `count` messages from `first` on, acks them, returns (text, redelivered)."""
    got = inbox.wait(first + count)[first:]
    inbox.channel.basic_ack(got[-1][0].delivery_tag, multiple=True)
    return [(body.decode(), method.redelivered) for method, _, body in got]


def befriend(alice, bob):
    alice.ask("bob")
    broker.same(bob.accept(), "alice", "who asked")
    alice.accepted("bob")
    broker.same(
        (alice.theirs["bob"], bob.theirs["alice"]), (bob.mine["alice"], alice.mine["bob"]), "queues exchanged"
    )


def talk(alice, bob):
    """Both ways, without a server; and a stranger cannot listen in."""
    to_bob = bob.read(bob.mine["alice"])
    for text in ("hi bob", "how are you?"):
        alice.say("bob", text)
    broker.same(texts(to_bob, 0, 2), [("hi bob", False), ("how are you?", False)], "what bob reads")
    bob.say("alice", "fine!")
    broker.same(texts(alice.answers, 1, 1), [("fine!", False)], "what alice reads")
    with broker.channel_error(
        403, f"ACCESS_REFUSED - queue '{bob.mine['alice']}' in vhost '{broker.VHOST}' in exclusive use"
    ):
        alice.connection.channel().basic_consume(bob.mine["alice"], print)


def away(alice, bob):
    """Bob's queue outlives his connection; what he had not acked comes first, marked as such."""
    last = broker.Inbox(bob.channel)
    bob.channel.basic_cancel(bob.channel.consumer_tags[-1])
    bob.channel.basic_consume(bob.mine["alice"], last, exclusive=True)
    alice.say("bob", "half read")
    last.wait(1)
    bob.leave()
    for number in range(3):
        alice.say("bob", f"while you were away {number}")
    bob.come()
    broker.wait_until(
        lambda: bob.channel.queue_declare(bob.mine["alice"], passive=True).method.message_count == 4,
        "all that was said meanwhile",
    )
    to_bob = bob.read(bob.mine["alice"])
    broker.same(
        texts(to_bob, 0, 4),
        [("half read", True)] + [(f"while you were away {number}", False) for number in range(3)],
        "what bob finds",
    )
    broker.same(len(to_bob.settle(bob.mine["alice"])), 4, "messages in all")


def part(alice, bob):
    """Bob deletes his queue; alice's next message comes back, and she deletes hers."""
    gone = bob.mine["alice"]
    bob.unfriend("alice")
    try:
        alice.say("bob", "are you there?")
    except pika.exceptions.UnroutableError as error:
        (returned,) = error.messages
        broker.same(
            (
                returned.method.reply_code,
                returned.method.reply_text,
                returned.method.exchange,
                returned.method.routing_key,
                returned.body,
            ),
            (312, "NO_ROUTE", "", gone, b"are you there?"),
            "basic.return",
        )
    else:
        raise broker.Mismatch("a message to a friend who left was not returned")
    alice.unfriend("bob")
    # Nobody reads it any more: alice was told that her consumer has ended.
    broker.wait_until(
        lambda: alice.connection.process_data_events() or len(alice.channel.consumer_tags) == 1,
        "the end of alice's consumer",
    )


def many(stage, friends, directory, servers):
    """A crowd of requests: each is handled by exactly one server, and every server has its share."""
    celebrity = Person(stage, "celebrity", friends, directory)
    fans = [f"fan {number}" for number in range(30)]
    before = [len(server.handled) for server in servers]
    for fan in fans:
        celebrity.channel.basic_publish(
            friends,
            "",
            json.dumps({"from": fan, "to": "celebrity"}).encode(),
            pika.BasicProperties(reply_to="nobody", **PERSISTENT),
        )
    celebrity.requests.wait(len(fans))
    broker.wait_until(
        lambda: sum(len(server.handled) for server in servers) == sum(before) + len(fans),
        "all requests to be handled",
    )
    shares = [server.handled[start:] for server, start in zip(servers, before)]
    broker.same(sorted(fan for share in shares for fan in share), sorted(fans), "requests handled, once each")
    broker.holds(all(shares), f"a server had nothing to do: {[len(share) for share in shares]}")
    celebrity.requests.settle(celebrity.own_queue)
    broker.same(
        sorted(json.loads(body)["from"] for body in celebrity.requests.bodies), sorted(fans), "requests"
    )


def main(stage):
    friends, requests, directory = stage.exchange("friends"), stage.queue("requests"), {}
    servers = [Server(friends, requests, directory) for _ in range(3)]
    for server in servers:
        server.start()
    alice, bob = (Person(stage, name, friends, directory) for name in ("alice", "bob"))
    befriend(alice, bob)
    talk(alice, bob)
    away(alice, bob)
    part(alice, bob)
    many(stage, friends, directory, servers)
    # With no server at work a request waits.
    for server in servers:
        server.stop()
    alice.ask("bob")
    late = Server(friends, requests, directory)
    late.start()
    bob.requests = bob.read(bob.own_queue)
    bob.theirs.clear()
    broker.same(bob.accept(), "alice", "who asked while no server was there")
    late.stop()


if __name__ == "__main__":
    broker.run(main)
