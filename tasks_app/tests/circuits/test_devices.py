"""Simulated devices, against Qiskit's own simulation of the same device and density matrices."""

import json
import math
from collections.abc import Callable
from functools import cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Clbit, Duration
from qiskit.circuit.classical import expr
from qiskit.circuit.random import random_circuit
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import DensityMatrix, SparsePauliOp
from qiskit.transpiler import CouplingMap
from qiskit_aer import AerSimulator

from tasks_app.circuits import Backend, CircuitError, Job, Limits
from tasks_app.circuits.backend import shipped
from tasks_app.circuits.job import as_message
from tasks_app.circuits.sandbox.svg import is_drawing
from tasks_app.circuits.simulation.runner import Runner
from tasks_app.circuits.snapshot import definition_of
from tasks_app.tests.circuits.reference import assert_follows
from tasks_app.tests.circuits.test_qpy import file_of, sent

QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = QASM3 + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
RUNNER = Runner(Limits(memory_mb=2_048))
SHIPPED = {each.name: each for each in shipped()}
LINE5, GRID16 = (
    Backend(name, SHIPPED[name].kind, json.dumps(SHIPPED[name].definition))
    for name in ("noisy_line5", "noisy_grid16")
)


@cache
def generic(control_flow: bool = False) -> GenericBackendV2:
    """Five qubits in a line, with a calibration of its own."""
    coupling = CouplingMap.from_line(5)
    return GenericBackendV2(5, coupling_map=coupling, control_flow=control_flow, seed=7)


@cache
def imported(control_flow: bool = False) -> Backend:
    return Backend("generic", "aer_device", json.dumps(definition_of(generic(control_flow))))


def run(circuit: str | QuantumCircuit, backend: Backend | None = None, **options: Any) -> Any:
    if isinstance(circuit, QuantumCircuit):
        circuit, options = sent(file_of(circuit)), options | {"circuit_format": "qpy"}
    job = Job(circuit=circuit, backend=backend or imported(), **{"seed": 1, **options})
    return RUNNER.run(as_message(job) | {"threads": 1})


def error_of(circuit: str | QuantumCircuit, **options: Any) -> CircuitError:
    with pytest.raises(CircuitError) as caught:
        run(circuit, **options)
    return caught.value


def drawn(seed: int) -> QuantumCircuit:
    width = 1 + seed % 4
    return random_circuit(width, 4, max_operands=min(width, 3), seed=seed)


def placed_by_qiskit(circuit: QuantumCircuit, level: int = 2) -> QuantumCircuit:
    return transpile(circuit, generic(), optimization_level=level, seed_transpiler=0)


def state_of(placed: QuantumCircuit, numbers: list[int]) -> DensityMatrix:
    """Of these qubits of the device, in this order, as Qiskit's own simulation leaves them."""
    placed.save_density_matrix(qubits=numbers)
    simulator = AerSimulator.from_backend(generic(), method="density_matrix")
    return DensityMatrix(simulator.run(placed).result().data()["density_matrix"])


def read(state: DensityMatrix, numbers: list[int]) -> dict[str, float]:
    """Probabilities of what is read of these qubits of the device."""
    errors = [generic().target["measure"][number,].error for number in numbers]
    confusions = [np.array([[1 - each, each], [each, 1 - each]]) for each in reversed(errors)]
    chances = reduce(np.kron, confusions) @ state.probabilities()
    return {f"{place:0{len(numbers)}b}": chance for place, chance in enumerate(chances)}


@pytest.mark.parametrize("seed", range(50))
def test_counts_are_those_of_qiskits_own_simulation(seed: int) -> None:
    circuit, level = drawn(seed), seed % 4
    circuit.measure_all()
    counts = run(circuit, optimization_level=level, shots=4_000)["counts"]
    placed = placed_by_qiskit(circuit, level)
    measured = {
        placed.find_bit(each.clbits[0]).index: placed.find_bit(each.qubits[0]).index
        for each in placed.data
        if each.name == "measure"
    }
    numbers = [measured[bit] for bit in sorted(measured)]
    placed.remove_final_measurements()
    assert_follows(counts, read(state_of(placed, numbers), numbers))


@pytest.mark.parametrize("seed", range(50))
def test_what_is_told_exactly_is_that_of_the_density_matrix(seed: int) -> None:
    circuit, level = drawn(100 + seed), seed % 4
    width, random = circuit.num_qubits, np.random.default_rng(seed)
    observables = [
        {"".join(random.choice(list("IXYZ"), width)): random.normal() for _ in range(4)}
        for _ in range(3)
    ]
    placed = placed_by_qiskit(circuit, level)
    numbers = placed.layout.final_index_layout(filter_ancillas=True)
    state = state_of(placed, numbers)
    circuit.measure_all()
    result = run(
        circuit, outputs=["probabilities"], observables=observables, optimization_level=level
    )
    right = [state.expectation_value(SparsePauliOp.from_list(each.items())) for each in observables]
    assert result["expectation_values"] == pytest.approx(np.real(right), abs=1e-8)
    assert result["standard_errors"] == [0, 0, 0]
    told = {key: result["probabilities"].get(key, 0.0) for key in read(state, numbers)}
    assert told == pytest.approx(read(state, numbers), abs=1e-8)
    assert result["metadata"]["final_layout"] == numbers
    assert result["metadata"]["method"] == "density_matrix"


def assert_alike(counts: dict[str, int], others: dict[str, int]) -> None:
    """Both follow the same distribution, whose outcomes are few."""
    shots, total = sum(counts.values()), sum(others.values())
    for key in counts.keys() | others.keys():
        chance = (counts.get(key, 0) + others.get(key, 0)) / (shots + total)
        spread = math.sqrt(chance * (1 / shots + 1 / total))
        assert abs(counts.get(key, 0) / shots - others.get(key, 0) / total) < 5 * spread


def teleported() -> QuantumCircuit:
    """Registers that are measured in the middle, out of order and with a bit between them."""
    qubits, sent, got = (
        QuantumRegister(3),
        ClassicalRegister(2, "sent"),
        ClassicalRegister(1, "got"),
    )
    circuit = QuantumCircuit(qubits, got, [Clbit()], sent)
    circuit.ry(1.1, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [sent[1], sent[0]])
    with circuit.if_test((sent[0], 1)):
        circuit.x(2)
    with circuit.if_test((sent[1], 1)):
        circuit.z(2)
    circuit.measure(2, got[0])
    return circuit


def repeated() -> QuantumCircuit:
    circuit = QuantumCircuit(4, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.h(0)
        circuit.cx(0, 3)
        circuit.measure(0, 0)
    circuit.reset(0)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(1):
            circuit.cx(3, 1)
        with case(case.DEFAULT):
            circuit.x(1)
    circuit.measure([1, 3], [1, 2])
    return circuit


def measured_between() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 4)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(1, 3)
    circuit.h(1)
    circuit.cx(0, 2)
    circuit.reset(0)
    circuit.measure([0, 1, 2], [1, 2, 0])
    return circuit


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("make", [teleported, repeated, measured_between])
def test_programs_that_measure_on_the_way(make: Callable[[], QuantumCircuit], level: int) -> None:
    circuit = make()
    steered = circuit.has_control_flow_op()
    counts = run(circuit, imported(steered), shots=6_000, optimization_level=level)["counts"]
    placed = transpile(circuit, generic(steered), optimization_level=level, seed_transpiler=0)
    simulator = AerSimulator.from_backend(generic(steered))
    found = simulator.run(placed, shots=6_000, seed_simulator=1).result().data()["counts"]
    # Qiskit's own formatting does not know bits outside of registers.
    bits = {f"{int(key, 16):0{circuit.num_clbits}b}": times for key, times in found.items()}
    assert_alike({key.replace(" ", ""): times for key, times in counts.items()}, bits)


def test_the_bits_of_a_program_keep_their_places() -> None:
    declared = "qubit[4] q; bit[2] a; bit b; bit[3] c; "
    program = "x q[0]; cx q[0], q[3]; swap q[3], q[1]; b = measure q[1]; c[1] = measure q[0]; "
    for backend in (LINE5, GRID16, imported()):
        for level in range(4):
            result = run(QASM3 + declared + program, backend, optimization_level=level)
            assert max(result["counts"], key=result["counts"].get) == "010 1 00"


def test_sets_are_as_if_each_were_run_alone() -> None:
    program = QASM3 + (
        "input float a; input float b; qubit[3] q; bit[3] c; h q[0]; rx(a) q[1]; crz(a * b) q[0], "
        "q[2]; cx q[1], q[2]; ry(b + 1) q[0]; c = measure q;"
    )
    sets = [{"a": 0.1 * i, "b": 2 - 0.3 * i} for i in range(10)]
    asked: dict[str, Any] = {
        "outputs": ["counts", "probabilities"],
        "observables": [{"ZXY": 1}, {"IIZ": -2}],
    }
    result = run(program, parameter_sets=sets, shots=2_000, **asked)
    assert result["metadata"]["compilations"] == 1
    for values, told in zip(sets, result["sets"], strict=True):
        alone = run(program, parameters=values, seed=told["seed"], shots=2_000, **asked)
        assert told["expectation_values"] == pytest.approx(alone["expectation_values"], abs=1e-9)
        assert told["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-9)
        assert_follows(told["counts"], alone["probabilities"])


def test_values_of_a_set_are_those_of_the_angles_written_out() -> None:
    program = QASM3 + "{} qubit[2] q; rx({}) q[0]; cx q[0], q[1]; rzz({} / 3) q[0], q[1];"
    asked: dict[str, Any] = {
        "observables": [{"XY": 1}, {"ZI": 1}, {"ZZ": 1}],
        "optimization_level": 0,
    }
    waiting = run(program.format("input float t;", "t", "t"), parameters={"t": 0.7}, **asked)
    written = run(program.format("", 0.7, 0.7), **asked)
    assert waiting["expectation_values"] == pytest.approx(written["expectation_values"], abs=1e-9)


def test_a_bit_that_is_written_twice_is_misread_once() -> None:
    definition = json.loads(LINE5.definition)
    definition["qubits"] = [{"readout_error": [0.1, 0.2]}] * 5
    device = Backend("misreads", "aer_device", json.dumps(definition))
    program = QASM3 + "bit c; c = measure $0; c = measure $0;"
    assert_follows(run(program, device, shots=20_000)["counts"], {"0": 0.9, "1": 0.1})


def test_a_qubit_relaxes_while_it_waits() -> None:
    t1, t2 = (json.loads(LINE5.definition)["qubits"][0][name] for name in ("t1_s", "t2_s"))
    program = QASM3 + "bit c; {} $0; delay[{}us] $0; c = measure $0; delay[1s] $0;"
    asked: dict[str, Any] = {
        "optimization_level": 0,
        "observables": [{"Z": 1}],
        "outputs": ["probabilities"],
    }
    excited = run(program.format("x", 0), LINE5, **asked)["expectation_values"][0]
    for length in (20, 100, 400):
        told = run(program.format("x", length), LINE5, **asked)
        right = 1 + (excited - 1) * math.exp(-length * 1e-6 / t1)
        assert told["expectation_values"] == [pytest.approx(right, abs=1e-5)]
        up, down = json.loads(LINE5.definition)["qubits"][0]["readout_error"]
        one = (1 - right) / 2 * (1 - down) + (1 + right) / 2 * up
        assert told["probabilities"]["1"] == pytest.approx(one, abs=1e-5)
    asked["observables"] = [{"X": 1}]
    fresh = run(program.format("h", 0), LINE5, **asked)["expectation_values"][0]
    waited = run(program.format("h", 50), LINE5, **asked)["expectation_values"][0]
    assert waited == pytest.approx(fresh * math.exp(-50e-6 / t2), abs=1e-5)
    steps = round(50e-6 / json.loads(LINE5.definition)["dt_s"])
    in_steps = QASM3 + f"h $0; delay[{steps}dt] $0;"
    assert run(in_steps, LINE5, **asked)["expectation_values"][0] == pytest.approx(waited, abs=1e-5)


@pytest.mark.parametrize(
    ("times", "along", "across"),
    [
        ({"t1_s": 1e-4}, 2 * math.exp(-0.5) - 1, math.exp(-0.25)),
        ({"t2_s": 1e-4}, 1, math.exp(-0.5)),
    ],
    ids=["T1", "T2"],
)
def test_a_time_that_is_not_known_is_left_out(
    times: dict[str, float], along: float, across: float
) -> None:
    definition = json.loads(LINE5.definition)
    definition["qubits"] = [times] * 5
    definition["gates"] = {name: [{"qubits": [0]}] for name in ("x", "sx", "rz")}
    device = Backend("half_known", "aer_device", json.dumps(definition))
    for gate, letter, right in (("x", "Z", -along), ("h", "X", across)):
        program = QASM3 + f"{gate} $0; delay[50us] $0;"
        told = run(program, device, observables=[{letter: 1}])["expectation_values"]
        assert told == [pytest.approx(right, abs=1e-5)]


def test_a_delay_that_only_the_service_could_work_out_is_refused() -> None:
    circuit = QuantumCircuit(1)
    circuit.delay(expr.lift(Duration.us(50)), 0)
    with pytest.raises(CircuitError, match="for a known time only"):
        run(circuit, LINE5)


def test_a_qubit_relaxes_where_a_measurement_lets_it_wait() -> None:
    program = (
        QASM3
        + "bit[2] c; x $0; c[0] = measure $0; if (c[0]) { delay[10ms] $0; } c[1] = measure $0;"
    )
    counts = run(program, LINE5, shots=2_000)["counts"]
    assert counts["01"] > 1_800


def test_qubits_of_the_hardware_stay_where_they_are() -> None:
    result = run(QASM3 + "bit[2] c; h $2; cx $2, $3; c[0] = measure $2; c[1] = measure $3;", LINE5)
    assert result["metadata"]["layout"] == [0, 1, 2, 3]
    shown = run(BELL, LINE5, outputs=["circuit", "probabilities"], optimization_level=3)
    text = shown["circuit"]["openqasm"]
    again = run(text, LINE5, outputs=["circuit", "probabilities"], optimization_level=0)
    assert again["circuit"]["openqasm"] == text
    assert again["probabilities"] == pytest.approx(shown["probabilities"], abs=1e-9)


def test_the_circuit_shown_is_the_one_on_the_device() -> None:
    result = run(
        QASM3 + "qubit[3] q; bit c; h q[0]; ccx q[0], q[1], q[2]; c = measure q[2];",
        GRID16,
        outputs=["circuit"],
    )
    names = SHIPPED["noisy_grid16"].definition["gates"].keys() | {"measure"}
    assert result["circuit"]["gate_counts"].keys() <= names
    placed = {f"${number}" for number in result["metadata"]["layout"]}
    assert placed == {
        word.strip(",;") for word in result["circuit"]["openqasm"].split() if "$" in word
    }
    assert result["circuit"]["qubits"] == 3 and is_drawing(result["circuit"]["svg"])
    assert result["metadata"]["transpiler_seed"] == 0
    assert result["metadata"]["optimization_level"] == 2
    assert result["metadata"]["backend"] == "noisy_grid16"


def test_qubits_that_nothing_acts_on_cost_nothing() -> None:
    program = (
        QASM3
        + "qubit[16] q; bit[2] c; h q[3]; cx q[3], q[9]; c[0] = measure q[3]; c[1] = measure q[9];"
    )
    values = run(program, GRID16, observables=[{"I" * 16: 2}, {"Z" + "I" * 15: 1}])[
        "expectation_values"
    ]
    assert values == pytest.approx([2, 1])
    assert run(program, GRID16, outputs=["circuit"])["circuit"]["qubits"] == 2
    assert run(QASM3 + "qubit[2] q;", GRID16, observables=[{"IZ": 1}])["expectation_values"] == [1]
    for program in ("qubit[2] q;", "bit c;"):
        assert run(QASM3 + program, GRID16)["counts"] == {}


def test_without_noise_a_device_tells_what_the_ideal_simulator_does() -> None:
    ring = range(12)
    one = [{"qubits": [place]} for place in ring]
    two = [{"qubits": [place, (place + 1) % 12]} for place in ring]
    gates = {**dict.fromkeys(("sx", "x", "rz", "reset"), one), "cz": two}
    definition = {"qubits": [{}] * 12, "gates": gates, "dt_s": 1e-9}
    ideal = Backend("ideal", "aer_device", json.dumps(definition))
    compared = 0
    for path in sorted((Path(__file__).parent / "programs").rglob("*.qasm")):
        right = plain(path.read_text())
        if right is None or right["metadata"]["qubits"] > 12 or path.stem == "ipe":
            continue  # Wider than the device, or run path by path.
        told = run(path.read_text(), ideal, optimization_level=3)
        assert_alike(told["counts"], right["counts"])
        compared += 1
    assert compared > 100


def plain(program: str) -> Any:
    """What the ideal simulator tells; None where the program is refused."""
    try:
        return RUNNER.run(as_message(Job(circuit=program, seed=2)) | {"threads": 1})
    except CircuitError:
        return None
