"""The names of a program in their scopes, its inputs, and the count of its steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.errors import CircuitError, wrong_number
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.interpreter import library
from tasks_app.circuits.language.interpreter.deferred import Deferred, Inputs, Tape
from tasks_app.circuits.language.interpreter.functions import CONSTANTS
from tasks_app.circuits.language.interpreter.values import Array, Bits, Qubits, Variable, failure

_MAX_CALLS = 100  # Calls of subroutines and gates inside one another.
_LOOP_RAN_AWAY = "The program unrolls to more than {:,} operations; use fewer iterations or gates."


class Names:
    """What each name stands for, from the innermost scope outwards."""

    def __init__(self, limits: Limits, inputs: Inputs, *, old: bool) -> None:
        self.limits = limits
        self.old = old
        """Whether the program is OpenQASM 2, where numbers are real and `U` has no phase."""
        self.globals: dict[str, Any] = dict(library.BUILT_IN_OLD if old else library.BUILT_IN)
        self.scopes = [self.globals]
        self.in_gate = False
        self.library: dict[str, Any] = {}
        """Gates of libraries, which names of the program's hide."""
        self.used: set[str] = set()
        """Names of those that the program has used."""
        self.predefined: set[str] = set()
        """Names of constants and functions of OpenQASM's that it has used."""
        self.without_include: list[str] = []
        """Those whose library the program does not include."""
        self._beyond: dict[str, None] = {}
        """What an OpenQASM 2 program has of OpenQASM 3."""
        self._inputs = dict(inputs)
        self._used_inputs: dict[str, int] = {}  # In the order of their declaration.
        waiting = (each.tape for each in inputs.values() if isinstance(each, Deferred))
        self.tape = next(waiting, None) or Tape()
        """What is computed from inputs that wait."""
        self._steps = 0
        self.calls = 0

    def physical_qubit(self, name: str) -> Qubit:
        """The qubit of the hardware with a number, `$0`."""
        raise NotImplementedError

    def define(self, name: str, value: Any) -> None:
        if name in self.scopes[-1]:
            raise failure(f"The name {name!r:.80} is already taken.")
        if name in self.predefined and self.scopes[-1] is self.globals:  # As for gates.
            raise failure(f"OpenQASM's own {name!r:.80} was used before; define yours first.")
        self.scopes[-1][name] = value

    def lookup(self, name: str) -> Any:
        for scope in reversed(self.scopes):
            if name in scope:
                if self.in_gate and scope is self.globals:
                    self._check_seen_in_gate(name, scope[name])
                return scope[name]
        if name in CONSTANTS:
            self.predefined.add(name)
            return CONSTANTS[name]
        if name.startswith("$") and name[1:].isdecimal() and not self.in_gate:
            return self.physical_qubit(name)
        raise failure(f"The name {name!r:.80} is not defined.")

    def _check_seen_in_gate(self, name: str, found: Any) -> None:
        if isinstance(found, Qubit | Qubits):
            raise failure("The body of a gate sees no qubit but its own.")
        if isinstance(found, Array | Bits | Clbit) or (
            isinstance(found, Variable) and not found.constant
        ):
            raise failure(
                f"The body of a gate sees constants only; give {name!r:.80} as a parameter."
            )

    def input_value(self, name: str) -> Any:
        place = self._used_inputs.setdefault(name, len(self._used_inputs))
        for key in (name, place):
            if key in self._inputs:
                return self._inputs[key]
        raise failure(f"Give a value for {name!r:.80} in parameters.", "invalid_parameters")

    def include(self, filename: str) -> None:
        if len(self.scopes) > 1:
            raise failure("Include a library at the top level.")
        gates = library.LIBRARY_GATES.get(filename)
        if gates is None:
            raise failure(
                f"The library {filename[:80]!r} cannot be included, only stdgates.inc and "
                "qelib1.inc can; paste its definitions into the circuit.",
                "include_not_allowed",
            )
        self.library = gates | self.library

    def note_beyond(self, what: str) -> None:
        """An OpenQASM 2 program may have some of OpenQASM 3, as PennyLane writes it."""
        if self.old:
            self._beyond[what] = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the program was read."""
        beyond = [
            f"The program has {what}, which OpenQASM 2 has not; it was taken as in OpenQASM 3."
            for what in self._beyond
        ]
        names = ", ".join(self.without_include)
        used = f"Used without an include, as the gates of these names: {names:.900}."
        return (*beyond, used) if names else tuple(beyond)

    @contextmanager
    def scope(self) -> Iterator[None]:
        self.scopes.append({})
        try:
            yield
        finally:
            self.scopes.pop()

    @contextmanager
    def frame(self) -> Iterator[dict[str, Any]]:
        """The scope of a body that sees nothing of its caller but what is global."""
        if self.calls >= _MAX_CALLS:
            raise failure(f"More than {_MAX_CALLS} calls are nested.", "too_deeply_nested")
        saved, self.scopes = self.scopes, [self.globals, {}]
        self.calls += 1
        try:
            yield self.scopes[-1]
        finally:
            self.scopes = saved
            self.calls -= 1

    def count_steps(self, steps: int) -> None:
        self._steps += steps
        if self._steps > self.limits.max_operations:
            message = _LOOP_RAN_AWAY.format(self.limits.max_operations)
            raise failure(message, "too_many_operations")

    @contextmanager
    def counting(self) -> Iterator[Callable[[], int]]:
        """Count the steps of a gate's body by themselves."""
        outer, self._steps = self._steps, 0
        try:
            yield lambda: max(self._steps, 1)
        finally:
            self._steps = outer

    def finish(self) -> None:
        """Check what can be checked only at the end of the program."""
        used = self._used_inputs
        unknown = sorted(self._inputs.keys() - used.keys() - set(used.values()))
        if unknown and isinstance(unknown[0], int):
            raise wrong_number(len(used), len(self._inputs))
        if unknown:
            raise CircuitError(
                "invalid_parameters", f"The circuit declares no input named {unknown[0]!r:.80}."
            )
