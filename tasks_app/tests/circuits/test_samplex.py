"""Circuits whose values a samplex draws: each is another one, and means the same."""

import base64
import math
import zlib
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import PauliLindbladMap
from samplomatic import InjectNoise, Twirl, build
from samplomatic.serialization import samplex_to_json

from tasks_app.tests.circuits.test_qpy import file_of, refusal, run_file


def boxed(noise: bool = False) -> QuantumCircuit:
    """A turned qubit and a copy of it."""
    circuit = QuantumCircuit(2)
    annotations = [Twirl(), *([InjectNoise("loss")] if noise else [])]
    with circuit.box(annotations):
        circuit.rx(Parameter("t"), 0)
        circuit.cx(0, 1)
    with circuit.box([Twirl()]):
        circuit.measure_all()
    return circuit


def tensor(values: Any) -> dict[str, Any]:
    given = np.asarray(values, "<f8")
    data = base64.b64encode(zlib.compress(given.tobytes())).decode()
    return {"data": data, "shape": list(given.shape), "dtype": "f64", "compressed": True}


def asked(circuit: QuantumCircuit, **fields: Any) -> tuple[bytes, dict[str, Any]]:
    template, samplex = build(circuit)
    given = {"samplex_json": samplex_to_json(samplex), "first": 0, **fields}
    return file_of(template, 17), given


def flips(result: dict[str, Any]) -> Any:
    drawn = result["drawn"]["measurement_flips.meas"]
    bits = np.unpackbits(
        np.frombuffer(base64.b64decode(drawn["data"]), np.uint8), bitorder="little"
    )
    return bits[: math.prod(drawn["shape"])].reshape(drawn["shape"])[:, 0]


def corrected(result: dict[str, Any]) -> list[set[str]]:
    """The outcomes of each set, with the flips that were drawn undone."""
    found = []
    for each, (first, second) in zip(result["sets"], flips(result), strict=True):
        flip = int(f"{second}{first}", 2)
        found.append({f"{int(outcome, 2) ^ flip:02b}" for outcome in each["counts"]})
    return found


def test_outcomes_are_those_of_the_circuit_once_their_flips_are_undone() -> None:
    angles = [[0.0], [math.pi]]  # in pairs of twelve randomizations
    data, samplex = asked(
        boxed(), arguments={"parameter_values": tensor(angles)}, shape=[12, 2], count=24
    )
    result = run_file(data, samplex=samplex)
    assert corrected(result) == [{"00"}, {"11"}] * 12
    assert len({outcome for each in result["sets"] for outcome in each["counts"]}) > 1
    assert result["metadata"]["compilations"] == 1


def test_a_part_of_the_elements_may_be_asked_for() -> None:
    arguments = {"parameter_values": tensor([[0.0], [math.pi]])}
    data, samplex = asked(boxed(), arguments=arguments, shape=[12, 2], count=3)
    result = run_file(data, samplex=samplex | {"first": 21})
    assert corrected(result) == [{"11"}, {"00"}, {"11"}]
    assert "fewer elements" in refusal(data, samplex=samplex | {"first": 22}).message


@pytest.mark.parametrize("shape", [[], [2], [1, 1], [4, 3, 1]], ids=str)
def test_a_shape_that_leaves_out_elements_of_the_arguments_is_refused(shape: list[int]) -> None:
    arguments = {"parameter_values": tensor(np.zeros((3, 2, 1)))}
    data, samplex = asked(boxed(), arguments=arguments, shape=shape, count=1)
    assert (
        f"{shape} does not extend that of its arguments, [3, 2]"
        in refusal(data, samplex=samplex).message
    )


def test_a_seed_draws_the_same() -> None:
    arguments = {"parameter_values": tensor([0.3])}
    data, samplex = asked(boxed(), arguments=arguments, shape=[5], count=5)
    first, again, other = (run_file(data, samplex=samplex, seed=seed) for seed in (1, 1, 2))
    assert (first["sets"], first["drawn"]) == (again["sets"], again["drawn"])
    assert first["drawn"] != other["drawn"]


def test_noise_that_is_asked_for_is_drawn() -> None:
    loss = PauliLindbladMap.from_list([("IX", 50.0)])  # A bit flips in half of the cases.
    terms = {"sparse_terms": loss.to_sparse_list(), "num_qubits": 2}
    arguments = {"parameter_values": tensor([0.0]), "pauli_lindblad_maps.loss": terms}
    data, samplex = asked(boxed(noise=True), arguments=arguments, shape=[40], count=40)
    outcomes = [outcome for each in corrected(run_file(data, samplex=samplex)) for outcome in each]
    assert len(set(outcomes)) == 2 and set(outcomes) < {"00", "01", "10", "11"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"samplex_json": "{}"},
        {"samplex_json": "no"},
        {"arguments": {}},
        {"arguments": {"parameter_values": 1}},
        {"arguments": {"parameter_values": tensor([0.0]) | {"shape": [9]}}},
        {"arguments": {"parameter_values": tensor([0.0]) | {"dtype": "O"}}},
        {"arguments": {"colour": True}},
    ],
    ids=str,
)
def test_what_nothing_can_be_drawn_from_is_refused(wrong: dict[str, Any]) -> None:
    arguments = {"parameter_values": tensor([0.3])}
    data, samplex = asked(boxed(), arguments=arguments, shape=[5], count=5)
    assert refusal(data, samplex=samplex | wrong).code == "invalid_parameters"


def test_parameters_beside_it_are_refused() -> None:
    arguments = {"parameter_values": tensor([0.3])}
    data, samplex = asked(boxed(), arguments=arguments, shape=[5], count=5)
    assert "not both" in refusal(data, samplex=samplex, parameters={"t": 1.0}).message
