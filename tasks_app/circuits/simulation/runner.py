"""One job from text to answer."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy
import qiskit
import qiskit_aer
from qiskit.exceptions import QiskitError
from qiskit_aer import AerError

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.qasm3 import Steered
from tasks_app.circuits.language.read import parse
from tasks_app.circuits.language.source import read_source
from tasks_app.circuits.simulation import compile, counts
from tasks_app.circuits.simulation.noise import check_noise
from tasks_app.circuits.simulation.paths import Walk

_OPTIONS = ("method", "parameters", "noise", "shots", "max_qubits")  # besides the text
_CACHED_CIRCUITS = 32
_MAX_CACHED_GATES = 20_000  # Of one circuit: larger ones spend their time in the simulator.


@dataclass(frozen=True, slots=True)
class _Prepared:
    compiled: compile.Compiled | Steered
    noise: Mapping[str, float] | None
    facts: dict[str, Any]


class Runner:
    """Runs jobs in this process, without protection."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cache: OrderedDict[str, _Prepared] = OrderedDict()

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """The result of a job as plain types. Raises CircuitError; anything else is a bug."""
        try:
            return self._run(request)
        except AerError as error:
            raise CircuitError(
                "simulation_failed", f"The simulator refused: {error.message}"
            ) from error
        except QiskitError as error:
            raise CircuitError(
                "invalid_program", f"Qiskit refused the circuit: {error.message}"
            ) from error

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        begun = perf_counter()
        # Depends on the shots because the choice of a method does; for repeated runs it pays.
        key_fields = [request[name] for name in _OPTIONS]
        digest = hashlib.sha256(request["circuit"].encode("utf-8", "surrogatepass")).hexdigest()
        key = json.dumps([digest, *key_fields], sort_keys=True)
        prepared = self._cache.get(key)
        parse_seconds = compile_seconds = 0.0
        if prepared is None:
            prepared, parse_seconds, compile_seconds = self._prepare(request, begun)
            if prepared.facts.get("gates", 0) <= _MAX_CACHED_GATES:
                self._cache[key] = prepared
                if len(self._cache) > _CACHED_CIRCUITS:
                    self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        ready = perf_counter()
        outcome, facts = self._run_prepared(prepared, request)
        metadata = (
            prepared.facts
            | facts
            | {
                "circuit_sha256": digest,
                "seed": outcome.seed,
                "parse_seconds": round(parse_seconds, 6),
                "compile_seconds": round(compile_seconds, 6),
                "run_seconds": round(perf_counter() - ready, 6),
                "qiskit": qiskit.__version__,
                "qiskit_aer": qiskit_aer.__version__,
                "numpy": numpy.__version__,
            }
        )
        if not metadata["measured"]:
            metadata["note"] = "The circuit measures nothing, so there is nothing to count."
        result = {"counts": outcome.counts, "shots": request["shots"], "metadata": metadata}
        return result if outcome.memory is None else result | {"memory": outcome.memory}

    def _run_prepared(
        self, prepared: _Prepared, request: dict[str, Any]
    ) -> tuple[counts.Outcome, dict[str, Any]]:
        compiled, shots, seed = prepared.compiled, request["shots"], request["seed"]
        if isinstance(compiled, Steered):
            walk = Walk(
                compiled,
                method=request["method"],
                shots=shots,
                seed=seed,
                noise=prepared.noise,
                limits=self._limits,
            )
            return walk.outcome(memory=request["memory"]), walk.facts()
        outcome = counts.run(
            compiled,
            shots=shots,
            seed=seed,
            memory=request["memory"],
            threads=request["threads"],
            limits=self._limits,
        )
        return outcome, {
            "method": compiled.method,
            "sampling": "probabilities" if compiled.sampling else "shots",
            "measured": bool(compiled.registers),
        }

    def _prepare(self, request: dict[str, Any], begun: float) -> tuple[_Prepared, float, float]:
        noise = None if request["noise"] is None else check_noise(request["noise"])
        source = read_source(request["circuit"])
        own = request["max_qubits"] or self._limits.max_qubits
        limits = replace(self._limits, max_qubits=min(own, self._limits.max_qubits))
        program = parse(source, limits, request["parameters"])
        parsed = perf_counter()
        facts: dict[str, Any] = {"language": source.language}
        if program.notes:
            facts["notes"] = list(program.notes)
        if isinstance(program, Steered):
            return _Prepared(program, noise, facts), parsed - begun, 0.0
        compiled = compile.compile_program(
            program,
            method=request["method"],
            shots=request["shots"],
            noise=noise,
            limits=self._limits,
        )
        compile_seconds = perf_counter() - parsed
        circuit = program.circuit
        facts |= {
            "qubits": circuit.num_qubits,
            "clbits": sum(map(len, program.registers)),
            "gates": circuit.size(),
            "depth": circuit.depth(),
        }
        return _Prepared(compiled, noise, facts), parsed - begun, compile_seconds
