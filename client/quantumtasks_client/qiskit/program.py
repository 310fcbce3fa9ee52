"""From a circuit to a program that the service reads as the same circuit.

Qiskit's exporter writes OpenQASM 3. What it refuses, or would write wrongly, is unrolled or named
otherwise before. What then cannot be said in OpenQASM goes as QPY.
"""

import base64
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, cast
from uuid import uuid4

from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import (
    Barrier,
    BreakLoopOp,
    CircuitInstruction,
    ContinueLoopOp,
    ControlFlowOp,
    Delay,
    ForLoopOp,
    Measure,
    Parameter,
    ParameterExpression,
    Reset,
    Store,
)
from qiskit.exceptions import QiskitError
from qiskit.transpiler import Layout, PassManager, TranspileLayout
from qiskit.transpiler.passes import HighLevelSynthesis

from quantumtasks_client.qiskit.gates import WITHOUT_DEFINITION, WRITTEN
from quantumtasks_client.qiskit.note import Kind, Note, in_metadata, in_openqasm, note_of

_QPY_VERSION = min(18, qpy.common.QPY_VERSION)  # the newest that the service reads
_PLAIN = (Measure, Reset, Barrier, Delay, Store, BreakLoopOp, ContinueLoopOp)
_BETWEEN = str(uuid4())  # the beginning of names that nobody else gives
_EMPTY = re.compile(r"^(?:(?:qu)?bit\[0\] .*|let \S+ = \{\});\n", re.MULTILINE)
_FOR = re.compile(r"^( *for) (?:int )?(?=\S+ in )", re.MULTILINE)
_DUMMY = re.compile(r"^int switch_dummy\w*;\n", re.MULTILINE)
_REGISTER = re.compile(r"^(?:(?:qu)?bit(?:\[\d+\])?|let) (\w+)", re.MULTILINE)
_IN_BLOCK = re.compile(r"^ +(?:uint\[\d+\]|bool|float\[64\]|duration|stretch) (\w+)", re.MULTILINE)
# Its delays by parameters read like `delay[2*p0us]`.
_DELAY = re.compile(
    r"^( *delay\[)(?![\d.e+-]+(?:[nmu]?s|dt)\])(.+?)([nmu]s|dt)(?=\] )", re.MULTILINE
)
_SWITCH = re.compile(r"^( *)(switch_dummy\w*) = (.+);\n *switch \(\2\)", re.MULTILINE)
_EXPORTER = qasm3.Exporter(
    includes=("stdgates.inc",),
    basis_gates=sorted(WITHOUT_DEFINITION),
    # With them an angle that is nearly a fraction of pi becomes that fraction.
    disable_constants=True,
    allow_aliasing=True,
)


class Program:
    """A circuit as it is sent, but for the note that goes with it.

    `stays`: on the qubits of the hardware that have the numbers of its own.
    """

    def __init__(self, circuit: QuantumCircuit, kind: Kind, *, stays: bool = False) -> None:
        self._stays = stays
        names = _new_names(circuit)
        self._inputs = [next(names) for _ in range(circuit.num_parameters)]
        self._circuit = _renamed(circuit, self._inputs)
        self._openqasm, used = _openqasm(self._circuit, stays, names)
        if stays and self._openqasm is None:
            raise ValueError(
                f"{circuit.name} has instructions that OpenQASM cannot say, and nothing else can "
                "say that a circuit stays on its qubits of a device."
            )
        # In Qiskit 2.2 a loop's variable counts as a parameter of its circuit.
        self._used = {each.name for each in used}.difference(loop_variables(self._circuit))
        in_text = self._openqasm is not None
        order = _order_in_text(circuit.clbits, circuit.cregs) if in_text else _order_in_qpy(circuit)
        self.note = note_of(circuit, kind, order)
        declared = in_text and not stays
        self._qubits = _order_in_text(circuit.qubits, circuit.qregs) if declared else None

    def fields(self, note: Note) -> dict[str, Any]:
        """Of a submission: the program with a note."""
        if self._openqasm is not None:
            level = {"optimization_level": 0} if self._stays else {}
            return {"circuit": in_openqasm(self._openqasm, note)} | level
        circuit = self._circuit.copy(name="circuit")
        circuit.metadata = in_metadata(note)
        file = io.BytesIO()
        qpy.dump(circuit, file, version=_QPY_VERSION)
        return {"circuit": base64.b64encode(file.getvalue()).decode(), "circuit_format": "qpy"}

    def values(self, row: Sequence[float]) -> dict[str, float]:
        """The values of the circuit's parameters, by position, as those of the inputs."""
        values = zip(self._inputs, row, strict=True)
        return {name: value for name, value in values if name in self._used}

    def letters(self, pauli: str) -> str:
        """Of a Pauli string of the circuit, in the order in which the program has its qubits."""
        if self._qubits is None:
            return pauli
        return "".join(pauli[-1 - qubit] for qubit in reversed(self._qubits))


class _Unsayable(Exception):
    """OpenQASM has no words for it, or none that mean the same."""


def _openqasm(
    circuit: QuantumCircuit, stays: bool, names: Iterator[str]
) -> tuple[str | None, Iterable[Parameter]]:
    """The text if there is one, and the parameters on which it depends; `names` are for loops."""
    try:
        flat = _unrolled(circuit, names)
        if stays:
            flat = _on_hardware(flat)
        text = _EXPORTER.dumps(flat)
    except (_Unsayable, QiskitError, ValueError, KeyError, RuntimeError):
        return None, circuit.parameters
    if hiding := set(_REGISTER.findall(text)).intersection(_IN_BLOCK.findall(text)):
        raise ValueError(
            f"{circuit.name} has a block whose variable is called as a register is: "
            f"{min(hiding)}; call it otherwise."
        )
    text = _EMPTY.sub("", text)  # which OpenQASM does not have
    # The exporter's loops count in integers, for which `i / 2` is one too, or in nothing it names.
    text = _FOR.sub(r"\1 float ", text)
    text = _DELAY.sub(r"\1(\2) * 1\3", text)
    # Its variable would keep the simulator from running the switch by itself.
    text = _DUMMY.sub("", _SWITCH.sub(r"\1switch (\3)", text))
    phase = flat.global_phase  # which it leaves out
    return f"{text}gphase({phase});\n" if phase else text, flat.parameters


def _on_hardware(circuit: QuantumCircuit) -> QuantumCircuit:
    """Whose qubits the exporter calls `$0`, `$1` and so on.

    The service takes those up to the last one that is named, and there may be observables of all.
    """
    numbers = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    circuit._layout = TranspileLayout(Layout(numbers), numbers)
    if circuit.num_qubits:
        circuit.barrier(circuit.num_qubits - 1)
    return circuit


# -- names -----------------------------------------------------------------------------------------


def _new_names(circuit: QuantumCircuit) -> Iterator[str]:
    """p0, p1 and so on: a parameter's own name need not be one in OpenQASM."""
    taken = set(_names(circuit))
    prefix = "p"
    while any(name.startswith(prefix) and name[len(prefix) :].isdigit() for name in taken):
        prefix += "_"
    return (f"{prefix}{place}" for place in count())


def _names(circuit: QuantumCircuit) -> Iterator[str]:
    yield from (register.name for register in (*circuit.qregs, *circuit.cregs))
    yield from (variable.name for variable in circuit.iter_vars())
    yield from loop_variables(circuit)
    for operation in _control_flow_of(circuit):
        for block in operation.blocks:
            yield from _names(block)


def loop_variables(circuit: QuantumCircuit) -> Iterator[str]:
    """The names of the variables of all loops."""
    for operation in _control_flow_of(circuit):
        if isinstance(operation, ForLoopOp) and operation.params[1] is not None:
            yield operation.params[1].name
        for block in operation.blocks:
            yield from loop_variables(block)


def _control_flow_of(circuit: QuantumCircuit) -> Iterator[ControlFlowOp]:
    if circuit.has_control_flow_op():
        operations = (instruction.operation for instruction in circuit.data)
        yield from (each for each in operations if isinstance(each, ControlFlowOp))


def _renamed(circuit: QuantumCircuit, names: list[str]) -> QuantumCircuit:
    old = [parameter.name for parameter in circuit.parameters]
    if old == names:
        return circuit
    if not set(names).isdisjoint(old):  # Qiskit does not exchange names at once.
        between = [f"{_BETWEEN}{place:06}" for place in range(len(names))]  # in the same order
        circuit = _with_parameters(circuit, between)
    return _with_parameters(circuit, names)


def _with_parameters(circuit: QuantumCircuit, names: list[str]) -> QuantumCircuit:
    new = dict(zip(circuit.parameters, map(Parameter, names), strict=True))
    return circuit.assign_parameters(new)


def _order_in_text(bits: Sequence[Any], registers: Iterable[Any]) -> list[int] | None:
    """The circuit's bits, or its qubits, in the order in which they are declared; None: their own.

    The exporter declares those outside registers first. Of registers that overlap it makes aliases.
    """
    place = {bit: index for index, bit in enumerate(bits)}
    within = [bit for register in registers for bit in register]
    if len(within) > len(set(within)):
        return None
    order = [place[bit] for bit in place.keys() - set(within)]
    return _if_unlike(sorted(order) + [place[bit] for bit in within])


def _order_in_qpy(circuit: QuantumCircuit) -> list[int] | None:
    """The bits as they are counted: there each register stands where its first bit does."""
    groups: dict[Any, list[int]] = {}
    for index, bit in enumerate(circuit.clbits):
        registers = circuit.find_bit(bit).registers
        groups.setdefault(registers[0][0] if registers else bit, []).append(index)
    return _if_unlike([index for group in groups.values() for index in group])


def _if_unlike(order: list[int]) -> list[int] | None:
    return None if order == sorted(order) else order


# -- instructions ----------------------------------------------------------------------------------


def _unrolled(circuit: QuantumCircuit, names: Iterator[str]) -> QuantumCircuit:
    """The circuit in instructions that the exporter writes and the service reads by their names."""
    flat = circuit.copy_empty_like()
    flat._layout = None  # With one, the exporter writes physical qubits.
    for instruction in circuit.data:
        if _is_plain(instruction):
            flat.append(_timed(instruction), copy=False)
            continue
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            if not (isinstance(operation, ForLoopOp) and not operation.params[0]):
                exported = _exported(operation, names)
                flat.append(exported, instruction.qubits, instruction.clbits)
            continue
        inner = _unrolled(_definition(instruction), names)
        flat.compose(inner, instruction.qubits, instruction.clbits, inplace=True, copy=False)
    return flat


def _is_plain(instruction: CircuitInstruction) -> bool:
    if instruction.is_standard_gate():  # and not another's gate of the same name
        return instruction.name in WRITTEN
    return getattr(instruction.operation, "base_class", None) in _PLAIN


def _timed(instruction: CircuitInstruction) -> CircuitInstruction:
    """With a delay by parameters in nanoseconds: `2*ns` might be two times `n` seconds."""
    delay = instruction.operation
    if (
        isinstance(delay, Delay)
        and isinstance(delay.duration, ParameterExpression)
        and delay.unit == "s"
    ):
        return instruction.replace(operation=Delay(1e9 * delay.duration, "ns"))
    return instruction


def _exported(operation: ControlFlowOp, names: Iterator[str]) -> ControlFlowOp:
    operation = operation.replace_blocks(_unrolled(each, names) for each in operation.blocks)
    if isinstance(operation, ForLoopOp):
        values, loop, body = operation.params
        if loop is None or isinstance(loop, Parameter):
            # Its own name, or `_`, might hide a register's from what is in the loop.
            new = Parameter(next(names))
            if loop is not None:
                body = body.assign_parameters({loop: new}, strict=False)
            loop, operation = new, ForLoopOp(values, new, body)
        if isinstance(values, range):
            # The exporter writes `stop - 1` as the last value, whatever the step.
            return ForLoopOp(range(values.start, values[-1] + 1, values.step), loop, body)
    return cast(ControlFlowOp, operation)


def _definition(instruction: CircuitInstruction) -> QuantumCircuit:
    operation = instruction.operation
    definition = getattr(operation, "definition", None)
    if definition is not None:
        return cast(QuantumCircuit, definition)
    alone = QuantumCircuit(operation.num_qubits, operation.num_clbits)
    alone.append(operation, alone.qubits, alone.clbits)
    made = PassManager([HighLevelSynthesis()]).run(alone)
    if any(each.name == operation.name for each in made.data):
        raise _Unsayable
    return cast(QuantumCircuit, made)
