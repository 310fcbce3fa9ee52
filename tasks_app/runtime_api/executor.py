"""The program `executor`: a task for each item of a quantum program, or some for its many sets.

Its schemas are those of the package `ibm-quantum-schemas`, which the tests check results with. They
are read here without it, because its models load circuits.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings

from tasks_app import json_text
from tasks_app.circuits import CircuitError
from tasks_app.circuits.qpy_file import split
from tasks_app.runtime_api import bits, options, pubs
from tasks_app.runtime_api.arrays import as_tensor, check_axes, from_tensor, invalid
from tasks_app.runtime_api.backends import MAX_SHOTS
from tasks_app.runtime_api.pubs import Part, Piece, Values
from tasks_app.runtime_api.results import Ended, EndedOf

VERSIONS = ("v1.0", "v1.1", "v2.0")
_BYTES = 80  # Of an outcome in it, or so.


def pieces(params: Mapping[str, Any], *, noisy: bool = False) -> Iterator[Piece]:
    """Raises ApiError for what is no such program."""
    pubs.check_names(params, {"schema_version", "quantum_program", "options"}, "An executor")
    if params.get("schema_version") not in VERSIONS:
        raise invalid(f"schema_version is one of {', '.join(VERSIONS)}.")
    options.checked(params.get("options"), options.EXECUTOR, noisy=noisy)
    program = _program(params)
    shots = pubs.whole(program.get("shots"), "shots", least=1, most=MAX_SHOTS)
    items = pubs.sequence(program.get("items"), "items")
    circuits = _circuits(program.get("circuits"))
    if len(circuits) != len(items):
        raise invalid(f"There are {len(circuits):,} circuits for {len(items):,} items.")
    total = 0
    for index, circuit in enumerate(circuits):
        item = _item(params, index)
        total += shots * item.count
        if total > MAX_SHOTS:
            raise invalid(f"All items of a job have at most {MAX_SHOTS:,} shots together.")
        shares = pubs.shares_of(shots)
        if len(shares) > 1 and isinstance(item, _Samplex):  # Each would draw values of its own.
            raise invalid(f"Item {index}: what a samplex draws is run at most {shares[0]:,} times.")
        for share in shares:
            for first, count in pubs.blocks(item.count, pubs.RESULT_BYTES // (share * _BYTES)):
                values = item.fields(first, count)
                fields = {**circuit, **values, "shots": share, "outputs": ["counts", "registers"]}
                yield Piece(fields, Part(index, first))


def _program(params: Mapping[str, Any]) -> Mapping[str, Any]:
    program = params.get("quantum_program")
    if not isinstance(program, Mapping):
        raise invalid("quantum_program is an object.")
    if program.get("meas_level", "classified") != "classified":
        raise invalid("quantum_program.meas_level: only classified is supported.")
    return program


def _circuits(given: Any) -> list[dict[str, str]]:
    if isinstance(given, Mapping) and isinstance(given.get("data"), list):
        texts = pubs.sequence(given["data"], "circuits.data")
        return [pubs.circuit_of(text, f"Circuit {index}") for index, text in enumerate(texts)]
    if not isinstance(given, Mapping) or not isinstance(given.get("b64_data"), str):
        raise invalid("circuits has QPY as b64_data, or texts in OpenQASM as data.")
    try:
        files = split(given["b64_data"], settings.CIRCUIT_LIMITS.max_circuit_bytes)
    except CircuitError as error:
        raise invalid(error.message) from None
    return [{"circuit": file, "circuit_format": "qpy"} for file in files]


@dataclass(frozen=True, slots=True)
class _Samplex:
    """An item whose values are drawn."""

    item: Mapping[str, Any]
    shape: tuple[int, ...]
    compressed: bool

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def fields(self, first: int, count: int) -> dict[str, Any]:
        """The fields of a submission that draws these elements."""
        arguments = {
            name: {**value, "compressed": self.compressed}
            if isinstance(value, Mapping) and "data" in value
            else value
            for name, value in self.item["samplex_arguments"].items()
        }
        samplex = {
            "samplex_json": self.item["samplex"]["samplex_json"],
            "arguments": arguments,
            "shape": list(self.shape),
        }
        return {"samplex": {**samplex, "first": first, "count": count}}


def _item(params: Mapping[str, Any], index: int) -> Values | _Samplex:
    """What gives the values for each element of an item."""
    item = params["quantum_program"]["items"][index]
    kind = item.get("item_type") if isinstance(item, Mapping) else None
    if kind == "circuit":
        return _values(item, index, compressed=_compressed(params))
    if kind == "samplex":
        return _samplex(item, index, compressed=_compressed(params))
    raise invalid(f"Item {index}: item_type is circuit or samplex.")


def _values(item: Mapping[str, Any], index: int, *, compressed: bool) -> Values:
    """Those of a circuit's parameters, which a shape may repeat."""
    array = from_tensor(item.get("circuit_arguments"), compressed=compressed)
    if array.ndim == 0:
        raise invalid(f"Item {index}: the last axis of circuit_arguments is that of parameters.")
    shape = item.get("shape") or []
    try:
        check_axes(shape)
        whole = np.broadcast_shapes(array.shape[:-1], tuple(shape))
    except (TypeError, ValueError):
        raise invalid(f"Item {index}: its shape does not extend that of its arguments.") from None
    pubs.check_count(math.prod(whole), array.shape[-1], f"Item {index}")
    return Values(np.broadcast_to(array, (*whole, array.shape[-1])))


def _samplex(item: Mapping[str, Any], index: int, *, compressed: bool) -> _Samplex:
    samplex, shape = item.get("samplex"), item.get("shape")
    if not isinstance(samplex, Mapping) or "samplex_json" not in samplex:
        raise invalid(f"Item {index}: its samplex has no samplex_json.")
    if not isinstance(item.get("samplex_arguments"), Mapping):
        raise invalid(f"Item {index}: its samplex_arguments are an object.")
    if not isinstance(shape, list) or any(type(size) is not int or size < 1 for size in shape):
        raise invalid(f"Item {index}: its shape is a list of whole numbers.")
    check_axes(shape)
    pubs.check_count(math.prod(shape), 0, f"Item {index}")
    return _Samplex(item, tuple(shape), compressed)


def _compressed(params: Mapping[str, Any]) -> bool:
    return bool(params["schema_version"] == "v2.0")


def result(params: Mapping[str, Any], ended: EndedOf) -> Any:
    """What the client's decoder makes a `QuantumProgramResult` of."""
    program = params["quantum_program"]
    data, spans = [], []
    for index in range(len(program["items"])):
        item = _item(params, index)
        own = ended(index)
        data.append(_item_result(own, item.shape, compressed=_compressed(params)))
        spans += [_span(each, item.shape) for each in own]
    return {
        "schema_version": params["schema_version"],
        "data": data,
        "metadata": {"chunk_timing": spans},
        "passthrough_data": json_text.as_given(program.get("passthrough_data")),
        "semantic_role": json_text.as_given(program.get("semantic_role")),
    }


def _item_result(ended: Sequence[Ended], shape: tuple[int, ...], *, compressed: bool) -> Any:
    rows = np.array([shots > 0 for shots in bits.by_set(ended)])
    rows = rows.reshape(*shape, *rows.shape[1:])
    measured = {
        register["name"]: as_tensor(rows[..., register["bits"]], compressed=compressed)
        for register in ended[0].result["registers"]
    }
    return {
        "results": {**measured, **_drawn(ended, shape, compressed=compressed)},
        "metadata": {"scheduler_timing": None, "stretch_values": None},
    }


def _drawn(ended: Sequence[Ended], shape: tuple[int, ...], *, compressed: bool) -> dict[str, Any]:
    """What was drawn with the values of a samplex, of all tasks."""
    parts = [each.result.get("drawn", {}) for each in ended]
    whole = {}
    for name in parts[0]:
        array = np.concatenate([from_tensor(part[name], compressed=False) for part in parts])
        whole[name] = as_tensor(array.reshape(*shape, *array.shape[1:]), compressed=compressed)
    return whole


def _span(each: Ended, shape: tuple[int, ...]) -> Any:
    first, count = each.part.first, len(pubs.sets_in(each.result))
    part = {
        "idx_item": each.part.pub,
        "size": count,
        "permutation": list(range(len(shape))),
        "element_range": [first, first + count, 1],
    }
    return {"start": each.started_at, "stop": each.completed_at, "parts": [part]}
