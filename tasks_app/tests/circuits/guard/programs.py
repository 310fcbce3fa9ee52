"""Whole programs of OpenQASM 3, drawn at random."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tasks_app.tests.circuits.guard.writing import WIDTHS, Number, Var, Words

_COMPOUND = ("+=", "-=", "*=")
_BITWISE = ("&=", "|=", "^=")
_FIXED_GATES = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx")
_TURNING_GATES = ("rx", "ry", "rz", "p", "u1", "phase")
_PAIR_GATES = ("cx", "cy", "cz", "ch", "swap", "CX")
_TURNING_PAIRS = ("cp", "crx", "cry", "crz", "cphase")
_MODIFIERS = ("inv @", "pow(2) @", "pow(0.5) @", "pow(-1) @", "ctrl @", "negctrl @")


class Program(Words):
    """Writes a program line by line and knows what is in scope."""

    def __init__(self, number: Number) -> None:
        super().__init__(number)
        self.inputs: dict[str, Any] = {}
        self._lines: list[str] = []
        self._indent = 0
        self._names = 0
        self._qubits = self.number(2, 4)
        self._gates: list[tuple[str, int, int]] = []
        self._subroutines: list[Var] = []
        self._modifiers: list[str] = []
        self._loops = 0
        # Measured values steer the program, through what the simulator can do or anything.
        style = self.number(0, 9)
        self._measured = style >= 4
        self.plain = 4 <= style <= 7

    def write(self) -> str:
        self._line("OPENQASM 3.0;")
        self._line('include "stdgates.inc";')
        for _ in range(self.number(0, 2)):
            self._define_gate()
        for _ in range(self.number(0, 2)):
            self._define_subroutine()
        self._line(f"qubit[{self._qubits}] q;")
        for _ in range(self.number(0, 3) if self._measured else 0):
            self._gate()
        self._line("bit[4] m;")
        if self._measured:
            for qubit in range(self._qubits):
                self._line(f"m[{qubit}] = measure q[{qubit}];")
        else:
            self._line(f'm = "{self.number(0, 15):04b}";')
        self.scope.append(Var("m", "bit", 4))
        for _ in range(self.number(2, 5)):
            self._declare()
        for _ in range(self.number(1, 6)):
            self._statement(2)
        self._observe()
        return "\n".join(self._lines) + "\n"

    def _line(self, text: str) -> None:
        self._lines.append("  " * self._indent + text)

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}_{self._names}"  # No name of a library's gate.

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self._line(f"{head} {{")
        known = len(self.scope)
        self._indent += 1
        try:
            yield
        finally:
            self._indent -= 1
            del self.scope[known:]
            self._line("}")

    # Declarations.

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

    def _declare(self) -> None:
        if not self.plain and self.chance(20):
            self._declare_array()
            return
        if self.chance(8):
            self._declare_input()
            return
        if self.chance(10):
            self._alias()
            return
        kind, width = self._type()
        # Only constants can be made of constants, and only they are known not to be measured.
        constant = self.chance(15) and not self._measured
        scope, self.scope = self.scope, [v for v in self.scope if not constant or v.constant]
        if constant and not self.variables("bit"):
            self.scope = [*self.scope, Var('"101"', "bit", 3, constant=True)]
        value = self.expression(kind, width, self.number(0, 2))
        self.scope = scope
        var = Var(self._name(kind[0]), kind, width, constant)
        self._line(f"{'const ' if constant else ''}{var.type} {var.name} = {value};")
        self.scope.append(var)

    def _declare_array(self) -> None:
        kind, width = self.pick(("int", "uint")), self.pick(WIDTHS[1:])
        var = Var(self._name("a"), kind, width, length=self.number(2, 4))
        values = ", ".join(self.integer(1) for _ in range(var.length))
        self._line(f"array[{var.type}, {var.length}] {var.name} = {{{values}}};")
        self.scope.append(var)

    def _declare_input(self) -> None:
        kind, width, value = self.pick(
            (
                ("uint", 4, self.number(0, 15)),
                ("int", 5, self.number(-16, 15)),
                ("float", 64, 0.375),
                ("bool", 0, True),
            )
        )
        var = Var(self._name("in"), kind, width, constant=True)
        self._line(f"input {var.type} {var.name};")
        self.inputs[var.name] = value
        self.scope.append(var)

    def _alias(self) -> None:
        whole = self.pick([v for v in self.variables("bit") if not v.constant and v.width > 1])
        low = self.number(0, whole.width - 2)
        high = self.number(low + 1, whole.width - 1)
        var = Var(self._name("l"), "bit", high - low + 1)
        self._line(f"let {var.name} = {whole.name}[{low}:{high}];")
        self.scope.append(var)

    def _define_gate(self) -> None:
        name, qubits = self._name("g"), self.number(1, 2)
        angles = self.number(0, 1)
        names = ["u", "v"][:qubits]
        with self._block(f"gate {name}{'(theta)' * angles} {', '.join(names)}"):
            for _ in range(self.number(1, 3)):
                angle = self.pick(
                    ("theta", "theta / 2", "-theta") if angles else ("pi / 2", "-pi / 4")
                )
                target = self.pick(names)
                options = [
                    f"U({angle}, 0, pi / 2) {target};",
                    f"gphase({angle});",
                    f"{self.pick(_FIXED_GATES)} {target};",
                    f"{self.pick(_TURNING_GATES)}({angle}) {target};",
                ]
                if qubits == 2:
                    options += ["cx u, v;", f"ctrl @ rx({angle}) v, u;", f"crz({angle}) u, v;"]
                self._line(self.pick(options))
        self._gates.append((name, angles, qubits))

    def _define_subroutine(self) -> None:
        """Of a number and bits, by value."""
        kind, width = self.pick((("uint", 4), ("int", 5), ("bit", 3), ("bool", 0)))
        var = Var(self._name("f"), kind, width)
        outer, self.scope = self.scope, [Var("x", "uint", 4), Var("y", "bit", 3)]
        outer_plain, self.plain = self.plain, self._measured
        with self._block(f"def {var.name}(uint[4] x, bit[3] y) -> {var.type}"):
            for _ in range(self.number(0, 2)):
                self._assign()
            if not self._measured and self.chance(30):
                with self._block(f"if ({self.condition(1)})"):
                    self._line(f"return {self.expression(kind, width, 1)};")
            self._line(f"return {self.expression(kind, width, 2)};")
        self.scope, self.plain = outer, outer_plain
        self._subroutines.append(var)

    # Statements.

    def _statement(self, depth: int) -> None:
        options: list[Callable[[], None]] = [self._assign, self._assign, self._assign_part]
        options += [self._gate, self._measure]
        if self._subroutines:
            options.append(self._call)
        if self.variables("int", "uint", arrays=True):
            options.append(self._assign_element)
        if depth > 0:
            options += [lambda: self._if(depth), lambda: self._for(depth)]
            options += [lambda: self._switch(depth), lambda: self._while(depth)]
        if self._loops and self.chance(15):
            with self._block(f"if ({self.condition(1)})"):
                self._line(self.pick(("break;", "continue;")))
            return
        self.pick(options)()

    def _several(self, depth: int) -> None:
        for _ in range(self.number(1, 3)):
            self._statement(depth)

    def _writable(self, *kinds: str) -> list[Var]:
        kinds = kinds or ("int", "uint", "bit", "bool", "float", "angle")
        return [v for v in self.variables(*kinds) if not v.constant and not v.counter]

    def _assign(self) -> None:
        var = self.pick(self._writable())
        choice = self.number(0, 3)
        if var.kind in ("int", "uint") and choice == 0:
            self._line(f"{var.name} {self.pick(_COMPOUND)} {self.integer(1)};")
        elif var.kind in ("uint", "bit", "angle") and var.width and choice == 1:
            other = self.sized(1) if var.kind == "uint" else self.expression(var.kind, var.width, 1)
            self._line(f"{var.name} {self.pick(_BITWISE)} {other};")
        elif var.kind in ("uint", "bit", "angle") and var.width and choice == 2:
            self._line(f"{var.name} {self.pick(('<<=', '>>='))} {self.number(0, 3)};")
        else:
            self._line(f"{var.name} = {self.expression(var.kind, var.width)};")

    def _assign_part(self) -> None:
        kinds = ("bit",) if self.plain else ("bit", "uint", "int")
        wide = [var for var in self._writable(*kinds) if var.width > 1]
        if not wide:
            return
        var = self.pick(wide)
        width = self.number(1, var.width)
        part = self._slice(var.width, width)
        self._line(f"{var.name}{part} = {self.bits(width, 1)};")

    def _assign_element(self) -> None:
        array = self.pick(self.variables("int", "uint", arrays=True))
        operation = self.pick(("=", "=", "+=", "-="))
        self._line(f"{array.name}[{self.index(array.length)}] {operation} {self.integer(1)};")

    def _call(self) -> None:
        function = self.pick(self._subroutines)
        call = f"{function.name}({self.integer(1)}, {self.bits(3, 1)})"
        targets = [v for v in self._writable(function.kind) if v.kind != "bit" or v.width == 3]
        if targets:
            self._line(f"{self.pick(targets).name} = {call};")

    def _if(self, depth: int) -> None:
        with self._block(f"if ({self.condition(2)})"):
            self._several(depth - 1)
        if self.chance(50):
            with self._block("else"):
                self._several(depth - 1)

    def _for(self, depth: int) -> None:
        choice = self.number(0, 4)
        name, kind, width = self._name("i"), *self.pick((("int", 0), ("uint", 4), ("int", 8)))
        if choice == 0:
            values = ", ".join(str(self.number(0, 7)) for _ in range(self.number(1, 3)))
            over = f"{{{values}}}"
        elif choice == 1:
            start = self.number(0, 4)
            over = f"[{start + self.number(0, 3)}:-1:{start}]"
        elif choice == 2 and (arrays := self.variables("int", "uint", arrays=True)):
            over = self.pick(arrays).name
        elif choice == 3 and not self.plain:
            over, kind, width = self.pick(self.variables("bit")).name, "bit", 0
        else:
            start = self.number(0, 4)
            over = f"[{start}:{start + self.number(0, 3)}]"
        var = Var(name, kind, width, counter=True)
        with self._block(f"for {var.type} {name} in {over}"):
            self.scope.append(var)
            self._loops += 1
            self._several(depth - 1)
            self._loops -= 1

    def _while(self, depth: int) -> None:
        var = Var(self._name("n"), "uint", 3, counter=True)
        self._line(f"uint[3] {var.name} = {self.number(0, 4)};")
        self.scope.append(var)
        extra = f" && {self.condition(1)}" if self.chance(40) else ""
        with self._block(f"while ({var.name} < {self.number(1, 5)}{extra})"):
            self._line(f"{var.name} += 1;")
            self._loops += 1
            self._several(depth - 1)
            self._loops -= 1

    def _switch(self, depth: int) -> None:
        labels = iter(self.sample(6, 4))
        found = self.variables("int", "uint")
        target = self.pick(found).name if found else "uint[4](m)"
        with self._block(f"switch ({target})"):
            for _ in range(self.number(1, 2)):
                chosen = ", ".join(str(next(labels)) for _ in range(self.number(1, 2)))
                with self._block(f"case {chosen}"):
                    self._several(depth - 1)
            if self.chance(50):
                with self._block("default"):
                    self._several(depth - 1)

    # Quantum statements.

    def _qubit(self, count: int) -> str:
        return ", ".join(f"q[{qubit}]" for qubit in self.sample(self._qubits, count))

    def _gate(self) -> None:
        modifiers = [self.pick(_MODIFIERS) for _ in range(self.pick((0, 0, 0, 1, 1, 2)))]
        controls = sum("ctrl" in each for each in modifiers)
        room = self._qubits - controls
        if room < 1:
            return
        if self._gates and self.chance(40):
            name, angles, qubits = self.pick(self._gates)
            name += f"({self._angle_of_gate()})" * angles
        elif room >= 2 and self.chance(35):
            qubits = 2
            name = self.pick((*_PAIR_GATES, *_TURNING_PAIRS))
            name += f"({self._angle_of_gate()})" * (name in _TURNING_PAIRS)
        else:
            qubits = 1
            name = self.pick((*_FIXED_GATES, *_TURNING_GATES, "U", "u2", "u3"))
            if name in _TURNING_GATES:
                name += f"({self._angle_of_gate()})"
            elif name in ("U", "u2", "u3"):
                count = 2 if name == "u2" else 3
                name += f"({', '.join(self._angle_of_gate() for _ in range(count))})"
        if qubits <= room:
            self._line(f"{' '.join([*modifiers, name])} {self._qubit(qubits + controls)};")

    def _angle_of_gate(self) -> str:
        known = self.variables("angle") if not self._measured else []
        if known and self.chance(60):
            return self.pick(known).name
        return self.pick(("pi", "pi / 2", "-pi / 2", "pi / 4", "0.7", "-1.3", "2 * pi", "3 * pi"))

    def _measure(self) -> None:
        targets = [v for v in self._writable("bit") if self._measured or v.width == -1]
        if targets and self.chance(60):
            var = self.pick(targets)
            part = f"[{self.index(var.width)}]" if var.width else ""
            self._line(f"{var.name}{part} = measure {self._qubit(1)};")
        elif self.chance(30):
            self._line(f"reset {self._qubit(1)};")
        else:
            self._gate()

    def _observe(self) -> None:
        """Every variable as bits, and the qubits."""
        for var in list(self.scope):
            if var.length:
                for place in range(var.length):
                    self._show(f"{var.name}[{place}]", var.kind, var.width)
            elif var.kind != "bit":
                self._show(var.name, var.kind, var.width)
        self._line(f"bit[{self._qubits}] r;")
        self._line("r = measure q;")

    def _show(self, text: str, kind: str, width: int) -> None:
        name = self._name("o")
        if kind == "bool":
            self._line(f"bit {name} = bit({text});")
        elif kind == "float":
            self._line(f"bit[12] {name} = bit[12](int[12](1000 * sin({text})));")
        elif width:
            self._line(f"bit[{width}] {name} = bit[{width}]({text});")
        else:
            self._line(f"bit[16] {name} = bit[16]({kind}[16]({text}));")
