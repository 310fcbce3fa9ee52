"""The RabbitMQ that `RABBITMQ_URL` names: one node, or those of a cluster."""

import re
from contextlib import suppress
from urllib.parse import urlsplit

import pika


def nodes(urls: str) -> list[pika.ConnectionParameters]:
    """How to connect to each node of a list of URLs that commas separate, in bounded time each.

    Names of hosts are looked up by each new connection, never here. Raises ValueError, with what
    is wrong as the end of a sentence that begins with the list's name; passwords are not in it.
    """
    # Only before a URL: a password and options of TLS may hold commas too.
    found = [_node(url, turn) for turn, url in enumerate(re.split(r"\s*,\s*(?=amqps?:)", urls), 1)]
    if len({node.virtual_host for node in found}) > 1:  # rung in one, awaited in another
        raise ValueError("names several vhosts; all nodes of a cluster have the same ones.")
    return found


def _node(url: str, turn: int) -> pika.ConnectionParameters:
    with suppress(ValueError, TypeError, SyntaxError):  # which may hold the password
        parts = urlsplit(url)
        is_host = re.fullmatch(r"[\w.:%-]+", parts.hostname or "")
        if parts.scheme in {"amqp", "amqps"} and is_host and "," not in parts.path:
            node = pika.URLParameters(url)
            node.socket_timeout, node.stack_timeout = 2, 3
            node.heartbeat, node.connection_attempts = 10, 1
            return node
    raise ValueError(
        f"is amqp://host… or amqps://host…, or several of them with commas between; URL {turn} of "
        "it is not."
    )
