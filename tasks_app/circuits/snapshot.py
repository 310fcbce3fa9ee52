"""From a backend of Qiskit's, a snapshot of a real one or `GenericBackendV2`, to a definition."""

from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Any

from tasks_app.circuits.device import WIDTHS, InvalidDefinition, Places, read_device

# What every device here can do, or what acts on none.
_NO_GATES = frozenset(
    ("measure", "delay", "barrier", "box", "store", "if_else", "for_loop", "while_loop")
).union(("switch_case", "break", "continue", "break_loop", "continue_loop"))


def definition_of(backend: Any) -> dict[str, Any]:
    """The definition, of kind `aer_device`, of a `BackendV2`. Raises InvalidDefinition."""
    target = backend.target
    if not target.num_qubits:
        raise InvalidDefinition("The backend does not say how many qubits it has.")
    gates = {
        name: list(_gate(target, name)) for name in target.operation_names if name not in _NO_GATES
    }
    definition = {
        "qubits": [_qubit(target, place) for place in range(target.num_qubits)],
        "gates": gates,
        **_known(dt_s=target.dt),
    }
    read_device(definition)
    return definition


def _qubit(target: Any, place: int) -> dict[str, Any]:
    properties = (target.qubit_properties or {place: None})[place]
    t1, t2 = getattr(properties, "t1", None), getattr(properties, "t2", None)
    if t1 and t2:  # As measured, T2 may be more than it can be.
        t2 = min(t2, 2 * t1)
    measure = target.get("measure", {}).get((place,))
    error = getattr(measure, "error", None) or 0.0
    errors = [getattr(measure, name, error) for name in ("prob_meas1_prep0", "prob_meas0_prep1")]
    readout = {"readout_error": errors} if any(errors) else {}
    return readout | _known(t1_s=t1, t2_s=t2, readout_s=getattr(measure, "duration", None))


def _gate(target: Any, name: str) -> Iterator[dict[str, Any]]:
    operation = target.operation_from_name(name)
    if name not in WIDTHS or any(isinstance(each, float) for each in operation.params):
        raise InvalidDefinition(
            f"The backend has the gate {name!r:.80}, which cannot be simulated with noise; "
            f"those that can: {', '.join(WIDTHS)}."
        )
    for places, properties in _places(target, name):
        cost = _known(
            error=getattr(properties, "error", None),
            length_s=getattr(properties, "duration", None),
        )
        yield {"qubits": list(places)} | cost


def _places(target: Any, name: str) -> Iterable[tuple[Places, Any]]:
    given = dict(target[name])
    if None in given:  # On all of them, without errors.
        return ((each, None) for each in permutations(range(target.num_qubits), WIDTHS[name]))
    return given.items()


def _known(**numbers: float | None) -> dict[str, float]:
    """Those that are there. A relaxation time of 0 is none that was measured."""
    return {
        key: value
        for key, value in numbers.items()
        if value is not None and (value or key not in ("t1_s", "t2_s"))
    }
