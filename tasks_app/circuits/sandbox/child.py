"""The child's side: read a job, run it, answer. Only it and its zygote import Qiskit."""

import json
import os
import socket
import sys
import traceback
from typing import Any

from tasks_app.circuits.errors import CircuitError, result_too_large
from tasks_app.circuits.job import Limits
from tasks_app.circuits.sandbox import confine, frames
from tasks_app.circuits.sandbox.answer import MAX_TRACEBACK

_MAX_DESCRIPTOR = 256
# A sum of hundreds of terms and a hundred blocks inside one another are deep for a parser. The
# stack of a process, mostly 8 MiB, holds more calls than these.
_MAX_CALLS = 6_000
_MAX_MESSAGE = 500  # Characters; parsers quote the program in their errors.


def main(
    descriptor: int, runner: Any, limits: Limits, module_paths: list[str], parent_pid: int
) -> None:
    """Go behind the walls and serve jobs from a socket, until its other end is closed."""
    os.closerange(3, descriptor)  # what belongs to the zygote
    os.closerange(descriptor + 1, _MAX_DESCRIPTOR)
    channel = socket.socket(fileno=descriptor)
    sys.setrecursionlimit(_MAX_CALLS)
    try:
        confine.tie_to_parent(parent_pid)
        memory = confine.Memory()
        confine.limit_resources(limits.memory_mb, memory.address_space_bytes())
        walls = confine.raise_walls(module_paths)
    except Exception as error:
        channel.sendall(frames.encode({"unavailable": f"{type(error).__name__}: {error}"}))
        return
    channel.sendall(frames.encode({"walls": walls}))
    while True:
        try:
            request = json.loads(frames.receive(channel, 2**31))
        except EOFError:
            os._exit(0)
        confine.limit_cpu(limits.cpu_s)
        channel.sendall(_answer(runner, request, limits, memory))


def _answer(runner: Any, request: dict[str, Any], limits: Limits, memory: confine.Memory) -> bytes:
    try:
        result = runner.run(request)
        reply = frames.encode({"result": result, "resident_mb": _mebibytes(memory)})
        if len(reply) <= limits.max_result_bytes:
            return reply
        error = result_too_large(limits.max_result_bytes)
    except CircuitError as raised:
        error = raised
    except MemoryError:
        error = CircuitError(
            "out_of_memory",
            f"The task ran into its limit of {limits.memory_mb:,} MiB; "
            "use fewer qubits, gates or shots.",
        )
    except RecursionError:
        error = CircuitError(
            "too_deeply_nested",
            "The circuit is nested too deeply; use fewer parentheses or blocks inside one another, "
            "and cut an expression of thousands of terms.",
        )
    except Exception as raised:
        error = _internal_error(raised)
    except BaseException:  # a panic of Qiskit's parts in Rust, as on numbers that are too large
        error = CircuitError(
            "invalid_program", "Qiskit gave up on the circuit; look for numbers that are too large."
        )
    return frames.encode({"error": _error_message(error), "resident_mb": _mebibytes(memory)})


def _internal_error(raised: BaseException) -> CircuitError:
    """Without the exception's text, which may quote the program."""
    where = "".join(traceback.format_tb(raised.__traceback__))[-MAX_TRACEBACK:]
    return CircuitError(
        "internal_error",
        "Our own code failed on this circuit, which may well be right. Tell whoever runs the "
        "service the task's id: the worker's log has the rest.",
        traceback=f"{where}{type(raised).__name__}",
    )


def _error_message(error: CircuitError) -> dict[str, Any]:
    """The error in plain types, without control characters and of bounded size."""
    printable = "".join(c if c.isprintable() else " " for c in error.message[:_MAX_MESSAGE])
    return {
        "code": error.code,
        "message": printable,
        "line": error.line,
        "column": error.column,
        "traceback": error.traceback,
    }


def _mebibytes(memory: confine.Memory) -> int:
    return memory.resident_bytes() >> 20
