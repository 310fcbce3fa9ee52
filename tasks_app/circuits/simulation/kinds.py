"""The kinds of backends there are, made from their definitions and kept."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from tasks_app.circuits.backend import KINDS_GROUP, check_empty
from tasks_app.circuits.device import InvalidDefinition
from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.program import Program
from tasks_app.circuits.simulation.compile import Compiled, Options, compile_program
from tasks_app.circuits.simulation.kind import Kind
from tasks_app.circuits.simulation.noisy_device import AerDevice

_MAX_KEPT = 8  # One of 127 qubits takes a few MiB.


class Aer(Kind):
    """Aer as it comes."""

    takes_paths = True

    def __init__(self, definition: Mapping[str, Any]) -> None:
        """Raises InvalidDefinition."""
        check_empty(definition)

    def compile(self, program: Program, options: Options, limits: Limits) -> Compiled:
        """Raises CircuitError."""
        return compile_program(program, options, limits)


DEFAULT = Aer({})
_OURS: Mapping[str, Callable[[Mapping[str, Any]], Kind]] = {"aer": Aer, "aer_device": AerDevice}


def kind_of(backend: Mapping[str, str] | None) -> Kind:
    """What runs its programs. Raises CircuitError."""
    if backend is None:
        return DEFAULT
    try:
        return _made(backend["kind"], backend["definition"])
    except InvalidDefinition as error:
        raise CircuitError(
            "invalid_backend", f"The backend {backend['name']} cannot be used: {error}"
        ) from None


@lru_cache(_MAX_KEPT)
def _made(kind: str, definition: str) -> Kind:
    make = _OURS.get(kind) or _installed(kind)
    return make(json.loads(definition))


def _installed(kind: str) -> Callable[[Mapping[str, Any]], Kind]:
    found = entry_points(group=KINDS_GROUP, name=kind)
    if not found:
        raise InvalidDefinition(f"its kind {kind!r:.80} is not installed on this worker.")
    make: Callable[[Mapping[str, Any]], Kind] = next(iter(found)).load()
    return make
