"""What Qiskit makes of a device's calibration: a target to compile for, and noise.

Both are those of a backend with the same calibration, so that counts agree with
`AerSimulator.from_backend`. But a noise model here has only the qubits and gates that a circuit
uses: Aer takes a second to make that of a large device, and reads it anew for each run.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

from qiskit import QuantumCircuit
from qiskit.circuit import (
    BreakLoopOp,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Measure,
    Parameter,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer.noise import NoiseModel, QuantumError, ReadoutError, RelaxationNoisePass
from qiskit_aer.noise.device import basic_device_gate_errors

from tasks_app.circuits.device import MAX_GATES, Cost, Device, Places, Qubit
from tasks_app.circuits.simulation.rewriting import instructions

_GATES = get_standard_gate_name_mapping()
_CONTROL_FLOW = {
    "if_else": IfElseOp,
    "while_loop": WhileLoopOp,
    "for_loop": ForLoopOp,
    "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
}


def target_of(device: Device, *, control_flow: bool) -> Target:
    target = Target(num_qubits=len(device.qubits), dt=device.dt_s, qubit_properties=_qubits(device))
    for name, places in device.gates.items():
        costs = {each: _properties(cost) for each, cost in places.items()}
        target.add_instruction(_GATES[name], costs)
    everywhere = {(place,): InstructionProperties() for place in range(len(device.qubits))}
    measures = {
        (place,): InstructionProperties(each.readout_s, sum(each.readout_error) / 2)
        for place, each in enumerate(device.qubits)
    }
    target.add_instruction(Measure(), measures)
    target.add_instruction(Delay(Parameter("t")), everywhere)
    # It changes what becomes of circuits without any (Qiskit 2.6).
    for name, operation in _CONTROL_FLOW.items() if control_flow else ():
        target.add_instruction(operation, name=name)
    return target


class DeviceNoise:
    """Keeps the errors of gates that it was asked for."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._error = lru_cache(MAX_GATES)(self._make_error)

    def model(self, circuit: QuantumCircuit, numbers: Sequence[int]) -> NoiseModel | None:
        """Of the gates of a circuit whose qubits have these numbers on the device; None without."""
        model = NoiseModel()
        place_of = {qubit: place for place, qubit in enumerate(circuit.qubits)}
        used = {
            (each.name, tuple(place_of[qubit] for qubit in each.qubits))
            for each in instructions(circuit)
        }
        for name, places in used:
            error = self._error(name, tuple(numbers[place] for place in places))
            if error is not None:
                model.add_quantum_error(error, name, places)
        qubits = [self._device.qubits[number] for number in numbers]
        for place, qubit in enumerate(qubits):
            up, down = qubit.readout_error
            model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [place])
        waits = any(name == "delay" for name, _ in used)
        if waits and any(each.t1_s or each.t2_s for each in qubits):
            model._custom_noise_passes.append(self._relaxation(qubits))
        return None if model.is_ideal() else model

    def _make_error(self, name: str, numbers: Places) -> QuantumError | None:
        if name not in self._device.gates:
            return None
        cost = self._device.gates[name][numbers]
        target = Target(num_qubits=len(self._device.qubits), qubit_properties=_qubits(self._device))
        target.add_instruction(_GATES[name], {numbers: _properties(cost)})
        errors = [error for _, _, error in basic_device_gate_errors(target=target)]
        return errors[0] if errors else None

    def _relaxation(self, qubits: Sequence[Qubit]) -> RelaxationNoisePass:
        t1s = [each.t1_s or math.inf for each in qubits]
        t2s = [each.t2_s or 2 * (each.t1_s or math.inf) for each in qubits]
        return RelaxationNoisePass(t1s, t2s, self._device.dt_s, Delay)


def _qubits(device: Device) -> list[QubitProperties]:
    return [QubitProperties(t1=each.t1_s, t2=each.t2_s) for each in device.qubits]


def _properties(cost: Cost) -> InstructionProperties:
    return InstructionProperties(cost.length_s, cost.error)
