"""Values that a samplex draws: a random circuit equal to another one, for each parameter set.

The package samplomatic makes a template circuit and a samplex of a circuit in boxes. Whoever runs
the template needs values from the samplex, and what was drawn with them to make sense of the
outcomes.
"""

import base64
import math
import secrets
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import PauliLindbladMap
from samplomatic.serialization import samplex_from_json

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import MAX_SEED

_VALUES = "parameter_values"
_MOST = 2**24  # Bytes of an argument, and numbers that are drawn.
_TENSORS = {f"{kind}{bits}": f"<{kind}{bits // 8}" for kind in "iuf" for bits in (8, 16, 32, 64)}

Array = NDArray[Any]


def draw(asked: Mapping[str, Any], seed: int | None) -> tuple[list[list[float]], dict[str, Any]]:
    """A set of values for each element that is asked for, and what else was drawn with them.

    Raises CircuitError.
    """
    try:
        arrays = _drawn(asked, secrets.randbelow(MAX_SEED + 1) if seed is None else seed)
        values = arrays.pop(_VALUES, np.zeros((asked["count"], 0)))
        return values.astype(float).tolist(), {n: _written(each) for n, each in arrays.items()}
    except (CircuitError, MemoryError, RecursionError):
        raise
    except Exception as error:  # whatever a file that means nothing leads to
        raise CircuitError(
            "invalid_parameters", f"Nothing can be drawn from the samplex: {error}."[:400]
        ) from None


def _drawn(asked: Mapping[str, Any], seed: int) -> dict[str, Array]:
    samplex = samplex_from_json(asked["samplex_json"]).finalize()
    arguments = {name: _argument(value) for name, value in asked["arguments"].items()}
    inputs = samplex.inputs().make_broadcastable().bind(**arguments)
    shape, first, count = tuple(asked["shape"]), asked["first"], asked["count"]
    if np.broadcast_shapes(shape, inputs.shape) != shape:  # Some would never be asked for.
        raise CircuitError(
            "invalid_parameters",
            f"The samplex's shape {list(shape)} does not extend that of its arguments, "
            f"{list(inputs.shape)}.",
        )
    if first + count > math.prod(shape):
        raise CircuitError("invalid_parameters", "The samplex has fewer elements than asked for.")
    rng = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    for place, elements in _by_arguments(inputs.shape, shape, first, count).items():
        drawn = samplex.sample(inputs[place], num_randomizations=len(elements), rng=rng)
        for name, values in dict(drawn).items():
            whole = arrays.setdefault(name, np.empty((count, *values.shape[1:]), values.dtype))
            whole[elements] = values
            if whole.size > _MOST:
                raise CircuitError("invalid_parameters", "The samplex draws too many numbers.")
    return arrays


def _by_arguments(
    own: tuple[int, ...], shape: tuple[int, ...], first: int, count: int
) -> dict[tuple[int, ...], list[int]]:
    """The elements that share their arguments, by the place of these."""
    found: dict[tuple[int, ...], list[int]] = {}
    for element in range(count):
        index = np.unravel_index(first + element, shape)
        last = index[len(shape) - len(own) :]
        place = tuple(int(at) if size > 1 else 0 for at, size in zip(last, own, strict=True))
        found.setdefault(place, []).append(element)
    return found


def _argument(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "sparse_terms" in value:
        terms = [(pauli, list(qubits), rate) for pauli, qubits, rate in value["sparse_terms"]]
        return PauliLindbladMap.from_sparse_list(terms, value["num_qubits"])
    data = base64.b64decode(value["data"])
    if value["compressed"]:
        data = zlib.decompressobj().decompress(data, _MOST)
    if value["dtype"] == "bool":
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[: math.prod(value["shape"])].astype(bool).reshape(value["shape"])
    return np.frombuffer(data, _TENSORS[value["dtype"]]).reshape(value["shape"])


def _written(array: Array) -> dict[str, Any]:
    """As an array of the executor's, not compressed."""
    if array.dtype == np.bool_:
        data, kind = np.packbits(array, bitorder="little"), "bool"
    else:
        data, kind = array, f"{array.dtype.kind}{8 * array.dtype.itemsize}"
    text = base64.b64encode(np.ascontiguousarray(data).tobytes()).decode()
    return {"data": text, "shape": list(array.shape), "dtype": kind}
