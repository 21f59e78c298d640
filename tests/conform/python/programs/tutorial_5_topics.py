"""The fifth tutorial: a topic exchange, with the corner cases of its last page.

A key is a list of words between dots; an empty key is a list of no words, `..` one of three empty
ones. `*` stands for exactly one word, `#` for any number of them, none included. Every binding
meets every key.
"""

import broker

# binding: the keys that it catches; all other keys of KEYS pass it by.
ANIMALS = [
    "quick.orange.rabbit",
    "lazy.orange.elephant",
    "quick.orange.fox",
    "lazy.brown.fox",
    "lazy.pink.rabbit",
    "quick.brown.fox",
    "orange",
    "quick.orange.male.rabbit",
    "lazy.orange.male.rabbit",
    "lazy",
]
CORNERS = [
    "",
    ".",
    "..",
    "a",
    "b",
    "a.",
    ".a",
    "a.b",
    "a.b.c",
    "a..c",
    "a.b.c.d",
    "aa",
    "a.a.a",
    "*",
    "#",
    "a.*",
    "a.#",
]
KEYS = ANIMALS + CORNERS
CATCHES = {
    "*.orange.*": ["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"],
    "*.*.rabbit": ["quick.orange.rabbit", "lazy.pink.rabbit"],
    "lazy.#": [
        "lazy.orange.elephant",
        "lazy.brown.fox",
        "lazy.pink.rabbit",
        "lazy.orange.male.rabbit",
        "lazy",
    ],
    "#": KEYS,
    "#.#": KEYS,
    "#.#.#": KEYS,
    # One word, and an empty key has none.
    "*": ["orange", "lazy", "a", "b", "aa", "*", "#"],
    # One word or more: two dots are three empty words.
    "#.*": [key for key in KEYS if key != ""],
    "*.#": [key for key in KEYS if key != ""],
    "#.*.#": [key for key in KEYS if key != ""],
    "*.*": [".", "a.", ".a", "a.b", "a.*", "a.#"],
    "*.*.#": [key for key in KEYS if "." in key],
    "a.*.#": ["a.", "a.b", "a.b.c", "a..c", "a.b.c.d", "a.a.a", "a.*", "a.#"],
    "a.#": ["a", "a.", "a.b", "a.b.c", "a..c", "a.b.c.d", "a.a.a", "a.*", "a.#"],
    "#.a": ["a", ".a", "a.a.a"],
    "#.a.#": ["a", "a.", ".a", "a.b", "a.b.c", "a..c", "a.b.c.d", "a.a.a", "a.*", "a.#"],
    "a.*.c": ["a.b.c", "a..c"],
    "a.#.c": ["a.b.c", "a..c"],
    "a": ["a"],
    "a*": [],
    "": [""],
    ".": ["."],
    "..": [".."],
    "a.": ["a."],
    "*.": [".", "a."],
    "a.b.c.#": ["a.b.c", "a.b.c.d"],
    "a.b": ["a.b"],
}


def main(stage):
    topics = stage.exchange("topic_logs")
    channel = stage.channel()
    channel.exchange_declare(exchange=topics, exchange_type="topic")
    channel.confirm_delivery()

    queues = {}
    for binding in CATCHES:
        queues[binding] = channel.queue_declare(queue="", exclusive=True).method.queue
        channel.queue_bind(exchange=topics, queue=queues[binding], routing_key=binding)
    for key in KEYS:
        # Confirmed: it is in its queues when this returns.
        channel.basic_publish(topics, key, key.encode())
    for binding, queue in queues.items():
        caught = []
        while True:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                break
            broker.same(method.routing_key.encode(), body, "routing key as published")
            caught.append(method.routing_key)
        broker.same(caught, [key for key in KEYS if key in CATCHES[binding]], f"keys caught by {binding!r}")

    # One queue with several bindings that all match gets one copy.
    queue = channel.queue_declare(queue="", exclusive=True).method.queue
    for binding in ("*.orange.*", "lazy.#", "#"):
        channel.queue_bind(exchange=topics, queue=queue, routing_key=binding)
    channel.basic_publish(topics, "lazy.orange.elephant", b"once")
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 1, "copies")
    # Taken away again: only its own words decide.
    channel.queue_unbind(queue, topics, "#")
    channel.queue_unbind(queue, topics, "lazy.#")
    channel.basic_publish(topics, "lazy.brown.fox", b"no more")
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 1, "after unbind")
    channel.basic_publish(topics, "lazy.orange.elephant", b"still")
    broker.same(channel.queue_declare(queue, passive=True).method.message_count, 2, "one binding left")


if __name__ == "__main__":
    broker.run(main)
