"""Circuits as QPY: what Qiskit writes runs as Qiskit means it, and nothing else gets far."""

import base64
import gzip
import io
import math
import random
import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import (
    AnnotatedOperation,
    Clbit,
    ControlModifier,
    Gate,
    Instruction,
    Parameter,
    ParameterVector,
    PowerModifier,
    Qubit,
    library,
)
from qiskit.circuit.classical import expr
from qiskit.quantum_info import Pauli, SparsePauliOp, Statevector, random_clifford, random_unitary

from tasks_app.circuits import CircuitError, Job, Limits, Sandbox
from tasks_app.circuits.job import as_message, check_job
from tasks_app.circuits.simulation.runner import Runner

VERSIONS = range(13, 19)
LIMITS = Limits(memory_mb=1_024, max_operations=20_000, deadline_s=10)


def file_of(circuit: QuantumCircuit | list[QuantumCircuit], version: int = 18) -> bytes:
    file = io.BytesIO()
    qpy.dump(circuit, file, version=version)
    return file.getvalue()


def sent(data: bytes) -> str:
    return base64.b64encode(data).decode()


def run_file(data: bytes, limits: Limits = LIMITS, **options: Any) -> dict[str, Any]:
    job = Job(circuit=sent(data), circuit_format="qpy", **{"shots": 20, "seed": 1, **options})
    check_job(job, limits)
    return Runner(limits).run(as_message(job) | {"threads": 1})


def refusal(data: bytes, **options: Any) -> CircuitError:
    with pytest.raises(CircuitError) as caught:
        run_file(data, **options)
    return caught.value


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def gate(name: str, definition: QuantumCircuit) -> Gate:
    made = Gate(name, definition.num_qubits, [])
    made.definition = definition
    return made


def flip() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.x(0)
    return circuit


# Each ends with the outcome beside it for certain.
CERTAIN: list[tuple[str, Callable[[QuantumCircuit], Any]]] = [
    ("101", lambda c: c.initialize([0, 0, 0, 0, 0, 1, 0, 0])),
    ("101", lambda c: c.initialize(5)),
    ("101", lambda c: c.prepare_state("101")),
    ("100", lambda c: c.append(library.PauliGate("XIZ"), range(3))),
    ("000", lambda c: [c.unitary(random_unitary(8, seed=s), range(3)) for s in (1,)] and
     c.unitary(random_unitary(8, seed=1).adjoint(), range(3))),
    ("000", lambda c: [c.append(part, range(3)) for part in (
        random_clifford(3, seed=3), random_clifford(3, seed=3).adjoint())]),
    ("010", lambda c: [c.x(1)] + [c.append(part, range(3)) for part in (
        library.QFTGate(3), library.QFTGate(3).inverse())]),
    ("100", lambda c: c.append(library.PauliEvolutionGate(
        SparsePauliOp(["XII", "IZZ"], [1, 2]), time=math.pi / 2), range(3))),
    ("111", lambda c: [c.x([0, 1]), c.mcx([0, 1], 2)]),
    ("110", lambda c: [c.append(library.XGate().control(2, ctrl_state=0), [0, 1, 2]),
                       c.append(library.CXGate(ctrl_state=0), [0, 1])]),
    ("111", lambda c: [c.x(0), c.append(AnnotatedOperation(
        library.XGate(), [ControlModifier(1), PowerModifier(3)]), [0, 1]),
        c.append(gate("mine", flip()).control(2), [0, 1, 2])]),
    ("011", lambda c: [c.h([0, 1]), c.append(library.DiagonalGate([1, -1, -1, 1]), [0, 1]),
                       c.h([0, 1])]),
    ("111", lambda c: [c.x(0), c.append(library.MCMTGate(library.XGate(), 1, 2), [0, 1, 2])]),
    ("001", lambda c: [c.append(library.GlobalPhaseGate(1)), c.delay(9, 0), c.barrier(), c.x(0)]),
]  # fmt: skip


def test_a_delay_whose_unit_is_lost_is_told() -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((0, 0)):
        circuit.delay(5, 0, "us")
    circuit.measure(0, 0)
    (note,) = run_file(file_of(circuit))["metadata"]["notes"]
    assert "(dt)" in note


@pytest.mark.parametrize("version", VERSIONS)
def test_what_qiskit_writes_runs_as_qiskit_means_it(version: int) -> None:
    for outcome, build in CERTAIN:
        circuit = QuantumCircuit(3)
        build(circuit)
        circuit.measure_all()
        assert run_file(file_of(circuit, version))["counts"] == {outcome: 20}


def test_what_a_file_forgets_is_known_all_the_same() -> None:
    for label in (None, "mine"):
        there = library.StatePreparation("r-", label=label)
        circuit = QuantumCircuit(6)
        circuit.h([0, 1])
        circuit.x([2, 3])
        circuit.mcx([2, 3, 4], 5, [1], mode="v-chain-dirty", ctrl_state=3)
        circuit.append(there.inverse(), [0, 1])
        circuit.append(there, [0, 1])
        circuit.h([0, 1])
        circuit.measure_all()
        counts = run_file(file_of(circuit))["counts"]
        assert counts == {"101100": 20}
    circuit = QuantumCircuit(3)
    circuit.append(AnnotatedOperation(there.inverse(), [ControlModifier(1)]), range(3))
    assert "does not say" in refusal(file_of(circuit)).message


def test_a_label_of_a_gate_keeps_no_noise_away() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.append(library.XGate(label="mine"), [0])
    circuit.append(library.CXGate(label="h"), [0, 1])
    circuit.measure([0, 1], [0, 1])
    for noise in ({"gates": {"x": 1}}, {"depolarizing_2q": 1}):
        assert len(run_file(file_of(circuit), noise=noise, shots=100)["counts"]) > 1


def test_a_gate_of_the_users_own_is_its_definition_whatever_its_name() -> None:
    nothing = QuantumCircuit(1)
    nothing.id(0)
    circuit = QuantumCircuit(2)
    circuit.append(gate("x", nothing), [0])
    circuit.append(gate("h", flip()), [1])
    twice = AnnotatedOperation(gate("x", nothing), [PowerModifier(1)])
    for base in (gate("x", nothing), twice):
        circuit.append(AnnotatedOperation(base, [ControlModifier(1)]), [1, 0])
    circuit.measure_all()
    assert run_file(file_of(circuit))["counts"] == {"10": 20}


def test_control_flow_runs() -> None:
    qubits, bits, last = QuantumRegister(2), ClassicalRegister(2, "bits"), ClassicalRegister(4, "m")
    circuit = QuantumCircuit(qubits, bits, last)
    factor = Parameter("factor")
    with circuit.for_loop(range(4), factor):
        circuit.rx(factor * math.pi / 2, 0)  # By 3 pi in all.
    circuit.measure(0, bits[0])
    with circuit.if_test(expr.logic_and(expr.less(bits, 2), bits[0])):
        circuit.x(1)
    circuit.measure(1, last[0])
    with circuit.switch(bits) as case:
        with case(0, 2):
            circuit.x(0)
        with case(1):
            circuit.x(1)
        with case(case.DEFAULT):
            circuit.x(0)
    circuit.measure(1, last[1])
    with circuit.while_loop((bits[0], 1)):
        circuit.x(0)
        circuit.measure(0, bits[0])
    with circuit.for_loop(range(9)):
        circuit.x(1)
        circuit.measure(1, last[2])
        with circuit.if_test((last[2], 1)):
            circuit.break_loop()
    with circuit.box():
        circuit.measure(0, last[3])
    with circuit.for_loop(range(3)):
        circuit.x(0)
    for version in VERSIONS:
        assert run_file(file_of(circuit, version))["counts"] == {"0101 00": 20}


def test_what_a_nested_block_reads_is_a_bit_of_the_circuit() -> None:
    """A block in a file has bits of its own; those outside registers are known by place only."""
    circuit = QuantumCircuit([Qubit(), Qubit()], [Clbit(), Clbit()])
    circuit.add_register(ClassicalRegister(bits=circuit.clbits[::-1], name="back"))
    circuit.x(1)
    circuit.measure(1, 1)
    with circuit.if_test((circuit.clbits[0], 0)), circuit.if_test((circuit.clbits[1], 1)):
        with circuit.if_test((circuit.cregs[0], 1)):
            circuit.x(0)
        with circuit.for_loop(range(3)):
            circuit.measure(0, 0)
            with circuit.if_test(expr.bit_and(*circuit.clbits)):
                circuit.break_loop()
            circuit.x(0)
    circuit.x(0)
    circuit.measure(0, 0)
    for version in VERSIONS:
        assert run_file(file_of(circuit, version))["counts"] == {"10": 20}


def test_a_block_of_stores_runs_when_it_is_its_turn() -> None:
    circuit = QuantumCircuit(2, 6)
    zero, one, loop, first, second, last = circuit.clbits
    circuit.x(0)
    circuit.measure(0, one)
    circuit.measure(0, loop)
    with circuit.if_test((zero, 1)):
        circuit.store(first, True)
    with circuit.if_test((zero, 1)):
        circuit.x(1)
        with circuit.if_test((one, 1)):
            circuit.store(first, True)
    with circuit.switch(one) as case:
        with case(0):
            circuit.store(first, True)
        with case(1):
            circuit.store(second, True)
    with circuit.while_loop((loop, 1)):
        circuit.store(loop, False)
    circuit.measure(1, last)
    assert run_file(file_of(circuit))["counts"] == {"010010": 20}


def test_an_instruction_may_measure() -> None:
    part = QuantumCircuit(1, 1, name="part")
    part.x(0)
    part.measure(0, 0)
    part.reset(0)
    circuit = QuantumCircuit(1, 2)
    circuit.append(part.to_instruction(), [0], [1])
    circuit.measure(0, 0)
    assert run_file(file_of(circuit))["counts"] == {"10": 20}


def test_registers_are_shown_as_qiskit_prints_them_and_loose_bits_apart() -> None:
    circuit = QuantumCircuit(
        [Qubit(), Qubit()], [Clbit()], ClassicalRegister(2, "a"), ClassicalRegister(1, "b")
    )
    circuit.x(1)
    circuit.measure(1, 0)
    circuit.measure(1, 2)
    result = run_file(file_of(circuit))
    assert result["counts"] == {"0 10 1": 20}
    assert result["metadata"]["language"] == "QPY 18"


def test_the_bits_of_registers_are_told_by_their_places_in_an_outcome() -> None:
    bits = [Clbit() for _ in range(3)]
    low, high = (
        ClassicalRegister(bits=bits[:2], name="low"),
        ClassicalRegister(bits=bits[1:], name="h"),
    )
    circuit = QuantumCircuit(QuantumRegister(2), [Clbit()], ClassicalRegister(1, "first"))
    circuit.add_register(low, high)
    circuit.x(0)
    circuit.measure(0, bits[1])
    result = run_file(file_of(circuit), outputs=["counts", "registers"])
    (outcome,) = result["counts"]
    bit = outcome.replace(" ", "")[::-1]
    told = [(each["name"], [bit[place] for place in each["bits"]]) for each in result["registers"]]
    assert told == [("first", ["0"]), ("low", ["0", "1"]), ("h", ["1", "0"])]


def test_bits_that_are_called_as_qubits_are_told() -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "meas"), ClassicalRegister(1, "first"))
    circuit.measure_all()
    registers = run_file(file_of(circuit), outputs=["counts", "registers"])["registers"]
    assert registers == [{"name": "first", "bits": [0]}, {"name": "meas", "bits": [1]}]


def test_values_may_come_in_the_order_of_qiskits_parameters() -> None:
    vector = ParameterVector("v", 11)
    circuit = QuantumCircuit(12, 12)
    for place, parameter in enumerate((*vector, Parameter("u"))):
        circuit.rx(parameter, place)
    circuit.measure(range(12), range(12))
    values = [
        math.pi * (parameter.name in ("u", "v[2]", "v[10]")) for parameter in circuit.parameters
    ]
    result = run_file(file_of(circuit), parameter_sets=[values, [0.0] * 12])
    assert [list(each["counts"]) for each in result["sets"]] == [["110000000100"], ["0" * 12]]
    for other in (values[1:], [*values, 0.0]):
        assert "takes 12 values in order" in refusal(file_of(circuit), parameters=other).message


def test_an_angle_may_have_lost_its_parameters() -> None:
    angle = Parameter("a")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(angle - angle - math.pi, 0)
    circuit.rz(angle, 0)
    circuit.measure(0, 0)
    assert run_file(file_of(circuit), parameters={"a": 0.3})["counts"] == {"1": 20}


@pytest.mark.parametrize("parameters", [{"a": 0.3}, [0.3]])
def test_a_parameter_may_be_used_by_nothing(parameters: Any) -> None:
    made = Gate("mine", 1, [Parameter("a")])
    made.definition = flip()
    circuit = QuantumCircuit(1, 1)
    circuit.append(made, [0])
    circuit.measure(0, 0)
    assert run_file(file_of(circuit), parameters=parameters)["counts"] == {"1": 20}


def test_registers_may_share_bits() -> None:
    qubits, bits = [Qubit(), Qubit()], [Clbit(), Clbit()]
    circuit = QuantumCircuit(qubits, bits)
    circuit.add_register(QuantumRegister(bits=qubits[::-1], name="back"))
    circuit.add_register(ClassicalRegister(bits=bits[::-1], name="back_bits"))
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.cregs[0], 2)):
        circuit.x(1)
    circuit.measure(1, 1)
    assert run_file(file_of(circuit))["counts"] == {"11": 20}


def test_a_power_of_a_gate_has_its_angle() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.append(AnnotatedOperation(library.RXGate(Parameter("a")), [PowerModifier(2)]), [0])
    circuit.measure(0, 0)
    assert run_file(file_of(circuit), parameters={"a": math.pi / 2})["counts"] == {"1": 20}


@pytest.mark.parametrize("version", VERSIONS)
def test_parameters_are_bound_by_name_in_one_compilation(version: int) -> None:
    theta, phase = ParameterVector("theta", 3), Parameter("φ")
    circuit = QuantumCircuit(2, global_phase=phase)
    circuit.ry(2 * theta[0] + phase, 0)
    circuit.rx(theta[1] / 3 - theta[2].sin(), 1)
    circuit.cp(phase * theta[2], 0, 1)
    with circuit.for_loop([1, 2], Parameter("k")) as factor:
        circuit.crz(factor * theta[0], 1, 0)
    sets = [
        {"theta[0]": i / 3, "theta[1]": 1 - i, "theta[2]": i, "φ": i / 2 - 0.2} for i in range(5)
    ]
    result = run_file(file_of(circuit, version), parameter_sets=sets, outputs=["statevector"])
    assert result["metadata"]["compilations"] == 1
    for values, told in zip(sets, result["sets"], strict=True):
        bound = circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})
        expected = _state(bound)
        assert np.array(told["statevector"]) @ [1, 1j] == pytest.approx(expected, abs=1e-9)


def _state(circuit: QuantumCircuit) -> Any:
    """Of the circuit above, its loop written out."""
    plain = circuit.copy_empty_like()
    for instruction in circuit.data:
        if instruction.name == "for_loop":
            values, factor, body = instruction.operation.params
            for value in values:
                body_then = body.assign_parameters({factor: value})
                plain.compose(body_then, instruction.qubits, inplace=True)
        else:
            plain.append(instruction)
    return Statevector(plain).data


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "Give a value for 'a'"),
        ({"a": 1, "b": 2}, "no parameter named 'b'"),
        ({"a": True}, "'a' is no number"),
        ({"a": [1]}, "'a' is no number"),
        ({"a": 0}, "The angle 1/a is no real, finite number"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters: dict[str, Any], says: str) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(1 / Parameter("a"), 0)
    circuit.measure(0, 0)
    error = refusal(file_of(circuit), parameters=parameters)
    assert error.code == "invalid_parameters"
    assert says in error.message


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, lambda data: data])
def test_a_file_may_be_compressed(pack: Callable[[bytes], bytes]) -> None:
    assert set(run_file(pack(file_of(bell())))["counts"]) == {"00", "11"}


def isometry() -> QuantumCircuit:
    """Qiskit cannot read it again."""
    circuit = QuantumCircuit(2)
    circuit.append(library.Isometry(np.eye(4)[:, :2], 0, 0), [0, 1])
    return circuit


BELL = file_of(bell())


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"OPENQASM 3.0; qubit q;", "invalid_qpy", "does not begin with QISKIT"),
        (BELL[:12], "invalid_qpy", "ends in its header"),
        (BELL[:30], "invalid_qpy", "ends in its header"),
        (BELL[:-9], "invalid_qpy", "Qiskit cannot read the QPY file"),
        (zlib.compress(BELL)[:-20], "invalid_qpy", "Qiskit cannot read the QPY file"),
        (BELL[:6] + b"\x0c" + BELL[7:], "unsupported_version", "QPY 12 is not supported"),
        (BELL[:6] + b"\x13" + BELL[7:], "unsupported_version", "QPY 19 is not supported"),
        (BELL[:19] + b"s" + BELL[20:], "invalid_qpy", "a pulse schedule"),
        (file_of([bell(), bell()]), "invalid_qpy", "2 circuits"),
        (file_of(isometry()), "invalid_qpy", "Qiskit cannot read the QPY file"),
        (zlib.compress(BELL + bytes(20_000_000)), "circuit_too_large", "Decompressed"),
        (BELL[:33] + b"\xff\xff\xff\xff" + BELL[37:], "too_many_qubits", "4,294,967,295 qubits"),
        (BELL[:37] + b"\xff\xff\xff\xff" + BELL[41:], "too_many_clbits", "4,294,967,295 classical"),
    ],
)
def test_another_file_is_refused(data: bytes, code: str, says: str) -> None:
    error = refusal(data)
    assert (error.code, says in error.message) == (code, True), error.message
    assert "Error" not in error.message  # No exception of Python's, which tells nobody anything.


def test_text_is_refused_as_no_base64() -> None:
    job = Job(circuit="OPENQASM 3.0; qubit q;", circuit_format="qpy")
    with pytest.raises(CircuitError, match="no base64") as caught:
        check_job(job, LIMITS)
    assert caught.value.code == "invalid_qpy"
    with pytest.raises(CircuitError) as caught:
        check_job(Job(circuit="x", circuit_format="quil"), LIMITS)
    assert caught.value.code == "invalid_circuit_format"


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """With another class of an instruction, whose length stands 33 bytes before it."""
    place = data.index(old)
    assert struct.unpack_from(">H", data, place - 33) == (len(old),)
    head = data[: place - 33] + struct.pack(">H", len(new)) + data[place - 31 : place]
    return head + new + data[place + len(old) :]


@pytest.mark.parametrize(
    "name",
    [
        *("quantum_volume", "n_local", "get_standard_gate_name_mapping", "QuantumVolume", "QFT"),
        *("__loader__", "__builtins__", "__class__", "QuantumCircuit", "Operation", "Parameter"),
        *("ControlFlowOp", "Gate", "sys.exit", "os", ""),
    ],
)
def test_only_instructions_can_be_named(name: str) -> None:
    circuit = QuantumCircuit(1)
    circuit.append(library.PermutationGate([0]), [0])
    error = refusal(renamed(file_of(circuit), b"PermutationGate", name.encode()))
    assert error.code == "invalid_qpy"
    assert sys.modules["qiskit.circuit.library"] is library


@pytest.mark.parametrize("payload", [b"cos\nsystem\n(S'true'\ntR.", b"PK\x03\x04" + bytes(40)])
def test_an_array_is_no_pickle_and_no_archive(payload: bytes) -> None:
    circuit = QuantumCircuit(1)
    circuit.append(library.PermutationGate([0]), [0])
    data = file_of(circuit)
    place = data.index(b"\x93NUMPY")
    (size,) = struct.unpack_from(">Q", data, place - 8)
    assert refusal(data[:place] + payload.ljust(size) + data[place + size :]).code == "invalid_qpy"


def opaque(circuit: QuantumCircuit) -> None:
    circuit.append(Instruction("mine", 1, 0, []), [0])


def saving(circuit: QuantumCircuit) -> None:
    circuit.append(Instruction("save_statevector", 1, 0, []), [0])


def variable(circuit: QuantumCircuit) -> None:
    circuit.add_var("a", False)


@pytest.mark.parametrize(
    ("build", "says"),
    [(opaque, "'mine'"), (saving, "outputs or observables"), (variable, "OpenQASM 3")],
)
def test_what_the_simulator_does_not_know_is_refused_by_name(
    build: Callable[[QuantumCircuit], None], says: str
) -> None:
    circuit = QuantumCircuit(1)
    build(circuit)
    error = refusal(file_of(circuit))
    assert error.code == "unsupported_feature"
    assert says in error.message


def test_definitions_and_loops_count_written_out() -> None:
    body = flip()
    for level in range(3):
        outer = QuantumCircuit(1)
        for _ in range(8):
            outer.append(gate(f"level{level}", body), [0])
        body = outer
    few = Limits(max_operations=500)
    assert refusal(file_of(body), limits=few).code == "too_many_operations"
    loop = QuantumCircuit(1)
    with loop.for_loop(range(10**6)):
        loop.x(0)
    assert refusal(file_of(loop)).code == "too_many_operations"


def test_a_matrix_has_the_noise_of_a_gate() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.unitary([[0, 1], [1, 0]], [0])
    circuit.measure(0, 0)
    counts = run_file(file_of(circuit), noise={"depolarizing_1q": 0.4}, shots=5_000)["counts"]
    assert abs(counts["0"] - 1_000) < 150


def test_a_matrix_has_to_be_unitary() -> None:
    circuit = QuantumCircuit(1)
    circuit.unitary([[0, 1], [1, 0]], [0])
    one = struct.pack("<d", 1.0)
    data = file_of(circuit)
    error = refusal(data.replace(one, struct.pack("<d", 1.5), 1))
    assert (error.code, "unitary" in error.message) == ("invalid_qpy", True)


@pytest.mark.parametrize("angle", [math.nan, math.inf])
def test_an_angle_has_to_be_finite(angle: float) -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(angle, 0)
    error = refusal(file_of(circuit))
    assert (error.code, "not finite" in error.message) == ("invalid_qpy", True)


def test_a_gate_has_as_many_qubits_as_it_says() -> None:
    circuit = QuantumCircuit(3)
    circuit.cx(0, 1)
    data = file_of(circuit)
    first, second = b"q\x00\x00\x00\x00", b"q\x00\x00\x00\x01"
    place = data.index(b"CXGate") + len(b"CXGate")
    assert data[place : place + 10] == first + second
    twice = data[: place + 5] + first + data[place + 10 :]
    assert "same qubit twice" in refusal(twice).message
    assert refusal(renamed(data, b"CXGate", b"CCXGate")).code == "invalid_qpy"
    assert refusal(renamed(data, b"CXGate", b"RXXGate")).code == "invalid_qpy"
    assert refusal(renamed(data, b"CXGate", b"HGate")).code == "invalid_qpy"


def test_pauli_measurements_run() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.x(0)
    circuit.append(library.PauliProductMeasurement(Pauli("ZZ")), [0, 1], [0])
    assert run_file(file_of(circuit))["counts"] == {"1": 20}


def mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = chance.randrange(7, len(changed))
        number = bytes(chance.choice((0, 1, 2, 127, 255)) for _ in range(chance.randrange(1, 8)))
        match chance.randrange(4):
            case 0:
                changed[place] ^= 1 << chance.randrange(8)
            case 1:
                changed[place : place + len(number)] = number
            case 2:
                del changed[place : place + len(number)]
            case _:
                changed[place:place] = number
    return bytes(changed)


def test_damaged_files_end_as_results_or_errors_and_others_run_on(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    chance = random.Random(14)
    files = []
    for _, build in CERTAIN:
        circuit = QuantumCircuit(3)
        build(circuit)
        circuit.measure_all()
        files += [file_of(circuit, version) for version in (13, 17, 18)]
    sandbox, canary = make_sandbox(memory_mb=512, deadline_s=3), make_sandbox()
    ended: set[str] = set()
    for number in range(300):
        data = mutated(chance.choice(files), chance)
        job = Job(circuit=sent(data), circuit_format="qpy", shots=5)
        try:
            sandbox.run(job)
            ended.add("")
        except CircuitError as error:
            assert error.code != "internal_error", (data, error.traceback)
            ended.add(error.code)
        if number % 50 == 0:
            assert canary.run(Job(circuit=sent(BELL), circuit_format="qpy", shots=5))["counts"]
    assert {"", "invalid_qpy"} <= ended
