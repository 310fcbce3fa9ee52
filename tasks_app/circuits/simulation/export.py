"""A circuit as OpenQASM 3 that any reader of it reads, and ours back to an equal circuit.

Qiskit's own exporter drops the global phase, rounds angles and declares loose bits before
registers, which changes what is counted.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import (
    CASE_DEFAULT,
    CircuitInstruction,
    Clbit,
    Gate,
    Parameter,
    ParameterExpression,
    Qubit,
)
from qiskit.circuit.library import get_standard_gate_name_mapping

from tasks_app.circuits.errors import result_too_large
from tasks_app.circuits.language.interpreter.functions import CONSTANTS, FUNCTIONS
from tasks_app.circuits.language.interpreter.library import LIBRARY_GATES
from tasks_app.circuits.language.parse import reference
from tasks_app.circuits.language.program import Names
from tasks_app.circuits.simulation.conditions import Conditions, NotWritten

_STANDARD = get_standard_gate_name_mapping()
_STDGATES = LIBRARY_GATES["stdgates.inc"]
_INCLUDED = {
    name for name, gate in _STDGATES.items() if gate.phase is None
}  # As they are Qiskit's.
_FRACTIONS = {
    times * math.pi / by: f"{'' if times == 1 else f'{times}*'}pi{'' if by == 1 else f'/{by}'}"
    for by in range(16, 0, -1)
    for times in range(16, 0, -1)
}
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_WHOLE = re.compile(r"(?<![\w.])\d+(?![\w.])", re.ASCII)
_TAKEN = {name.strip("'") for name in reference.qasm3Lexer.literalNames}
_TAKEN |= {*["pragma", "dim", "true", "false", "sizeof", "U"], *CONSTANTS, *FUNCTIONS}
_TAKEN |= {*_STANDARD, *_STDGATES}


class _Words:
    """Identifiers: those that are asked for where they can be had, and each once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def new(self, wanted: str) -> str:
        word = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_")[:40]
        word = word if _WORD.fullmatch(word) else f"v{word}"
        name, number = word, 1
        while name in self._used or name in _TAKEN:
            number += 1
            name = f"{word}_{number}"
        self._used.add(name)
        return name


class Export:
    """One circuit, whose text is in `text`."""

    def __init__(
        self,
        circuit: QuantumCircuit,
        registers: Sequence[Sequence[Clbit]],
        names: Names,
        max_bytes: int,
        *,
        declared: bool = True,
    ) -> None:
        """`registers`: the bits that are counted, in groups; `declared`: whether qubits are, as
        those of hardware are not.

        Raises NotWritten; CircuitError for a text of more than `max_bytes`.
        """
        self._room = self._max_bytes = max_bytes
        self._words = _Words()
        self._gates: dict[str, tuple[str, str]] = {}  # Name and definition of those not included.
        self._operands: dict[Any, str] = {}
        self._registers: dict[tuple[Clbit, ...], str] = {}
        self._aliases: list[str] = []
        self._conditions = Conditions(self._operands.__getitem__, self._register)
        self._parameters = {
            each: Parameter(self._words.new(each.name)) for each in circuit.parameters
        }
        head = [f"input float {each.name};" for each in self._parameters.values()]
        for group in _groups(circuit.qubits, names) if declared else ():
            head.append(self._declaration("qubit", group, names))
        if not declared:
            self._operands |= {qubit: names[qubit][0] for qubit in circuit.qubits}
        head += self._bits(circuit, registers, names)
        if circuit.global_phase:
            head.append(f"gphase({self._angle(circuit.global_phase)});")
        body = list(self._block(circuit, circuit.qubits))
        gates = [definition for _, definition in self._gates.values()]
        begin = ["OPENQASM 3.0;", 'include "stdgates.inc";']
        self.text = "\n".join([*begin, *gates, *head, *self._aliases, *body, ""])

    # Declarations.

    def _bits(
        self, circuit: QuantumCircuit, registers: Sequence[Sequence[Clbit]], names: Names
    ) -> Iterator[str]:
        counted = {bit for register in registers for bit in register}
        hidden = [bit for bit in circuit.clbits if bit not in counted]
        # Without one that is declared as output, all bits are counted.
        output = "output " if hidden and counted else ""
        for register in registers:
            yield output + self._declaration("bit", register, names)
        for bit in hidden:
            yield self._declaration("bit", [bit], names)

    def _declaration(self, kind: str, bits: Sequence[Any], names: Names) -> str:
        name, index = names[bits[0]]
        if len(bits) == 1 and index:
            name = f"{name}_{index}"
        name = self._words.new(name)
        if len(bits) == 1 and index is None:
            self._operands[bits[0]] = name
            return f"{kind} {name};"
        self._operands |= {bit: f"{name}[{place}]" for place, bit in enumerate(bits)}
        self._registers[tuple(bits)] = name
        return f"{kind}[{len(bits)}] {name};"

    def _register(self, bits: tuple[Clbit, ...]) -> str:
        if bits not in self._registers:
            name = self._registers[bits] = self._words.new("bits")
            operands = ", ".join(self._operands[bit] for bit in bits)
            self._aliases.append(f"let {name} = {{{operands}}};")
        return self._registers[bits]

    # Statements.

    def _block(self, circuit: QuantumCircuit, outer: Sequence[Qubit]) -> Iterator[str]:
        """`outer`: the circuit's qubits, or what stands for those of a block."""
        place_of = dict(zip(circuit.qubits, outer, strict=True))
        for instruction in circuit.data:
            qubits = [place_of[qubit] for qubit in instruction.qubits]
            for line in self._statement(instruction.replace(qubits=qubits)):
                self._room -= len(line) + 1
                if self._room < 0:
                    raise result_too_large(self._max_bytes)
                yield line

    def _statement(self, instruction: CircuitInstruction) -> Iterator[str]:
        name, operation = instruction.name, instruction.operation
        operands = [self._operands[bit] for bit in (*instruction.qubits, *instruction.clbits)]
        if instruction.is_control_flow():
            yield from self._control_flow(operation, instruction.qubits)
        elif name == "measure":
            yield f"{operands[1]} = measure {operands[0]};"
        elif name in ("break_loop", "continue_loop"):
            yield f"{name.removesuffix('_loop')};"
        elif name == "store":
            target, value = (self._conditions.value(each) for each in operation.params)
            yield f"{target} = {value};"
        elif name == "delay":
            if operation.unit not in ("dt", "ns", "us", "ms", "s"):
                raise NotWritten
            yield f"delay[{operation.duration}{operation.unit}] {operands[0]};"
        elif name in ("reset", "barrier"):
            yield f"{name} {', '.join(operands)};" if operands else ""
        else:
            yield f"{self._call(operation)} {', '.join(operands)};"

    def _control_flow(self, operation: Any, qubits: Sequence[Qubit]) -> Iterator[str]:
        def block(opening: str, body: QuantumCircuit) -> Iterator[str]:
            yield f"{opening} {{"
            yield from (f"  {line}" for line in self._block(body, qubits))
            yield "}"

        match operation.name:
            case "if_else" | "while_loop" as name:
                condition = self._conditions.condition(operation)
                yield from block(f"{name.partition('_')[0]} ({condition})", operation.blocks[0])
                for other in operation.blocks[1:]:
                    yield from block("else", other)
            case "for_loop":
                values, variable, body = operation.params
                name = self._words.new("i" if variable is None else variable.name)
                if variable is not None:
                    self._parameters[variable] = Parameter(name)
                yield from block(f"for int {name} in {_values(values)}", body)
            case "switch_case":
                yield f"switch ({self._conditions.value(operation.target)}) {{"
                for labels, body in operation.cases_specifier():
                    default = CASE_DEFAULT in labels
                    opening = "default" if default else f"case {', '.join(map(str, labels))}"
                    yield from (f"  {line}" for line in block(opening, body))
                yield "}"
            case _:
                raise NotWritten

    def _angle(self, angle: Any) -> str:
        if isinstance(angle, ParameterExpression) and angle.parameters:
            known = {each: self._parameters[each] for each in angle.parameters}
            return _WHOLE.sub(lambda number: f"{number[0]}.0", str(angle.subs(known)))
        number = float(angle)
        sign = "-" if number < 0 else ""
        return sign + _FRACTIONS.get(abs(number), repr(abs(number)))

    # Gates.

    def _call(self, gate: Gate) -> str:
        if gate.name in _INCLUDED:
            name, angles = gate.name, gate.params
        elif gate.name in _STANDARD:
            name, angles = self._defined(gate.name, _STANDARD[gate.name]), gate.params
        elif gate.name == "unitary":
            name, angles = self._defined(f"unitary {len(self._gates)}", gate), []
        else:
            raise NotWritten
        return f"{name}({', '.join(map(self._angle, angles))})" if angles else name

    def _defined(self, key: str, gate: Gate) -> str:
        if key not in self._gates:
            name = f"{gate.name}_gate" if gate.name in _STDGATES else gate.name
            name = name if gate.name in _STANDARD else self._words.new(name)
            angles = [each for each in gate.params if isinstance(each, Parameter)]
            inside = {each: Parameter(f"p{i}") for i, each in enumerate(angles)}
            qubits = [f"q{i}" for i in range(gate.num_qubits)]
            outside, self._parameters = self._parameters, inside
            body = " ".join(self._definition(gate, qubits))
            self._parameters = outside
            given = f"({', '.join(each.name for each in inside.values())})" if inside else ""
            self._gates[key] = name, f"gate {name}{given} {', '.join(qubits)} {{ {body} }}"
        return self._gates[key][0]

    def _definition(self, gate: Gate, qubits: Sequence[str]) -> Iterator[str]:
        if gate.name == "u":  # The phase of OpenQASM's is another.
            yield "U(p0, p1, p2) q0; gphase(-p0 / 2);"
            return
        definition = gate.definition
        places = dict(zip(definition.qubits, qubits, strict=True))
        for part in definition.data:
            yield f"{self._call(part.operation)} {', '.join(places[q] for q in part.qubits)};"
        if definition.global_phase:
            yield f"gphase({self._angle(definition.global_phase)});"


def _groups(bits: Sequence[Any], names: Names) -> Iterator[Sequence[Any]]:
    """Bits that stand together as a register from its first one on; any other by itself."""
    start = 0
    while start < len(bits):
        name, index = names[bits[start]]
        end = start + 1
        while index == 0 and end < len(bits) and names[bits[end]] == (name, end - start):
            end += 1
        yield bits[start:end]
        start = end


def _values(values: Any) -> str:
    if isinstance(values, range) and values:
        step = "" if values.step == 1 else f"{values.step}:"
        return f"[{values.start}:{step}{values[-1]}]"
    return f"{{{', '.join(map(str, values))}}}"
