"""A device that the service simulates, as a `Target` of Qiskit: what it has, and at what cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Measure, Parameter
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from quantumtasks_client.qiskit.gates import add_control_flow

_ANYWHERE = ("barrier", "store")  # which act on no qubit


class Readout(InstructionProperties):  # type: ignore[misc]  # Qiskit has no types
    """Of a measurement; under the names by which Aer's noise models know how either bit is misread.

    `error` is the mean of both.
    """

    def __new__(cls, duration: float | None, errors: Sequence[float]) -> "Readout":
        return super().__new__(cls, duration, sum(errors) / 2)  # type: ignore[no-any-return]

    def __init__(self, duration: float | None, errors: Sequence[float]) -> None:
        super().__init__()
        self.prob_meas1_prep0, self.prob_meas0_prep1 = errors


def device_target(definition: Mapping[str, Any]) -> Target:
    """Of a definition as `docs/backends.md` describes it."""
    qubits = definition["qubits"]
    times = [QubitProperties(t1=each.get("t1_s"), t2=each.get("t2_s")) for each in qubits]
    made = Target(num_qubits=len(qubits), dt=definition.get("dt_s"), qubit_properties=times)
    known = get_standard_gate_name_mapping()
    for name, places in definition["gates"].items():
        costs = {
            tuple(each["qubits"]): InstructionProperties(each.get("length_s"), each.get("error"))
            for each in places
        }
        made.add_instruction(known[name], costs)
    readouts = {
        (place,): Readout(each.get("readout_s"), each.get("readout_error", (0, 0)))
        for place, each in enumerate(qubits)
    }
    made.add_instruction(Measure(), readouts)
    made.add_instruction(Delay(Parameter("t")), dict.fromkeys(readouts))
    add_control_flow(made)
    return made


def runs_as_it_is(
    circuit: QuantumCircuit, target: Target, outer: Sequence[int] | None = None
) -> bool:
    """Whether it has only what the device has, where the device has it.

    `outer`: the numbers of a block's qubits.
    """
    numbers = range(circuit.num_qubits) if outer is None else outer
    places = dict(zip(circuit.qubits, numbers, strict=True))
    for instruction in circuit.data:
        at = tuple(places[qubit] for qubit in instruction.qubits)
        if instruction.is_control_flow():
            blocks = instruction.operation.blocks
            fits = all(runs_as_it_is(block, target, at) for block in blocks)
        else:
            name = instruction.name
            fits = name in _ANYWHERE or target.instruction_supported(name, at)
        if not fits:
            return False
    return True
