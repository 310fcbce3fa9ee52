"""Length-prefixed JSON between a sandbox and its child: bounded, and never pickle."""

import json
import socket
import struct
import time
from typing import Any

import orjson

_LENGTH = struct.Struct(">I")


class FrameTooLarge(Exception):
    """The other side announced a frame above the allowed size."""


class BadFrame(Exception):
    """The other side sent bytes that are not a JSON object."""


# Not orjson: it writes null for what is no number, and no integer of more than 64 bits.
_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode(message: dict[str, Any]) -> bytes:
    body = _encoder.encode(message).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def receive(channel: socket.socket, max_bytes: int, deadline: float | None = None) -> bytearray:
    """What one frame holds. Waits until `deadline` on the monotonic clock (seconds) if given.

    Raises TimeoutError at the deadline, EOFError when the other side is gone, FrameTooLarge.
    """
    (size,) = _LENGTH.unpack(_receive_exactly(channel, _LENGTH.size, deadline))
    if size > max_bytes:
        raise FrameTooLarge(size)
    return _receive_exactly(channel, size, deadline)


def answer(body: bytearray) -> dict[str, Any]:
    """What a child says. Raises BadFrame."""
    try:
        message = orjson.loads(body)  # NaN and the infinities are no JSON to it, rightly
    except ValueError as error:
        raise BadFrame from error
    if not isinstance(message, dict):
        raise BadFrame
    return message


def _receive_exactly(channel: socket.socket, size: int, deadline: float | None) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        if deadline is not None:
            # A timeout of 0 would mean "do not block" and raise another error.
            channel.settimeout(max(deadline - time.monotonic(), 1e-4))
        try:
            received = channel.recv_into(view)
        except ConnectionResetError:
            received = 0
        if not received:
            raise EOFError
        view = view[received:]
    return buffer
