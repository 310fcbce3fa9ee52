"""The program `sampler`: a task for each PUB, or some where one cannot hold its parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks_app.circuits import CircuitError
from tasks_app.circuits.job import MAX_SEED
from tasks_app.circuits.qpy_file import read_header
from tasks_app.runtime_api import bits, options, pubs
from tasks_app.runtime_api.arrays import Array, as_npy, invalid
from tasks_app.runtime_api.backends import MAX_SHOTS
from tasks_app.runtime_api.pubs import Part, Piece, Values
from tasks_app.runtime_api.results import Ended, EndedOf, fragment

DEFAULT_SHOTS = 4096  # The client's own, where nobody says.
_SPARSE_BITS = 30  # From here on there is rather one outcome a shot than all that are possible.


@dataclass(frozen=True, slots=True)
class _Pub:
    circuit: Mapping[str, str]
    values: Values
    shots: int


def pieces(params: Mapping[str, Any], *, noisy: bool = False) -> Iterator[Piece]:
    """Raises ApiError for what is no such program."""
    _check_names(params)
    chosen = options.checked(params.get("options"), options.SAMPLER, noisy=noisy)
    seed = options.nested(chosen, "simulator", "seed_simulator")
    if seed is not None:
        pubs.whole(seed, "options.simulator.seed_simulator", least=0, most=MAX_SEED)
    total = before = 0
    for index, pub in enumerate(_pubs(params, chosen)):
        total += pub.shots * pub.values.count
        if total > MAX_SHOTS:
            raise invalid(f"All parameter sets of a job have at most {MAX_SHOTS:,} shots together.")
        for shots in pubs.shares_of(pub.shots):
            for first, count in pubs.blocks(pub.values.count, _most_sets(pub.circuit, shots)):
                yield Piece(
                    {
                        **pub.circuit,
                        **pub.values.fields(first, count),
                        "shots": shots,
                        "seed": pubs.seed_after(seed, before + first),
                        "outputs": ["counts", "registers"],
                    },
                    Part(index, first),
                )
        before += pub.values.count


def _check_names(params: Mapping[str, Any]) -> None:
    known = {"pubs", "options", "version", "support_qiskit", "shots"}
    pubs.check_names(params, known, "A sampler")
    if params.get("version", 2) != 2:
        raise invalid("Only version 2 of the sampler is supported.")


def _pubs(params: Mapping[str, Any], chosen: Mapping[str, Any]) -> Iterator[_Pub]:
    default = params.get("shots") or chosen.get("default_shots") or DEFAULT_SHOTS
    twirled = options.twirled_shots(chosen)
    for index, given in enumerate(pubs.sequence(params.get("pubs"), "pubs")):
        where = f"PUB {index}"
        parts = [given] if isinstance(given, str) else pubs.sequence(given, where)
        if len(parts) > 3:
            raise invalid(f"{where} has more than a circuit, values and shots.")
        circuit, values, shots = (*parts, None, None)[:3]
        shots = pubs.whole(default if shots is None else shots, "shots", least=1, most=MAX_SHOTS)
        if twirled not in (None, shots):
            raise invalid(f"options.twirling has {twirled:,} shots, {where} has {shots:,}.")
        yield _Pub(pubs.circuit_of(circuit, where), pubs.values_of(values, where), shots)


def _most_sets(circuit: Mapping[str, str], shots: int) -> int:
    """Whose counts surely fit a result."""
    width = _SPARSE_BITS
    if circuit.get("circuit_format") == "qpy":
        try:
            width = read_header(circuit["circuit"]).clbits
        except CircuitError as error:
            raise invalid(error.message) from None
    outcomes = shots if width >= _SPARSE_BITS else min(shots, 1 << width)
    return pubs.RESULT_BYTES // (outcomes * (2 * width + 10))


def result(params: Mapping[str, Any], ended: EndedOf) -> Any:
    """What the client's decoder makes a `PrimitiveResult` of."""
    found = []
    for index, pub in enumerate(params["pubs"]):
        values = None if isinstance(pub, str) or len(pub) < 2 else pub[1]
        shape = pubs.values_of(values, "").shape
        found.append(_pub_result(ended(index), shape))
    return {
        "__type__": "PrimitiveResult",
        "__value__": {"pub_results": found, "metadata": {"version": 2}},
    }


def _pub_result(ended: Sequence[Ended], shape: tuple[int, ...]) -> Any:
    first = ended[0]
    registers = {each["name"]: each["bits"] for each in first.result["registers"]}
    packed: dict[str, list[Array]] = {name: [] for name in registers}
    for rows in bits.by_set(ended):
        for name, places in registers.items():
            packed[name].append(bits.packed(rows, places))
    fields = {}
    for name, places in registers.items():
        whole = np.array(packed[name])
        array = as_npy(whole.reshape(*shape, *whole.shape[1:]))
        told = {"array": array, "num_bits": len(places)}
        fields[name] = {"__type__": "BitArray", "__value__": told}
    data = {
        "field_names": list(fields),
        "field_types": ["BitArray"] * len(fields),
        "shape": list(shape),
        "fields": fields,
    }
    metadata = {"circuit_metadata": fragment(pubs.metadata_of(*first.circuit))}
    return {
        "__type__": "SamplerPubResult",
        "__value__": {"data": {"__type__": "DataBin", "__value__": data}, "metadata": metadata},
    }
