"""Definitions of backends: those that ship, those that are wrong, those of Qiskit's backends."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from qiskit.circuit import Gate, Measure, Parameter, Reset
from qiskit.circuit.library import CXGate, RXGate, SXGate, iSwapGate
from qiskit.circuit.library import get_standard_gate_name_mapping as standard_gates
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer import AerSimulator

from tasks_app.circuits.backend import check_definition, shipped
from tasks_app.circuits.device import (
    MAX_GATES,
    MAX_QUBITS,
    WIDTHS,
    Cost,
    InvalidDefinition,
    Qubit,
    read_device,
)
from tasks_app.circuits.snapshot import definition_of

GOOD: dict[str, Any] = {
    "qubits": [{"t1_s": 1e-4, "t2_s": 2e-4, "readout_error": [0, 0.1], "readout_s": 1e-6}, {}],
    "gates": {
        "sx": [{"qubits": [0], "error": 0.1, "length_s": 1e-8}, {"qubits": [1]}],
        "cx": [{"qubits": [1, 0], "error": 1}],
    },
    "dt_s": 1e-9,
}
SX = GOOD["gates"]["sx"]


def test_what_ships_can_be_run() -> None:
    names = [each.name for each in shipped()]
    assert names == ["aer", "noisy_grid16", "noisy_line5"]
    for each in shipped():
        check_definition(each.kind, each.definition)
    line = read_device(next(each for each in shipped() if each.name == "noisy_line5").definition)
    assert set(line.gates["cx"]) == {(i + a, i + 1 - a) for i in range(4) for a in (0, 1)}


def test_a_device_is_read() -> None:
    device = read_device(GOOD)
    assert device.qubits == (Qubit(1e-4, 2e-4, (0, 0.1), 1e-6), Qubit(None, None, (0, 0), None))
    assert device.gates["cx"] == {(1, 0): Cost(1, None)}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("name", "x", "can hold qubits, gates, dt_s, and no 'name'"),
        ("dt_s", 0, "dt_s must be more than 0 s"),
        ("dt_s", True, "dt_s must be a number"),
        ("dt_s", 10**400, "dt_s must be a number"),
        ("qubits", [], "qubits must be a list of 1 to 1,000"),
        ("qubits", [{}] * (MAX_QUBITS + 1), "qubits must be a list of 1 to 1,000"),
        ("qubits", {"0": {}}, "qubits must be a list"),
        ("qubits 1", None, "qubits[1] must be an object"),
        ("qubits 1 t3_s", 1, "qubits[1] can hold t1_s, t2_s, readout_error, readout_s, and no"),
        ("qubits 0 t1_s", -1, "qubits[0]: t1_s must be a number of seconds"),
        ("qubits 0 t1_s", float("nan"), "qubits[0]: t1_s must be a number of seconds"),
        ("qubits 0 t1_s", float("inf"), "qubits[0]: t1_s must be a number of seconds"),
        ("qubits 0 t1_s", "1e-4", "qubits[0]: t1_s must be a number of seconds"),
        ("qubits 0 t2_s", 2.1e-4, "qubits[0]: t2_s is more than twice t1_s"),
        ("qubits 0 readout_error", 0.1, "qubits[0]: readout_error must be two numbers"),
        ("qubits 0 readout_error", [0, 1.1], "qubits[0]: readout_error must be two numbers"),
        ("qubits 0 readout_error", [0, 0, 0], "qubits[0]: readout_error must be two numbers"),
        ("gates", {}, "gates must be an object of lists"),
        ("gates", ["x"], "gates must be an object of lists"),
        ("gates iswap", SX, "gates has 'iswap', which no device here can have"),
        ("gates x", [], "gates.x must be a list of objects"),
        ("gates x", {"0": SX[0]}, "gates.x must be a list of objects"),
        ("gates x", 5, "gates.x must be a list of objects"),
        ("gates x", [SX[0]] * (MAX_GATES + 1), "more than 20,000 entries"),
        ("gates x", [SX[0], SX[0]], "gates.x[1]: the gate is on these qubits twice"),
        ("gates sx 0", [0], "gates.sx[0] must be an object"),
        ("gates sx 0 width", 1, "gates.sx[0] can hold qubits, error, length_s, and no 'width'"),
        ("gates sx 0 error", 1.5, "gates.sx[0]: error must be a number from 0 to 1"),
        ("gates sx 0 length_s", -1e-9, "gates.sx[0]: length_s must be a number of seconds"),
        ("gates sx 0 qubits", 0, "gates.sx[0]: qubits must be 1 whole number below 2"),
        ("gates sx 0 qubits", [2], "gates.sx[0]: qubits must be 1 whole number below 2"),
        ("gates sx 0 qubits", [True], "gates.sx[0]: qubits must be 1 whole number below 2"),
        ("gates cx 0 qubits", [0], "gates.cx[0]: qubits must be 2 whole numbers below 2"),
        ("gates cx 0 qubits", [0, 0], "gates.cx[0]: qubits has the same one twice"),
    ],
)
def test_a_wrong_device_is_refused_by_name(place: str, value: Any, message: str) -> None:
    definition = deepcopy(GOOD)
    *path, last = place.split()
    part: Any = definition
    for key in path:
        part = part[int(key) if key.isdigit() else key]
    part[int(last) if last.isdigit() else last] = value
    with pytest.raises(InvalidDefinition) as caught:
        check_definition("aer_device", definition)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "definition", "message"),
    [
        ("aer", {"device": "GPU"}, "nothing to define, and no 'device'"),
        ("aer", [], "must be an object"),
        ("abacus", {}, "'abacus' is no kind of backend"),
        ("aer_device", {"dt_s": "x" * 5_000_000}, "4,194,304 bytes"),
    ],
)
def test_a_wrong_definition_is_refused(kind: str, definition: Any, message: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        check_definition(kind, definition)
    assert message in str(caught.value)


def test_the_gates_are_those_that_every_method_simulates() -> None:
    methods = ("statevector", "density_matrix", "matrix_product_state")
    known = [set(AerSimulator(method=method).configuration().basis_gates) for method in methods]
    gates = standard_gates()
    widths = {
        name: gates[name].num_qubits
        for name in set.intersection(*known) & gates.keys()
        if gates[name].num_qubits < 3 and (isinstance(gates[name], Gate) or name == "reset")
    }
    assert widths == WIDTHS


def test_a_generic_backend_becomes_a_definition() -> None:
    backend = GenericBackendV2(4, seed=3, control_flow=True)
    definition = json.loads(json.dumps(definition_of(backend)))
    assert set(definition["gates"]) == {"cx", "id", "rz", "sx", "x", "reset"}
    assert len(definition["gates"]["cx"]) == 12 and len(definition["qubits"]) == 4
    placed, target = definition["gates"]["sx"][2], backend.target
    properties = target["sx"][2,]
    assert placed == {"qubits": [2], "error": properties.error, "length_s": properties.duration}
    qubit = definition["qubits"][1]
    assert qubit["t1_s"] == target.qubit_properties[1].t1 and definition["dt_s"] == target.dt
    assert qubit["t2_s"] == target.qubit_properties[1].t2 < 2 * qubit["t1_s"]
    assert qubit["readout_error"] == [target["measure"][1,].error] * 2


def of_target(fill: Callable[[Target], None]) -> Any:
    class Backend:
        target = Target(
            num_qubits=2,
            qubit_properties=[QubitProperties(t1=1e-5, t2=3e-5), QubitProperties(t1=0, t2=1e-5)],
        )

    fill(Backend.target)
    return Backend


class Readout(InstructionProperties):  # type: ignore[misc]
    """As some backends tell the two errors apart."""

    prob_meas1_prep0, prob_meas0_prep1 = 0.01, 0.04


def test_what_calibrations_leave_out_or_exaggerate() -> None:
    def fill(target: Target) -> None:
        target.add_instruction(SXGate())
        target.add_instruction(CXGate(), {(0, 1): None})
        target.add_instruction(Measure(), {(0,): Readout(duration=1e-6, error=0.025), (1,): None})
        target.add_instruction(Reset(), {(0,): InstructionProperties(duration=2e-6)})

    definition = definition_of(of_target(fill))
    assert definition["gates"] == {
        "sx": [{"qubits": [0]}, {"qubits": [1]}],
        "cx": [{"qubits": [0, 1]}],
        "reset": [{"qubits": [0], "length_s": 2e-6}],
    }
    first = {"readout_error": [0.01, 0.04], "readout_s": 1e-6, "t1_s": 1e-5, "t2_s": 2e-5}
    assert definition["qubits"] == [first, {"t2_s": 1e-5}]


def test_a_backend_need_not_know_its_qubits_but_their_number() -> None:
    class Backend:
        target = Target(num_qubits=1)

    Backend.target.add_instruction(SXGate(), {(0,): None})
    assert definition_of(Backend) == {"qubits": [{}], "gates": {"sx": [{"qubits": [0]}]}}
    Backend.target = Target()
    with pytest.raises(InvalidDefinition, match="how many qubits"):
        definition_of(Backend)


@pytest.mark.parametrize(
    "fill",
    [
        lambda target: target.add_instruction(iSwapGate(), {(0, 1): None}),
        lambda target: target.add_instruction(RXGate(0.5), {(0,): None}, name="rx"),
        lambda target: target.add_instruction(RXGate(Parameter("t")), {(0,): None}, name="turn"),
    ],
)
def test_a_gate_that_cannot_be_had_is_refused(fill: Callable[[Target], None]) -> None:
    with pytest.raises(InvalidDefinition, match="which cannot be simulated with noise"):
        definition_of(of_target(fill))
