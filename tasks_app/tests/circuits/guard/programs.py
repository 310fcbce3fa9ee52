"""Whole programs of OpenQASM 3, drawn at random."""

from collections.abc import Callable

from tasks_app.tests.circuits.guard.declaration_writing import COMPOUND, Declarations
from tasks_app.tests.circuits.guard.writing import Number, Var


class Program(Declarations):
    """Writes a program line by line and knows what is in scope."""

    def __init__(self, number: Number) -> None:
        super().__init__(number)
        self.qubits = self.number(2, 4)
        self._loops = 0
        self._outputs = self.chance(10)
        # Measured values steer the program, through what the simulator can do or anything.
        style = self.number(0, 9)
        self.measured = style >= 4
        self.plain = 4 <= style <= 7

    def write(self) -> str:
        self.line("OPENQASM 3.0;")
        self.line('include "stdgates.inc";')
        for _ in range(self.number(0, 2)):
            self.define_gate()
        for _ in range(self.number(0, 2)):
            self.define_subroutine()
        self.line(f"qubit[{self.qubits}] q;")
        for _ in range(self.number(0, 3) if self.measured else 0):
            self.gate()
        self.line("bit[4] m;")
        if self.measured:
            for qubit in range(self.qubits):
                self.line(f"m[{qubit}] = measure q[{qubit}];")
        else:
            self.line(f'm = "{self.number(0, 15):04b}";')
        self.scope.append(Var("m", "bit", 4))
        for _ in range(self.number(2, 5)):
            self.declare()
        for _ in range(self.number(1, 6)):
            self._statement(2)
        self._observe()
        return "\n".join(self.lines) + "\n"

    # Statements.

    def _statement(self, depth: int) -> None:
        options: list[Callable[[], None]] = [self.assign, self.assign, self._assign_part]
        options += [self.gate, self._measure]
        if self.subroutines or self.array_subroutines:
            options.append(self._call)
        if self.writable("int", "uint", arrays=True):
            options.append(self._assign_element)
        if depth > 0:
            options += [lambda: self._if(depth), lambda: self._for(depth)]
            options += [lambda: self._switch(depth), lambda: self._while(depth)]
        if self._loops and self.chance(15):
            with self.block(f"if ({self.condition(1)})"):
                self.line(self.pick(("break;", "continue;")))
            return
        self.pick(options)()

    def _several(self, depth: int) -> None:
        if self.chance(20):
            self.declare_scalar()
        for _ in range(self.number(1, 3)):
            self._statement(depth)

    def _assign_part(self) -> None:
        kinds = ("bit",) if self.plain else ("bit", "uint", "int")
        wide = [var for var in self.writable(*kinds) if var.width > 1]
        if not wide:
            return
        var = self.pick(wide)
        width = self.number(1, var.width)
        part = self.slice(var.width, width)
        self.line(f"{var.name}{part} = {self.bits(width, 1)};")

    def _assign_element(self) -> None:
        arrays = self.variables("int", "uint", arrays=True)
        array = self.pick(self.writable("int", "uint", arrays=True))
        alike = [v for v in arrays if (v.type, v.columns) == (array.type, array.columns)]
        if self.chance(25):
            other, low = self.pick(alike), self.number(0, array.length - 2)
            self.line(f"{array.name}[{low}:{low + 1}] = {other.name}[0:1];")
        elif array.columns and self.chance(40):
            rows = [v for v in arrays if (v.type, v.columns, v.length) == (array.type, 0, 2)]
            row = self.pick(rows).name if rows else f"{array.name}[0]"
            self.line(f"{array.name}[{self.index(array.length)}] = {row};")
        elif self.chance(20):
            part, width = self.element(array), self.number(1, 3)
            self.line(f"{part}{self.slice(4, width)} = {self.bits(width, 1)};")
        else:
            self.line(f"{self.element(array)} {self.pick(('=', *COMPOUND))} {self.integer(1)};")

    def _call(self) -> None:
        if self.array_subroutines and self.chance(50):
            self._call_with_array()
        elif self.subroutines:
            function = self.pick(self.subroutines)
            call = f"{function.name}({self.integer(1)}, {self.bits(3, 1)}, {self.qubit(1)})"
            if function.kind in ("int", "uint") and self.chance(30):
                call = f"({call} {self.pick(('+', '*', '-'))} {self.integer(1)})"
            targets = [v for v in self.writable(function.kind) if v.kind != "bit" or v.width == 3]
            if targets:
                self.line(f"{self.pick(targets).name} = {call};")

    def _call_with_array(self) -> None:
        access, function = self.pick(self.array_subroutines)
        arrays = self.variables(function.kind, width=function.width, arrays=True)
        arrays = [each for each in arrays if access == "readonly" or not each.constant]
        if not arrays:
            return
        array = self.pick(arrays)
        if array.columns:
            part = f"{array.name}[{self.index(array.length)}]"
        else:
            low = self.number(0, array.length - 2)
            part = f"{array.name}[{low}:{low + 1}]"
        call = f"{function.name}({part}, {self.integer(1)})"
        if access == "mutable":
            self.line(f"{call};")
        elif targets := self.writable("int", "uint"):
            self.line(f"{self.pick(targets).name} = {call};")

    def _if(self, depth: int) -> None:
        if self.chance(20):
            self._bare_if()
            return
        with self.block(f"if ({self.condition(2)})"):
            self._several(depth - 1)
        if self.chance(50):
            with self.block("else"):
                self._several(depth - 1)

    def _bare_if(self) -> None:
        """Without braces, as OpenQASM 2 has it."""
        register = self.pick([var for var in self.variables("bit") if var.width])
        last = self.number(0, 2)
        for place in range(last + 1):
            otherwise = "else " * (place > 0)
            holds = f"if ({register.name} == {self.number(0, 3)}) " * (place == 0 or place < last)
            self.line(f"{otherwise}{holds}{self.pick(('x', 'h', 'rx(0.7)'))} {self.qubit(1)};")

    def _for(self, depth: int) -> None:
        choice = self.number(0, 4)
        name, kind, width = self.name("i"), *self.pick((("int", 0), ("uint", 4), ("int", 8)))
        if choice == 0:
            values = ", ".join(str(self.number(0, 7)) for _ in range(self.number(1, 3)))
            over = f"{{{values}}}"
        elif choice == 1:
            start = self.number(0, 4)
            over = f"[{start + self.number(0, 3)}:-1:{start}]"
        elif choice == 2 and (
            arrays := [v for v in self.variables("int", "uint", arrays=True) if not v.columns]
        ):
            over = self.pick(arrays).name
        elif choice == 3 and not self.plain:
            registers = [var for var in self.variables("bit") if var.width]
            over, kind, width = self.pick(registers).name, "bit", 0
        elif choice == 4 and not self.plain and self.chance(50):
            over, kind, width = "{0.5, 1.25, -3.0}", "float", 64
        else:
            start = self.number(0, 4)
            over = f"[{start}:{start + self.number(0, 3)}]"
            ends = [] if self.plain else [v.name for v in self.variables("uint") if v.width]
            if ends and self.chance(40):
                over = f"[{self.pick(ends)} % 3:{start}]"
        var = Var(name, kind, width, counter=True)
        with self.block(f"for {var.type} {name} in {over}"):
            self.scope.append(var)
            self._loops += 1
            self._several(depth - 1)
            self._loops -= 1

    def _while(self, depth: int) -> None:
        if self.measured and self.chance(20):
            target = self.pick([var for var in self.writable("bit") if var.width > 1])
            qubit = self.qubit(1)
            with self.block(f"while (!{target.name}[0])"):
                self.line(f"h {qubit};")
                self.line(f"{target.name}[0] = measure {qubit};")
            return
        var = Var(self.name("n"), "uint", 3, counter=True)
        self.line(f"uint[3] {var.name} = {self.number(0, 4)};")
        self.scope.append(var)
        extra = f" && {self.condition(1)}" if self.chance(40) else ""
        with self.block(f"while ({var.name} < {self.number(1, 5)}{extra})"):
            self.line(f"{var.name} += 1;")
            self._loops += 1
            self._several(depth - 1)
            self._loops -= 1

    def _switch(self, depth: int) -> None:
        target = self.pick([Var("uint[4](m)", "uint", 4), *self.variables("int", "uint")])
        values = 1 << min(3, (target.width or 4) - (target.kind == "int"))
        labels = iter(self.sample(values, values))
        with self.block(f"switch ({target.name})"):
            for _ in range(self.number(1, 2 if values > 2 else 1)):
                count = self.number(1, 2)
                chosen = ", ".join(
                    str(label) for _, label in zip(range(count), labels, strict=False)
                )
                with self.block(f"case {chosen}"):
                    self._several(depth - 1)
            if self.chance(50):
                with self.block("default"):
                    self._several(depth - 1)

    def _measure(self) -> None:
        targets = [v for v in self.writable("bit") if self.measured or v.width == -1]
        if targets and self.chance(60):
            var = self.pick(targets)
            part = f"[{self.index(var.width)}]" if var.width else ""
            self.line(f"{var.name}{part} = measure {self.qubit(1)};")
        elif self.chance(30):
            self.line(f"reset {self.qubit(1)};")
        else:
            self.gate()

    def _observe(self) -> None:
        """Every variable as bits, and the qubits."""
        for var in list(self.scope):
            if var.length:
                for place in range(var.length):
                    index = f"{place}, {place % 2}" if var.columns else f"{place}"
                    self._show(f"{var.name}[{index}]", var.kind, var.width)
            elif var.kind != "bit":
                self._show(var.name, var.kind, var.width)
        self.line(f"{'output ' * self._outputs}bit[{self.qubits}] r;")
        if self.chance(10):
            self.line("r[0] = measure q[0];")
            with self.block(f"if ({self.condition(1)})"):
                self.line("end;")
        self.line("r = measure q;")

    def _show(self, text: str, kind: str, width: int) -> None:
        name = self.name("o")
        if kind == "bool":
            type, value = "bit", f"bit({text})"
        elif kind == "float":
            type, value = "bit[12]", f"bit[12](int[12](1000 * sin({text})))"
        elif width:
            type, value = f"bit[{width}]", f"bit[{width}]({text})"
        else:
            type, value = "bit[16]", f"bit[16]({kind}[16]({text}))"
        if self._outputs:
            self.line(f"output {type} {name};")
            self.line(f"{name} = {value};")
        else:
            self.line(f"{type} {name} = {value};")
