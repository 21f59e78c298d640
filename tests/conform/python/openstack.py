"""What the oslo.messaging programs share: a transport to the broker, and servers that run in threads.

Nothing is monkey-patched: servers use the `threading` executor. Each program has a control exchange
of its own, and topics that carry its name, for topics become names of queues.
"""

import concurrent.futures
import contextlib
import urllib.parse

import oslo_messaging
from oslo_config import cfg

import broker

CALL_SECONDS = broker.WAIT_SECONDS


def url():
    """The broker's address as oslo.messaging writes it."""
    quote = urllib.parse.quote
    return (
        f"rabbit://{quote(broker.USER, '')}:{quote(broker.PASSWORD, '')}@{broker.HOST}:{broker.PORT}"
        f"/{quote(broker.VHOST, '')}"
    )


def configuration(stage):
    """The process's configuration, with exchanges that carry the stage's name."""
    stage.watch_py_amqp()
    oslo_messaging.set_transport_defaults(control_exchange=stage.name("openstack"))
    cfg.CONF([], project="conform", default_config_files=[], default_config_dirs=[])
    return cfg.CONF


def transport(conf, kind=oslo_messaging.get_rpc_transport, **settings):
    """An RPC (or notification) transport of its own, as another process would have."""
    return kind(conf, url=url(), **settings)


@contextlib.contextmanager
def serving(*servers):
    """Runs servers meanwhile."""
    for server in servers:
        server.start()
    try:
        yield
    finally:
        for server in servers:
            server.stop()
        # Each looks up once a second whether it shall stop: they end together.
        with concurrent.futures.ThreadPoolExecutor() as threads:
            list(threads.map(lambda server: server.wait(), servers))
