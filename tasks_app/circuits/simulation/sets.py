"""Run a program for each set of values of its inputs, and put together what is told of them."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import MAX_SEED, Limits
from tasks_app.circuits.language.interpreter.deferred import Inputs
from tasks_app.circuits.language.read import SteeredProgram, outcome_bits
from tasks_app.circuits.simulation import counts
from tasks_app.circuits.simulation.aer import SEED_STEP, Angles
from tasks_app.circuits.simulation.compile import COUNTED, Compiled
from tasks_app.circuits.simulation.observables import with_precision
from tasks_app.circuits.simulation.paths import Walk
from tasks_app.circuits.simulation.sampling import Sampling
from tasks_app.circuits.simulation.template import Prepared, Template

_MAX_CHUNK = 100  # Sets that the simulator runs at once.
_METADATA_BYTES = 2_000
_CHUNK_NUMBERS = 1 << 22  # That it may answer for them.
_TIME_FOR_SETS = 0.9  # Of the deadline: the rest is for the answer.


class SetsRun:
    """One job. Without `parameter_sets`, its `parameters` are the only set."""

    def __init__(
        self, template: Template, request: dict[str, Any], limits: Limits, begun: float
    ) -> None:
        self._template, self._request, self._limits, self._begun = template, request, limits, begun
        self._sets: Sequence[Inputs] = sets_of(request)
        self._single = not request["parameter_sets"]
        last = SEED_STEP * (len(self._sets) - 1)
        given = request["seed"]
        self._seed = secrets.randbelow(MAX_SEED + 1 - last) if given is None else given
        self._outputs = frozenset(request["outputs"])
        self._facts: dict[str, Any] = {}
        self._exact = True
        self._bytes = _METADATA_BYTES
        self._shown: dict[str, Any] = {}

    def result(self) -> dict[str, Any]:
        """Raises CircuitError."""
        compiled = self._template.compilations
        parts: list[dict[str, Any]] = []
        for prepared, angles in self._chunks():
            self._check_time(len(parts))
            if not parts:
                self._show(prepared, angles[0])
            for each in self._run(prepared, angles, self._seed + len(parts) * SEED_STEP):
                each["seed"] = self._seed + len(parts) * SEED_STEP
                self._count_bytes(each, len(parts))
                parts.append(each)
        self._facts["seed"] = self._seed
        if self._request["observables"]:
            self._add_precision(parts)
        result = {"shots": self._request["shots"], "metadata": self._facts} | self._shown
        if self._single:
            del parts[0]["seed"]  # It is in the metadata.
            told = parts[0].keys() & {"probabilities", *COUNTED}
            if told and not self._facts["measured"]:
                self._facts["note"] = "The circuit measures nothing, so there is nothing to count."
            return parts[0] | result
        self._facts["compilations"] = self._template.compilations - compiled
        return {"sets": parts} | result

    def _chunks(self) -> Iterator[tuple[Prepared, list[Angles]]]:
        """Neighbours that share a compilation, a number that the simulator can take at once."""
        current, chunk = self._at(0)
        angles = [chunk]
        for index in range(1, len(self._sets)):
            prepared, more = self._at(index)
            if prepared is not current or len(angles) >= _most(current):
                yield current, angles
                current, angles = prepared, []
            angles.append(more)
        yield current, angles

    def _at(self, index: int) -> tuple[Prepared, Angles]:
        inputs = self._sets[index]
        try:
            if inputs.keys() != self._sets[0].keys():
                raise CircuitError("invalid_parameters", "It has other names than the first set.")
            return self._template.at(inputs)
        except CircuitError as error:
            if not self._single:
                error.message = f"parameter_sets[{index}]: {error.message}"
            raise

    def _run(self, prepared: Prepared, angles: list[Angles], seed: int) -> list[dict[str, Any]]:
        program = prepared.program
        if isinstance(program, SteeredProgram):
            return [self._walk(prepared, program, seed)]  # `_most` gives it one at a time.
        threads, final_state = self._request["threads"], prepared.final_state
        parts: list[dict[str, Any]] = [{} for _ in angles]
        facts = {"sampling": "exact"}
        if final_state:
            told, exact = final_state.run(angles, seed=seed, threads=threads)
            self._exact &= exact
            facts = {"sampling": "exact" if exact else "shots"}
            for part, more in zip(parts, told, strict=True):
                part |= more
        if not self._outputs.isdisjoint(COUNTED):
            options = self._template.options
            outcomes = counts.run(
                program, angles, options, seed=seed, threads=threads, limits=self._limits
            )
            facts = _how(program, outcomes[0])
            for part, outcome in zip(parts, outcomes, strict=True):
                part |= self._told(outcome)
        self._remember(
            prepared,
            {"method": program.method, **facts, "measured": bool(program.registers)},
        )
        return parts

    def _show(self, prepared: Prepared, angles: Angles) -> None:
        """The circuit of the first set: with its parameters by name if there may be more sets."""
        if prepared.shown:
            circuit = prepared.shown(angles if self._single else prepared.names())
            self._shown["circuit"] = circuit
            self._bytes += len(json.dumps(circuit))
        elif "circuit" in self._outputs:
            self._shown["circuit"] = None  # The notes say why.
        if "registers" in self._outputs:
            self._shown["registers"] = _registers(prepared.named_bits)

    def _walk(self, prepared: Prepared, program: SteeredProgram, seed: int) -> dict[str, Any]:
        walk = Walk(program, self._template.options, seed=seed, limits=self._limits)
        outcome = walk.outcome()
        if "registers" in self._outputs:
            self._shown["registers"] = _registers(outcome_bits(walk.run))
        self._remember(prepared, walk.facts(), walk.run.notes)
        return self._told(outcome)

    def _told(self, outcome: counts.Outcome) -> dict[str, Any]:
        return {name: getattr(outcome, name) for name in sorted(COUNTED & self._outputs)}

    def _remember(
        self, prepared: Prepared, facts: dict[str, Any], notes: Sequence[str] = ()
    ) -> None:
        """The metadata are those of the first set."""
        if not self._facts:
            self._facts = {**prepared.facts, **facts}
            if notes := [*prepared.facts.get("notes", ()), *notes]:
                self._facts["notes"] = notes

    def _add_precision(self, parts: list[dict[str, Any]]) -> None:
        precision = self._request["precision"]
        if not self._exact:
            if self._facts["sampling"] == "exact":  # As it was of the first sets.
                self._facts["sampling"] = "shots"
            if precision:
                self._facts["note"] = "The values are averages over the shots: precision is unused."
            precision = 0.0
        values = np.array([each["expectation_values"] for each in parts])
        given = with_precision(values, precision, self._seed)
        for part, row in zip(parts, given, strict=True):
            part["expectation_values"] = row.tolist()
            if precision:
                part["standard_errors"] = [precision] * len(row)

    def _check_time(self, done: int) -> None:
        if done and perf_counter() - self._begun > _TIME_FOR_SETS * self._limits.deadline_s:
            raise CircuitError(
                "timed_out",
                f"{done} of {len(self._sets)} parameter sets took most of the "
                f"{self._limits.deadline_s:g} s that a task has; send at most {done} in a task.",
            )

    def _count_bytes(self, part: dict[str, Any], done: int) -> None:
        if self._single:
            return
        self._bytes += len(json.dumps(part))
        if self._bytes > self._limits.max_result_bytes:
            raise CircuitError(
                "result_too_large",
                f"{done} of {len(self._sets)} parameter sets fill the "
                f"{self._limits.max_result_bytes:,} bytes that a result may have; send at most "
                f"{done} in a task, measure fewer qubits or use fewer shots.",
            )


def _how(program: Compiled, outcome: counts.Outcome) -> dict[str, Any]:
    if outcome.paths is not None:
        return {"sampling": "paths", "paths": outcome.paths}
    drawn = isinstance(program.sampling, Sampling)
    return {"sampling": "probabilities" if drawn else "shots"}


def _registers(named: Mapping[str, list[int]]) -> list[dict[str, Any]]:
    """In the order of the program, which an object would not keep in a database."""
    return [{"name": name, "bits": list(bits)} for name, bits in named.items()]


def sets_of(request: Mapping[str, Any]) -> Sequence[Inputs]:
    """The values of inputs, for a run each; those given in order by their places."""
    sets = request["parameter_sets"] or [request["parameters"]]
    return [each if isinstance(each, Mapping) else dict(enumerate(each)) for each in sets]


def _most(prepared: Prepared) -> int:
    if isinstance(prepared.program, SteeredProgram):
        return 1
    qubits = int(prepared.program.circuit.num_qubits)
    return max(1, min(_MAX_CHUNK, _CHUNK_NUMBERS >> min(qubits, 30)))
