"""Variables, arrays and subroutines, declared at random."""

from typing import Any

from tasks_app.tests.circuits.guard.gate_writing import Gates
from tasks_app.tests.circuits.guard.writing import WIDTHS, Number, Var

COMPOUND = ("+=", "-=", "*=")
_BY_LITERAL = ("/=", "%=", "**=")
_BITWISE = ("&=", "|=", "^=")
_ARRAYS = (("int", 8), ("uint", 4))
_INPUTS = (("uint", 4), ("int", 5), ("float", 64), ("angle", 8), ("bool", 0))


class Declarations(Gates):
    """Writes declarations and assignments."""

    def __init__(self, number: Number) -> None:
        super().__init__(number)
        self.inputs: dict[str, Any] = {}
        self.subroutines: list[Var] = []
        self.array_subroutines: list[tuple[str, Var]] = []

    def _type(self) -> tuple[str, int]:
        kinds = ["uint", "int", "uint", "int", "bit", "bit", "bool"]
        if not self.plain:
            kinds += ["float", "angle", "angle"]
        kind = self.pick(kinds)
        if kind in ("int", "uint"):
            return kind, self.pick((*WIDTHS[1:], 0))
        if kind == "float":
            return kind, self.pick((0, 32, 64))
        if kind == "bool":
            return kind, 0
        return kind, self.pick(WIDTHS[1:] if kind == "angle" else (0, *WIDTHS[1:]))

    def declare(self) -> None:
        if not self.plain and self.chance(20):
            self._declare_array()
        elif self.chance(8):
            self._declare_input()
        elif self.chance(12):
            self._alias()
        else:
            self.declare_scalar()

    def declare_scalar(self) -> None:
        kind, width = self._type()
        name = self._new_name(kind)
        self.scope = [var for var in self.scope if var.name != name]  # What has it is hidden.
        # Only constants can be made of constants, and only they are known not to be measured.
        constant = self.chance(15) and not self.measured
        scope, self.scope = self.scope, [v for v in self.scope if not constant or v.constant]
        if constant and not self.variables("bit"):
            self.scope = [*self.scope, Var('"101"', "bit", 3, constant=True)]
        value = self.expression(kind, width, self.number(0, 2))
        var = Var(name, kind, width, constant)
        self.scope = [*scope, var]
        self.line(f"{'const ' if constant else ''}{var.type} {name} = {value};")

    def _new_name(self, kind: str) -> str:
        """A new one, or in a block one that hides a variable from outside of it."""
        outer = [
            var.name
            for var in self.scope
            if var.name not in ("m", *self.local) and not var.counter and not var.length
        ]
        name = self.pick(outer) if self.inner and outer and self.chance(40) else self.name(kind[0])
        self.local.add(name)
        return name

    def _declare_array(self) -> None:
        kind, width = self.pick(_ARRAYS)
        length = self.number(2, 4)
        columns = 2 if self.chance(25) else 0
        var = Var(self.name("a"), kind, width, length=length, columns=columns)
        rows = [", ".join(self.integer(1) for _ in range(columns or 1)) for _ in range(length)]
        values = ", ".join(f"{{{row}}}" if columns else row for row in rows)
        shape = f"{length}, {columns}" if columns else f"{length}"
        self.line(f"array[{var.type}, {shape}] {var.name} = {{{values}}};")
        self.scope.append(var)

    def _declare_input(self) -> None:
        if self.chance(40):
            self._declare_input_array()
            return
        kind, width = self.pick(_INPUTS)
        var = Var(self.name("in"), kind, width, constant=True)
        self.line(f"input {var.type} {var.name};")
        self.inputs[var.name] = self._given(kind, width)
        self.scope.append(var)

    def _declare_input_array(self) -> None:
        kind, width = self.pick((*_ARRAYS, ("float", 64)))
        length, columns = self.number(2, 4), 2 if self.chance(25) else 0
        var = Var(self.name("in"), kind, width, constant=True, length=length, columns=columns)
        rows = [[self._given(kind, width) for _ in range(columns or 1)] for _ in range(length)]
        self.line(f"input array[{var.type}, {length}{', 2' * (columns > 0)}] {var.name};")
        self.inputs[var.name] = rows if columns else [row[0] for row in rows]
        self.scope.append(var)

    def _given(self, kind: str, width: int) -> Any:
        if kind == "float":
            return self.number(-8, 8) * 0.375
        if kind == "angle":
            return self.number(0, 15) * 0.39269908169872414
        if kind == "bool":
            return self.chance(50)
        low = -(1 << width - 1) if kind == "int" else 0
        return self.number(low, low + (1 << width) - 1)

    def _alias(self) -> None:
        """Of bits, or of bits of two registers."""
        wide = [var for var in self.variables("bit") if not var.constant and var.width > 1]
        registers = [var for var in wide if not var.name.startswith("l_")]
        parts, width = [], 0
        for index in self.sample(len(registers), self.number(1, min(2, len(registers)))):
            whole = registers[index]
            low = self.number(0, whole.width - 2)
            high = self.number(low + 1, whole.width - 1)
            parts.append(f"{whole.name}[{low}:{high}]")
            width += high - low + 1
        var = Var(self.name("l"), "bit", width)
        self.line(f"let {var.name} = {' ++ '.join(parts)};")
        self.scope.append(var)

    def define_subroutine(self) -> None:
        if self.chance(30) and not self.plain:
            self._define_array_subroutine()
            return
        kind, width = self.pick((("uint", 4), ("int", 5), ("bit", 3), ("bool", 0)))
        var = Var(self.name("f"), kind, width)
        outer, self.scope = self.scope, [Var("wx", "uint", 4), Var("wy", "bit", 3)]
        outer_plain, self.plain = self.plain, self.measured
        with self.block(f"def {var.name}(uint[4] wx, bit[3] wy, qubit p) -> {var.type}"):
            for _ in range(self.number(0, 2)):
                self.assign()
            if self.measured and self.chance(40):
                self.line(self.pick(("h p;", "x p;", "ry(pi / 3) p;")))
                self.line(f"wy[{self.number(0, 2)}] = measure p;")
            if not self.measured and self.chance(30):
                with self.block(f"if ({self.condition(1)})"):
                    self.line(f"return {self.expression(kind, width, 1)};")
            self.line(f"return {self.expression(kind, width, 2)};")
        self.scope, self.plain = outer, outer_plain
        self.subroutines.append(var)

    def _define_array_subroutine(self) -> None:
        """Reads or writes the elements of an array, or of a part of one."""
        kind, width = self.pick(_ARRAYS)
        name, access = self.name("f"), self.pick(("mutable", "readonly"))
        array = Var("z", kind, width, length=2)
        outer, self.scope = self.scope, [array, Var("wx", "uint", 4)]
        reference = f"{access} array[{array.type}, {self.pick(('2', '#dim = 1'))}] z"
        result = f" -> {array.type}" if access == "readonly" else ""
        with self.block(f"def {name}({reference}, uint[4] wx){result}"):
            if access == "mutable":
                for _ in range(self.number(1, 2)):
                    operation = self.pick(("=", "+="))
                    self.line(f"z[{self.index(2)}] {operation} {self.integer(1)};")
            else:
                self.line(f"return {self.integer(2)};")
        self.scope = outer
        self.array_subroutines.append((access, Var(name, kind, width)))

    def writable(self, *kinds: str, arrays: bool = False) -> list[Var]:
        kinds = kinds or ("int", "uint", "bit", "bool", "float", "angle")
        found = self.variables(*kinds, arrays=arrays)
        return [v for v in found if not v.constant and not v.counter]

    def assign(self) -> None:
        var = self.pick(self.writable())
        choice = self.number(0, 3)
        if var.kind in ("int", "uint") and not self.plain and self.chance(8):
            self.line(f"{var.name} {self.pick(_BY_LITERAL)} {self.number(1, 4)};")
        elif var.kind == "float" and choice == 0:
            self.line(f"{var.name} {self.pick(COMPOUND)} {self.real(1)};")
        elif var.kind in ("int", "uint") and choice == 0:
            self.line(f"{var.name} {self.pick(COMPOUND)} {self.integer(1)};")
        elif var.kind in ("uint", "bit", "angle") and var.width and choice == 1:
            self.line(f"{var.name} {self.pick(_BITWISE)} {self._bitwise_operand(var)};")
        elif var.kind in ("uint", "bit", "angle") and var.width and choice == 2:
            self.line(f"{var.name} {self.pick(('<<=', '>>='))} {self.number(0, 3)};")
        else:
            self.line(f"{var.name} = {self.expression(var.kind, var.width)};")

    def _bitwise_operand(self, var: Var) -> str:
        if var.kind == "angle":
            return self.angle_variable(var.width)
        return self.sized(1) if var.kind == "uint" else self.bits(var.width, 1)
