"""A real device as its calibration describes it: qubits, gates, times and errors.

The format that `docs/backends.md` describes, read without Qiskit, and every wrong part refused with
a sentence that names it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_QUBITS = 1_000
MAX_GATES = 20_000  # Of a device, each counted on each of its places.
WIDTHS: Mapping[str, int] = {
    **dict.fromkeys(("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg"), 1),
    **dict.fromkeys(("rx", "ry", "rz", "p", "r", "u", "u1", "u2", "u3", "reset"), 1),
    **dict.fromkeys(("cx", "cy", "cz", "ecr", "swap", "cp", "rxx", "ryy", "rzz", "rzx"), 2),
}
"""The qubits of each gate that a device may have: those that every method simulates."""
_MAX_SECONDS = 1e6
_DEVICE_KEYS = ("qubits", "gates", "dt_s")
_QUBIT_KEYS = ("t1_s", "t2_s", "readout_error", "readout_s")
_GATE_KEYS = ("qubits", "error", "length_s")
Places = tuple[int, ...]


class InvalidDefinition(ValueError):
    """A backend's definition is wrong; the text is a sentence that says where."""


@dataclass(frozen=True, slots=True)
class Qubit:
    """None: not known, and left out of the noise."""

    t1_s: float | None
    t2_s: float | None
    readout_error: tuple[float, float]
    """The chances that 0 is read as 1, and 1 as 0."""
    readout_s: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a gate costs on its qubits. None: not known."""

    error: float | None
    """1 minus the average gate fidelity, relaxation included."""
    length_s: float | None


@dataclass(frozen=True, slots=True)
class Device:
    qubits: tuple[Qubit, ...]
    gates: Mapping[str, Mapping[Places, Cost]]
    """By name, then by the qubits, in their order, on which the device has it."""
    dt_s: float | None
    """The step of its clock."""


def read_device(definition: Mapping[str, Any]) -> Device:
    """Raises InvalidDefinition."""
    _check_keys(definition, _DEVICE_KEYS, "The definition")
    qubits, gates = definition.get("qubits"), definition.get("gates")
    if not isinstance(qubits, list) or not 1 <= len(qubits) <= MAX_QUBITS:
        raise InvalidDefinition(f"qubits must be a list of 1 to {MAX_QUBITS:,} objects.")
    if not isinstance(gates, Mapping) or not gates:
        raise InvalidDefinition("gates must be an object of lists by the names of gates.")
    if unknown := gates.keys() - WIDTHS.keys():
        raise InvalidDefinition(
            f"gates has {min(unknown)!r:.80}, which no device here can have; "
            f"choose of {', '.join(WIDTHS)}."
        )
    places = sum(len(each) for each in gates.values() if isinstance(each, list))
    if places > MAX_GATES:
        raise InvalidDefinition(f"gates has more than {MAX_GATES:,} entries in all.")
    return Device(
        tuple(_qubit(each, f"qubits[{place}]") for place, each in enumerate(qubits)),
        {name: dict(_placed(each, name, len(qubits))) for name, each in gates.items()},
        _positive(definition, "dt_s", "The definition"),
    )


def _qubit(given: Any, where: str) -> Qubit:
    _check_keys(given, _QUBIT_KEYS, where)
    t1, t2 = _positive(given, "t1_s", where), _positive(given, "t2_s", where)
    if t1 is not None and t2 is not None and t2 > 2 * t1:
        raise InvalidDefinition(f"{where}: t2_s is more than twice t1_s, which no qubit has.")
    errors = given.get("readout_error", [0, 0])
    if not isinstance(errors, list) or len(errors) != 2 or not all(map(_is_chance, errors)):
        raise InvalidDefinition(
            f"{where}: readout_error must be two numbers from 0 to 1, the chances that 0 is read "
            "as 1, and 1 as 0."
        )
    return Qubit(t1, t2, (float(errors[0]), float(errors[1])), _length(given, "readout_s", where))


def _placed(given: Any, name: str, qubits: int) -> Iterator[tuple[Places, Cost]]:
    if not isinstance(given, list) or not given:
        raise InvalidDefinition(f"gates.{name} must be a list of objects, one for each place.")
    seen: set[Places] = set()
    for index, each in enumerate(given):
        where = f"gates.{name}[{index}]"
        _check_keys(each, _GATE_KEYS, where)
        places = _places(each.get("qubits"), WIDTHS[name], qubits, where)
        if places in seen:
            raise InvalidDefinition(f"{where}: the gate is on these qubits twice.")
        seen.add(places)
        error = each.get("error")
        if error is not None and not _is_chance(error):
            raise InvalidDefinition(f"{where}: error must be a number from 0 to 1.")
        yield places, Cost(error, _length(each, "length_s", where))


def _places(given: Any, width: int, qubits: int, where: str) -> Places:
    right = isinstance(given, list) and len(given) == width
    if not right or not all(type(each) is int and 0 <= each < qubits for each in given):
        raise InvalidDefinition(
            f"{where}: qubits must be {width} whole number{'s' * (width > 1)} below {qubits}."
        )
    if len(set(given)) < width:
        raise InvalidDefinition(f"{where}: qubits has the same one twice.")
    return tuple(given)


def _check_keys(given: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(given, Mapping):
        raise InvalidDefinition(f"{where} must be an object.")
    if unknown := given.keys() - known:
        raise InvalidDefinition(
            f"{where} can hold {', '.join(known)}, and no {min(unknown)!r:.80}."
        )


def _positive(given: Mapping[str, Any], key: str, where: str) -> float | None:
    value = _length(given, key, where)
    if value == 0:
        raise InvalidDefinition(f"{where}: {key} must be more than 0 s.")
    return value


def _length(given: Mapping[str, Any], key: str, where: str) -> float | None:
    value = given.get(key)
    if value is None:
        return None
    if not _is_between(value, _MAX_SECONDS):
        raise InvalidDefinition(
            f"{where}: {key} must be a number of seconds, 0 to {_MAX_SECONDS:g}."
        )
    return float(value)


def _is_chance(value: Any) -> bool:
    return _is_between(value, 1)


def _is_between(value: Any, most: float) -> bool:
    return type(value) in (int, float) and 0 <= value <= most  # which NaN is not
