"""One program for many values of its inputs: read and compiled as seldom as they allow."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

from qiskit.circuit import Parameter

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.interpreter.conversion import ArithmeticFailure
from tasks_app.circuits.language.interpreter.deferred import Decides, Deferred, Inputs, Tape
from tasks_app.circuits.language.read import SteeredProgram, parse
from tasks_app.circuits.language.source import Source
from tasks_app.circuits.qpy_file import QpyFile
from tasks_app.circuits.simulation.compile import COUNTED, Compiled, Options
from tasks_app.circuits.simulation.final_state import FinalState
from tasks_app.circuits.simulation.kind import Kind
from tasks_app.circuits.simulation.shown import show

_MAX_KEPT = 16  # Compilations of one program.
_MAX_READINGS = 4  # To find out which inputs decide, before all of them count as such.
_NO_FINAL_STATE = (
    "What this program does with its measurements takes each shot its own way, so that there is "
    "no one final state; ask for counts, without observables."
)
_NO_CIRCUIT = (
    "What this program does with its measurements takes each shot its own way, so that there is "
    "no one compiled circuit to show."
)
_NO_LEVELS = (
    "This backend has no gates of its own to compile for; leave optimization_level out, or choose "
    "a backend that simulates a device."
)
_NO_PATHS = (
    "What this program does with its measurements is more than a circuit can say, and this backend "
    "runs circuits only; decide with bits and comparisons of bits, or choose another backend."
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program for some values of its inputs, and how its angles come from the other inputs."""

    program: Compiled | SteeredProgram
    facts: Mapping[str, Any]
    tape: Tape
    deferred: Mapping[Deferred, Parameter]
    final_state: FinalState | None = None
    shown: Callable[[Mapping[Parameter, Any]], dict[str, Any]] | None = None
    """The circuit as text and drawing, with these values or parameters in place of its own."""
    named_bits: Mapping[str, list[int]] = field(default_factory=dict)

    def angles(self, inputs: Inputs) -> dict[Parameter, float]:
        """The values of the circuit's parameters. Raises ArithmeticFailure for one out of place."""
        values = self.tape.play(inputs)
        return {parameter: values[value.place] for value, parameter in self.deferred.items()}

    def names(self) -> dict[Parameter, Parameter]:
        """The circuit's parameters as the program calls them, where one is an input as it is."""
        named: dict[str, Parameter] = {}
        found = {}
        for value, parameter in self.deferred.items():
            name = self.tape.name(value) or parameter.name
            found[parameter] = named.setdefault(name, Parameter(name))
        return found


class Template:
    """A program and how to run it, without the values of its inputs."""

    def __init__(
        self, source: Source | QpyFile, kind: Kind, options: Options, limits: Limits
    ) -> None:
        """Raises CircuitError."""
        self.compilations = 0
        self.parse_seconds = self.compile_seconds = 0.0
        self.gates = 0
        """Of the largest compilation."""
        if options.optimization_level is not None and not kind.has_levels:
            raise CircuitError("invalid_optimization_level", _NO_LEVELS)
        self._source, self._kind, self.options, self._limits = source, kind, options, limits
        self._steered = False  # Once it was: no use to try without the values.
        self._kept: OrderedDict[tuple[frozenset[Any], str], Prepared] = OrderedDict()

    def at(self, inputs: Inputs) -> tuple[Prepared, dict[Parameter, float]]:
        """The program for these values, and those of its parameters. Raises CircuitError."""
        prepared = self._found(inputs) or self._prepare(inputs)
        try:
            return prepared, prepared.angles(inputs)
        except (ArithmeticFailure, TypeError):  # Who reads with the values knows the place.
            return self._read(inputs, frozenset(inputs)), {}

    def _found(self, inputs: Inputs) -> Prepared | None:
        for names in {names for names, _ in self._kept}:
            key = names, _written(inputs, names)
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        return None

    def _prepare(self, inputs: Inputs) -> Prepared:
        """For all inputs that agree with these in those that decide."""
        every = frozenset(inputs)
        names = every if self._steered else frozenset()
        for _ in range(_MAX_READINGS):
            if names == every:
                break
            try:
                prepared = self._read(inputs, names)
            except Decides as decides:
                names |= decides.names
            except Exception:  # It may come from a value that is not there.
                break
            else:
                if not isinstance(prepared.program, SteeredProgram):
                    return self._keep(prepared, inputs, names)
                self._steered = True
                break
        return self._keep(self._read(inputs, every), inputs, every)

    def _keep(self, prepared: Prepared, inputs: Inputs, names: frozenset[Any]) -> Prepared:
        self._kept[names, _written(inputs, names)] = prepared
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return prepared

    def _read(self, inputs: Inputs, known: frozenset[Any]) -> Prepared:
        begun, tape = perf_counter(), Tape()
        given = {
            name: value if name in known else tape.input(name) for name, value in inputs.items()
        }
        program = parse(self._source, self._limits, given)
        parsed = perf_counter()
        facts: dict[str, Any] = {"language": self._source.language}
        if program.notes:
            facts["notes"] = list(program.notes)
        if isinstance(program, SteeredProgram):
            if not self._kind.takes_paths:
                raise CircuitError("backend_unsuitable", _NO_PATHS)
            if self.options.final_state:
                raise CircuitError("method_unsuitable", _NO_FINAL_STATE)
            if "circuit" in self.options.outputs:
                if self.options.outputs.isdisjoint(COUNTED):
                    raise CircuitError("method_unsuitable", _NO_CIRCUIT)
                facts["notes"] = [*facts.get("notes", ()), _NO_CIRCUIT]
            self.parse_seconds += parsed - begun
            return Prepared(program, facts, tape, {})
        compiled = self._kind.compile(program, self.options, self._limits)
        circuit = program.circuit
        facts |= {
            "qubits": circuit.num_qubits,
            "clbits": sum(map(len, program.registers)),
            "gates": circuit.size(),
            "depth": circuit.depth(),
            **compiled.facts,
        }
        self.compilations += 1
        self.gates = max(self.gates, circuit.size())
        self.parse_seconds += parsed - begun
        self.compile_seconds += perf_counter() - parsed
        wanted = self.options.final_state
        final_state = FinalState(compiled, self.options, self._limits) if wanted else None
        shown = None
        if "circuit" in self.options.outputs:
            most = self._limits.max_result_bytes
            circuit, hardware = compiled.circuit, compiled.hardware
            shown = partial(show, program, circuit, hardware=hardware, max_bytes=most)
        return Prepared(
            compiled, facts, tape, program.deferred, final_state, shown, program.named_bits
        )


def _written(inputs: Inputs, names: frozenset[Any]) -> str:
    """The values of these inputs, with their types."""
    return json.dumps([inputs[name] for name in sorted(names)]) if names else ""
