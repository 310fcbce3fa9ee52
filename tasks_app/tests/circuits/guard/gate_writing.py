"""Gates, their definitions and their modifiers, drawn at random."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasks_app.tests.circuits.guard.writing import Number, Words

_FIXED_GATES = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "id")
_TURNING_GATES = ("rx", "ry", "rz", "p", "u1", "phase")
_PAIR_GATES = ("cx", "cy", "cz", "ch", "swap", "CX")
_TURNING_PAIRS = ("cp", "crx", "cry", "crz", "cphase")
_SMALL = ("pi", "pi / 2", "-pi / 2", "pi / 4", "0.7", "-1.3")
_MODIFIERS = (
    "inv @",
    "pow(2) @",
    "pow(-1) @",
    "ctrl @",
    "ctrl @",
    "negctrl @",
    "ctrl(2) @",
    "negctrl(2) @",
)


class Gates(Words):
    """Writes lines, of which those about qubits are made here."""

    def __init__(self, number: Number) -> None:
        super().__init__(number)
        self.lines: list[str] = []
        self._indent = 0
        self._names = 0
        self.local: set[str] = set()
        """Names declared in the innermost block."""
        self.qubits = 0
        self._gates: list[tuple[str, int, int]] = []
        self.measured = False
        """Whether variables may depend on measurements."""

    @property
    def inner(self) -> bool:
        """Whether this is inside a block."""
        return self._indent > 0

    def line(self, text: str) -> None:
        self.lines.append("  " * self._indent + text)

    def name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}_{self._names}"  # No name of a library's gate.

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(f"{head} {{")
        outer, local = list(self.scope), self.local
        self.local = set()
        self._indent += 1
        yield
        self._indent -= 1
        self.scope, self.local = outer, local
        self.line("}")

    def define_gate(self) -> None:
        name, qubits = self.name("g"), self.number(1, 2)
        angles = self.number(0, 2)
        names = ["u", "v"][:qubits]
        parameters = ("", "(theta)", "(theta, eta)")[angles]
        with self.block(f"gate {name}{parameters} {', '.join(names)}"):
            for _ in range(self.number(1, 3)):
                known = ["pi / 2", "-pi / 4", "theta", "-theta / 2", "theta - 2 * eta"]
                angle = self.pick(known[: 2 + angles + (angles > 0)])
                target = self.pick(names)
                options = [
                    f"U({angle}, 0, pi / 2) {target};",
                    f"gphase({angle});",
                    f"{self.pick(_FIXED_GATES)} {target};",
                    f"{self.pick(_TURNING_GATES)}({angle}) {target};",
                ]
                if qubits == 2:
                    options += ["cx u, v;", f"ctrl @ rx({angle}) v, u;", f"crz({angle}) u, v;"]
                alike = [gate for gate in self._gates if gate[1:] == (1, qubits)]
                if alike:
                    options.append(f"{self.pick(alike)[0]}({angle}) {', '.join(names[::-1])};")
                self.line(self.pick(options))
        self._gates.append((name, angles, qubits))

    def qubit(self, count: int) -> str:
        return ", ".join(f"q[{qubit}]" for qubit in self.sample(self.qubits, count))

    def gate(self) -> None:
        modifiers = [self.pick(_MODIFIERS) for _ in range(self.pick((0, 0, 0, 1, 1, 2)))]
        controls = sum(("ctrl" in each) + ("ctrl(2)" in each) for each in modifiers)
        room = self.qubits - controls
        if room < 1:
            return
        if self.chance(8):
            self.line(f"{self.pick(('h', 'x', 'sx', 'reset', 'barrier', 'rx(0.7)'))} q;")
            return
        if self.chance(8):
            self.line(f"ctrl @ gphase({self._angle()}) {self.qubit(1)};")
            return
        if self._gates and self.chance(40):
            name, angles, qubits = self.pick(self._gates)
        elif room >= 2 and self.chance(35):
            name, qubits = self.pick((*_PAIR_GATES, *_TURNING_PAIRS)), 2
            angles = int(name in _TURNING_PAIRS)
        else:
            name, qubits = self.pick((*_FIXED_GATES, *_TURNING_GATES, "U", "u2", "u3")), 1
            angles = {"U": 3, "u3": 3, "u2": 2}.get(name, int(name in _TURNING_GATES))
        # The power of a turn by more than half a turn is not said to be the turn of the power.
        half = qubits == 1 and not name.startswith("g_") and self.chance(15)
        modifiers += ["pow(0.5) @"] * half
        values = ", ".join(self.pick(_SMALL) if half else self._angle() for _ in range(angles))
        called = f"{name}({values})" if angles else name
        if qubits <= room:
            self.line(" ".join([*modifiers, called, self.qubit(qubits + controls)]) + ";")

    def _angle(self) -> str:
        known = self.variables("angle", "float")
        if known and self.chance(60):
            factor = "" if self.chance(70) else f"{self.number(1, 3)} * "
            return factor + self.pick(known).name
        if not self.plain and self.chance(10):
            return self.real(1)
        return self.pick((*_SMALL, "2 * pi", "3 * pi"))
