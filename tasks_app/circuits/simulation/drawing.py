"""A circuit as SVG: boxes on wires, as far as the first columns and wires go."""

from collections.abc import Iterator, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import CASE_DEFAULT, ClassicalRegister, Clbit, ParameterExpression, Qubit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.circuit.tools import pi_check

from tasks_app.circuits.language.program import Names
from tasks_app.circuits.simulation import shapes
from tasks_app.circuits.simulation.conditions import Conditions

MAX_COLUMNS = 60
MAX_QUBITS = 32
_MAX_REGISTERS = 8
_GIVEN_UP = 2_000  # Operations without a place, after which no more are tried.
_GAP = 12
_BLUE, _AMBER, _GREEN, _VIOLET, _GREY = "#3b82f6", "#d97706", "#0d9488", "#8b5cf6", "#7d8590"
_TITLES = {"id": "I", "sdg": "S†", "tdg": "T†", "sx": "√X", "sxdg": "√X†", "reset": "|0⟩"}
_TITLES |= {"break_loop": "break", "continue_loop": "continue", "store": "set"}
_COLOURS = dict.fromkeys(("x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "id"), _GREEN)
_COLOURS |= dict.fromkeys(("reset", "delay", "store", "break_loop", "continue_loop"), _GREY)
_COLOURS |= {"h": _AMBER}
_CONTROLLED = {
    name: (gate.num_ctrl_qubits, gate.base_gate.name)
    for name, gate in get_standard_gate_name_mapping().items()
    if hasattr(gate, "num_ctrl_qubits")
}


class Drawing:
    """Lays a circuit out in columns; `svg` draws it."""

    def __init__(
        self, circuit: QuantumCircuit, registers: Sequence[Sequence[Clbit]], names: Names
    ) -> None:
        """`registers`: the bits that are counted, in groups."""
        self._names = names
        self._conditions = Conditions(self._name, self._name_of_all)
        self._labels: list[str] = []
        self._rows: dict[Any, int] = {}
        self._indices: dict[Any, str] = {}
        self._all_qubits = circuit.num_qubits
        for qubit in circuit.qubits[:MAX_QUBITS]:
            self._add_row([qubit], self._name(qubit))
        self._wires = len(self._labels)
        counted = {bit for register in registers for bit in register}
        for register in registers[:_MAX_REGISTERS]:
            name, index = names[register[0]]
            size = "" if index is None else f" /{len(register)}"
            self._add_row(register, _short(name) + size)
        if rest := [bit for bit in circuit.clbits if bit not in counted]:
            self._add_row(rest, f"(bits) /{len(rest)}")
        self._levels = [0] * len(self._labels)
        self._parts: list[tuple[int, shapes.Part]] = []
        self._frames: list[tuple[Sequence[int], int, int, int]] = []
        self._left_out = 0
        self._add_block(circuit, circuit.qubits, 0)

    def _add_row(self, bits: Sequence[Any], label: str) -> None:
        self._rows |= dict.fromkeys(bits, len(self._labels))
        if len(bits) > 1:
            self._indices |= {bit: str(place) for place, bit in enumerate(bits)}
        self._labels.append(label)

    def _name(self, bit: Any) -> str:
        name, index = self._names[bit]
        return _short(name) + ("" if index is None else f"[{index}]")

    def _name_of_all(self, bits: Sequence[Clbit]) -> str:
        names = {self._names[bit][0] for bit in bits}
        return _short(names.pop()) if len(names) == 1 else ", ".join(map(self._name, bits))

    # Layout.

    def _add_block(self, circuit: QuantumCircuit, outer: Sequence[Qubit], depth: int) -> None:
        """`outer`: the circuit's qubits, or what stands for those of a block."""
        place_of = dict(zip(circuit.qubits, outer, strict=True))
        for number, instruction in enumerate(circuit.data):
            if self._left_out > _GIVEN_UP or min(self._levels, default=0) >= MAX_COLUMNS:
                self._left_out += len(circuit.data) - number
                return
            operation = instruction.operation
            qubits = [place_of[qubit] for qubit in instruction.qubits]
            bits = [*qubits, *instruction.clbits]
            if operation.name == "store":
                target = operation.params[0].var
                bits = [target[0] if isinstance(target, ClassicalRegister) else target]
            rows = [self._rows[bit] for bit in bits if bit in self._rows]
            if len(rows) < len(bits) or not rows:
                self._left_out += 1  # Not all of its wires are there.
            elif operation.name in ("break_loop", "continue_loop"):
                self._place(self._part(operation, rows[:1], bits))
            elif instruction.is_control_flow():
                for label, block in self._sections(operation):
                    self._add_section(_short(label, 30), block, qubits, rows, depth)
            else:
                self._place(self._part(operation, rows, bits))

    def _add_section(
        self,
        label: str,
        block: QuantumCircuit,
        qubits: Sequence[Qubit],
        rows: Sequence[int],
        depth: int,
    ) -> None:
        span = range(min(rows), max(rows) + 1)
        column = self._place(shapes.tab(span, label, _GREY, depth))
        if column is None:
            return
        self._add_block(block, qubits, depth + 1)
        end = max(self._levels[row] for row in span)
        for row in span:
            self._levels[row] = end
        self._frames.append((span, column, end - 1, depth))

    def _sections(self, operation: Any) -> Iterator[tuple[str, QuantumCircuit]]:
        """The blocks of control flow, each with what leads to it."""
        name, blocks = operation.name, operation.blocks
        if name == "for_loop":
            yield f"{len(operation.params[0]):,} times", blocks[0]
        elif name == "switch_case":
            target = self._conditions.value(operation.target)
            for labels, block in operation.cases_specifier():
                rest = CASE_DEFAULT in labels
                yield f"{target}: {'else' if rest else ', '.join(map(str, labels))}", block
        else:
            condition = self._conditions.condition(operation)
            yield f"{'if' if name == 'if_else' else 'while'} {condition}", blocks[0]
            yield from (("else", block) for block in blocks[1:])

    def _part(self, operation: Any, rows: Sequence[int], bits: Sequence[Any]) -> shapes.Part:
        name = operation.name
        controls, base = _CONTROLLED.get(name, (0, name))
        if name == "measure":
            return shapes.meter(rows[0], rows[1], self._indices.get(bits[1], ""), _GREY)
        if name == "barrier":
            return shapes.barrier(rows)
        if base in shapes.SIGNS and (controls or base == "swap"):
            return shapes.signs(rows[:controls], rows[controls:], base)
        plain = name in ("unitary", "delay", "store")
        angles = "" if plain else ", ".join(map(_angle, operation.params))
        title = _TITLES.get(base, base.capitalize() if len(base) < 3 else _short(base))
        colour = _COLOURS.get(base, _BLUE if angles else _VIOLET)
        return shapes.gate(rows[:controls], rows[controls:], title, angles, colour)

    def _place(self, part: shapes.Part) -> int | None:
        """The column, or None where there is no room."""
        span = range(min(part.rows), max(part.rows) + 1)
        column = max(self._levels[row] for row in span)
        for row in span:
            self._levels[row] = min(column + 1, MAX_COLUMNS)
        if column >= MAX_COLUMNS:
            self._left_out += 1
            return None
        self._parts.append((column, part))
        return column

    # SVG.

    def svg(self) -> str:
        widths = [0.0] * (1 + max((column for column, _ in self._parts), default=-1))
        for column, part in self._parts:
            widths[column] = max(widths[column], part.width)
        left = shapes.MARGIN + 8 + shapes.LETTER * max(map(len, self._labels), default=0)
        starts = [left + _GAP]
        for width in widths:
            starts.append(starts[-1] + width + _GAP)
        drawn, gaps = [], [[] for _ in self._labels]  # type: ignore[var-annotated]
        for column, part in self._parts:
            x = starts[column] + widths[column] / 2
            drawn.append(part.draw(x))
            for row in part.boxed:
                gaps[row].append((x - part.width / 2, x + part.width / 2))
        for span, first, last, depth in self._frames:
            inset = 21 - 2 * min(depth, 3)
            top, bottom = shapes.middle(span[0]) - inset, shapes.middle(span[-1]) + inset
            x, end = starts[first] - 2, starts[last] + widths[last] + 8 - 2 * min(depth, 3)
            drawn.append(shapes.frame(x, top, end - x, bottom - top))
        for row in range(len(self._labels)):
            drawn += self._wire(row, left, starts[-1], sorted(gaps[row]))
        return self._with_note(starts[-1], drawn)

    def _wire(
        self, row: int, left: float, right: float, gaps: Sequence[tuple[float, float]]
    ) -> Iterator[str]:
        y = shapes.middle(row) + 4
        yield shapes.text(left - 8, y, self._labels[row], anchor="end")
        start = left
        for begin, end in (*gaps, (right, right)):
            if begin > start:
                yield shapes.wire(start, begin, row, double=row >= self._wires)
            start = end
        if self._left_out:
            yield shapes.text(right + _GAP, y, "⋯")

    def _with_note(self, right: float, drawn: Sequence[str]) -> str:
        notes = []
        if self._left_out:
            notes.append(f"{self._left_out:,} more operations are not drawn.")
        if self._all_qubits > MAX_QUBITS:
            notes.append(f"{MAX_QUBITS} of {self._all_qubits:,} qubits are drawn.")
        note = " ".join(notes)
        width = max(right + 2 * _GAP, 2 * shapes.MARGIN + len(note) * shapes.SMALL_LETTER)
        height = 2 * shapes.MARGIN + len(self._labels) * shapes.ROW + (20 if note else 0)
        low = height - shapes.MARGIN
        words = [shapes.text(shapes.MARGIN, low, note, size=9.5, anchor="start")] if note else []
        return shapes.svg(width, height, [*drawn, *words])


def _short(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _angle(angle: Any) -> str:
    if isinstance(angle, ParameterExpression) and angle.parameters:
        return _short(str(angle))
    return str(pi_check(float(angle), ndigits=3))
