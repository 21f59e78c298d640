"""Where the broker is, names that nobody else uses, and how a program waits for it.

Every program imports this and hands its `main(stage)` to `run`. The stage opens connections, makes up
names under one random prefix, and at the end deletes every queue and exchange whose name it gave out:
a program that fails half-way leaves nothing behind either.

Nothing here sleeps in order to be right: a wait is for a condition, until a deadline.
"""

import contextlib
import os
import pathlib
import signal
import sys
import time
import traceback
import urllib.parse
import uuid

import pika

HOST = os.environ.get("AMQP_HOST", "127.0.0.1")
PORT = int(os.environ.get("AMQP_PORT", "5672"))
URI = os.environ.get("AMQP_URI", f"amqp://guest:guest@{HOST}:{PORT}/%2F")
_PARTS = urllib.parse.urlsplit(URI)
HOST, PORT = _PARTS.hostname or HOST, _PARTS.port or 5672
USER = urllib.parse.unquote(_PARTS.username or "guest")
PASSWORD = urllib.parse.unquote(_PARTS.password or "guest")
VHOST = urllib.parse.unquote(_PARTS.path[1:]) or "/"

# How long a condition may take to come true. Generous: the machine is often busy, and a
# condition that comes true is noticed at once.
WAIT_SECONDS = 15


class Mismatch(Exception):
    """The broker did something else than what the program demands."""


def same(got, want, what):
    """Demands that `got` equals `want`."""
    if got != want:
        raise Mismatch(f"{what}: got {_short(got)}, want {_short(want)}")


def holds(condition, what):
    """Demands that `condition` is true; `what` says it in words."""
    if not condition:
        raise Mismatch(what)


def _short(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"


def wait_until(condition, what, seconds=WAIT_SECONDS, pause=0.02):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Mismatch(f"after {seconds} s still waiting for {what}")
        time.sleep(pause)


@contextlib.contextmanager
def channel_error(code, text):
    """The body must end with the broker closing its channel with this code and text."""
    try:
        yield
    except pika.exceptions.ChannelClosedByBroker as closed:
        same((closed.reply_code, closed.reply_text), (code, text), "channel.close")
    else:
        raise Mismatch(f"channel stayed open, want {code} {text}")


class Inbox:
    """A pika consumer callback that keeps what it is given, and can wait for more."""

    def __init__(self, channel):
        self.channel = channel
        self.deliveries = []

    def __call__(self, _channel, method, properties, body):
        self.deliveries.append((method, properties, body))

    @property
    def bodies(self):
        """Bodies so far, in order of delivery."""
        return [body for _, _, body in self.deliveries]

    def wait(self, count, seconds=WAIT_SECONDS):
        """Waits until `count` messages have been delivered in all; returns all of them."""
        connection, deadline = self.channel.connection, time.monotonic() + seconds
        while len(self.deliveries) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Mismatch(f"{len(self.deliveries)} of {count} messages came in {seconds} s")
            connection.process_data_events(time_limit=min(left, 1))
        return self.deliveries

    def settle(self, queue):
        """Waits until everything that `queue` would deliver by now is here; returns all.

        Asks the queue twice: what was on its way before the first answer is in before the second.
        """
        for _ in range(2):
            self.channel.queue_declare(queue, passive=True)
        self.channel.connection.process_data_events(time_limit=0)
        return self.deliveries


class Stage:
    """Connections, names and the clean-up of one program."""

    def __init__(self, program):
        self.prefix = f"conform.{program}.{uuid.uuid4().hex[:8]}"
        self._connections = []
        self._queues = []
        self._exchanges = []

    def name(self, part):
        """A name that no other run uses."""
        return f"{self.prefix}.{part}"

    def connect(self, **settings):
        """A pika connection that is closed at the end; `settings` are connection parameters."""
        parameters = pika.URLParameters(URI)
        parameters.socket_timeout = WAIT_SECONDS
        parameters.blocked_connection_timeout = WAIT_SECONDS
        for key, value in settings.items():
            setattr(parameters, key, value)
        connection = pika.BlockingConnection(parameters)
        self._connections.append(connection)
        return connection

    def channel(self, **settings):
        """A channel on a connection of its own."""
        return self.connect(**settings).channel()

    def queue(self, part):
        """A name for a queue that the clean-up deletes."""
        self._queues.append(self.name(part))
        return self._queues[-1]

    def exchange(self, part):
        """A name for an exchange that the clean-up deletes."""
        self._exchanges.append(self.name(part))
        return self._exchanges[-1]

    def owns(self, queues=(), exchanges=()):
        """Adds names, made up elsewhere, to what the clean-up deletes."""
        self._queues.extend(queues)
        self._exchanges.extend(exchanges)

    def watch_py_amqp(self):
        """Notes for the clean-up what py-amqp (below kombu, Celery, oslo.messaging) declares from now on.

        Those libraries make up names of their own. Predeclared exchanges are left alone.
        """
        import amqp

        declare_queue, declare_exchange = amqp.Channel.queue_declare, amqp.Channel.exchange_declare

        def queue_declare(channel, queue="", *arguments, **settings):
            answer = declare_queue(channel, queue, *arguments, **settings)
            self._queues.append(answer.queue if answer else queue)
            return answer

        def exchange_declare(channel, exchange, *arguments, **settings):
            if exchange and not exchange.startswith("amq."):
                self._exchanges.append(exchange)
            return declare_exchange(channel, exchange, *arguments, **settings)

        amqp.Channel.queue_declare, amqp.Channel.exchange_declare = queue_declare, exchange_declare

    def close(self):
        """Closes the connections, as a client does that ends well."""
        for connection in self._connections:
            if connection.is_open:
                connection.close()

    def clean_up(self):
        """Deletes what the program declared, on a connection of its own: the others may hang."""
        if not (self._queues or self._exchanges):
            return
        connection = pika.BlockingConnection(pika.URLParameters(URI))
        channel = connection.channel()
        for delete, names in (
            (channel_delete_queue, self._queues),
            (channel_delete_exchange, self._exchanges),
        ):
            for name in dict.fromkeys(names):
                channel = channel if channel.is_open else connection.channel()
                with contextlib.suppress(pika.exceptions.AMQPChannelError):
                    delete(channel, name)
        connection.close()


def channel_delete_queue(channel, name):
    """Deletes a queue; one that is not there is no error."""
    channel.queue_delete(name)


def channel_delete_exchange(channel, name):
    """Deletes an exchange; one that is not there is no error."""
    channel.exchange_delete(name)


def _out_of_time(_signal, _frame):
    raise Mismatch("not finished when the time was over")


def run(main):
    """Runs `main(stage)` and exits; the last line on stderr says what was wrong."""
    program = pathlib.Path(sys.argv[0]).stem
    stage, code = Stage(program), 0
    # The runner asks so when the time is over.
    signal.signal(signal.SIGTERM, _out_of_time)
    try:
        main(stage)
        stage.close()
    except Exception as error:  # the one place that reports
        traceback.print_exc()
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename.startswith(str(pathlib.Path(sys.argv[0]).parent))]
        line = (own or frames)[-1].lineno
        text = " ".join((str(error) or repr(error)).split())
        summary, code = f"line {line}: {type(error).__name__}: {text}", 1
    try:
        stage.clean_up()
    except Exception as error:
        if code == 0:
            traceback.print_exc()
            summary, code = f"clean-up: {type(error).__name__}: {error}", 1
    if code:
        print(summary, file=sys.stderr, flush=True)
    # Client libraries may have left threads that never end.
    os._exit(code)
