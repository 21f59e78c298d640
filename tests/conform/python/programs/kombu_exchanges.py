"""kombu: publish/subscribe, direct and topic exchanges, each with consumers on one connection."""

import socket

import kombu

import broker


class Listener:
    """Consumes a server-named exclusive queue that is bound to an exchange by some keys."""

    def __init__(self, connection, exchange, keys):
        self.connection, self.got = connection, []
        channel = connection.channel()
        queue = kombu.Queue("", channel=channel, exclusive=True, durable=False)
        queue.declare()
        for key in keys:
            queue.bind_to(exchange=exchange.name, routing_key=key)
        # Not declared again under the name that the server gave: `amq.` is reserved.
        self.consumer = kombu.Consumer(
            channel, queue, callbacks=[self.on_message], no_ack=True, auto_declare=False
        )
        self.consumer.consume()

    def on_message(self, body, message):
        self.got.append((message.delivery_info["routing_key"], body))

    def wait(self, count):
        def enough():
            try:
                self.connection.drain_events(timeout=1)
            except socket.timeout:
                pass
            return len(self.got) >= count

        if len(self.got) < count:
            broker.wait_until(enough, f"{count} messages, {len(self.got)} came", pause=0)
        return self.got


# kind, keys of each listener, keys published, and who gets which
CASES = [
    ("fanout", [["one"], ["two"], [""]], ["a", "b", ""], [["a", "b", ""]] * 3),
    (
        "direct",
        [["info"], ["info", "error"], ["debug"]],
        ["info", "error", "nobody", "info"],
        [["info", "info"], ["info", "error", "info"], []],
    ),
    (
        "topic",
        [["*.critical"], ["kern.#"], ["#"]],
        ["kern.critical", "kern", "cron.critical", "kern.a.b", "x"],
        [
            ["kern.critical", "cron.critical"],
            ["kern.critical", "kern", "kern.a.b"],
            ["kern.critical", "kern", "cron.critical", "kern.a.b", "x"],
        ],
    ),
]


def main(stage):
    stage.watch_py_amqp()
    with (
        kombu.Connection(broker.URI, transport_options={"confirm_publish": True}) as sender,
        kombu.Connection(broker.URI) as receiver,
    ):
        for kind, bindings, published, expected in CASES:
            exchange = kombu.Exchange(
                stage.name(kind),
                type=kind,
                durable=kind != "fanout",
                delivery_mode="transient",
                channel=sender.channel(),
            )
            exchange.declare()
            listeners = [Listener(receiver, exchange, keys) for keys in bindings]
            producer = sender.Producer(exchange=exchange, serializer="json")
            for number, key in enumerate(published):
                producer.publish({"number": number}, routing_key=key)
            # A mark that every listener has a binding of its own for comes last.
            for listener in listeners:
                listener.consumer.queues[0].bind_to(exchange=exchange.name, routing_key="mark.end")
            producer.publish("end", routing_key="mark.end")
            for listener, keys in zip(listeners, expected):
                listener.wait(len(keys) + 1)
                broker.same(listener.got[-1], ("mark.end", "end"), f"last message of a {kind} listener")
                got = [(key, body["number"]) for key, body in listener.got[:-1]]
                want = [(key, number) for number, key in enumerate(published) if key in keys]
                broker.same(got, want, f"messages of a {kind} listener")
            for listener in listeners:
                listener.consumer.cancel()

        # Binding an exchange to an exchange.
        channel = sender.channel()
        source = kombu.Exchange(stage.name("source"), type="topic", channel=channel)
        sink = kombu.Exchange(stage.name("sink"), type="fanout", channel=channel)
        source.declare()
        sink.declare()
        sink.bind_to(source, routing_key="to.#")
        listener = Listener(receiver, sink, [""])
        producer = sender.Producer(channel)
        for key in ("not.to", "to.sink"):
            producer.publish({}, exchange=source, routing_key=key)
        broker.same(listener.wait(1), [("to.sink", {})], "through two exchanges")
        sink.unbind_from(source, routing_key="to.#")
        source.delete(if_unused=True)


if __name__ == "__main__":
    broker.run(main)
