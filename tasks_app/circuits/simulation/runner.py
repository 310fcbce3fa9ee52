"""One job from text to answer."""

import hashlib
import json
from collections import OrderedDict
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy
import qiskit
import qiskit_aer
from qiskit.exceptions import QiskitError
from qiskit_aer import AerError

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.source import read_source
from tasks_app.circuits.qpy_file import read_file
from tasks_app.circuits.simulation.compile import Options
from tasks_app.circuits.simulation.kind import Kind
from tasks_app.circuits.simulation.kinds import kind_of
from tasks_app.circuits.simulation.noise import check_noise
from tasks_app.circuits.simulation.observables import Observables
from tasks_app.circuits.simulation.samplex import draw
from tasks_app.circuits.simulation.sets import SetsRun, sets_of
from tasks_app.circuits.simulation.template import Template

_OPTIONS = (
    *("circuit_format", "method", "noise", "shots"),
    *("max_qubits", "outputs", "observables", "optimization_level"),
)
_CACHED_CIRCUITS = 32
_MAX_CACHED_GATES = 20_000  # Of one circuit: larger ones spend their time in the simulator.


class Runner:
    """Runs jobs in this process, without protection."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cache: OrderedDict[tuple[Kind, str], Template] = OrderedDict()

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
        drawn: dict[str, Any] = {}
        if request["samplex"] is not None:
            values, told = draw(request["samplex"], request["seed"])
            request = {**request, "parameter_sets": values}
            drawn = {"drawn": told}
        digest = hashlib.sha256(request["circuit"].encode("utf-8", "surrogatepass")).hexdigest()
        # Without the values of inputs. The choice of a method depends on the shots.
        names = sorted(sets_of(request)[0])
        options = [request[name] for name in _OPTIONS]
        kind = kind_of(request["backend"])
        key = kind, json.dumps([digest, names, *options], sort_keys=True)
        template = self._cache.pop(key, None) or self._template(request, kind)
        parsed, compiled = template.parse_seconds, template.compile_seconds
        ready = perf_counter()
        result = SetsRun(template, request, self._limits, begun).result()
        if template.gates <= _MAX_CACHED_GATES:
            self._cache[key] = template
            if len(self._cache) > _CACHED_CIRCUITS:
                self._cache.popitem(last=False)
        parse_seconds = template.parse_seconds - parsed
        compile_seconds = template.compile_seconds - compiled
        run_seconds = perf_counter() - ready - parse_seconds - compile_seconds
        result["metadata"] |= {
            "circuit_sha256": digest,
            "parse_seconds": round(parse_seconds, 6),
            "compile_seconds": round(compile_seconds, 6),
            "run_seconds": round(run_seconds, 6),
            "qiskit": qiskit.__version__,
            "qiskit_aer": qiskit_aer.__version__,
            "numpy": numpy.__version__,
        }
        if request["backend"]:
            result["metadata"]["backend"] = request["backend"]["name"]
        return result | drawn

    def _template(self, request: dict[str, Any], kind: Kind) -> Template:
        own = request["max_qubits"] or self._limits.max_qubits
        options = Options(
            method=request["method"],
            shots=request["shots"],
            noise=None if request["noise"] is None else check_noise(request["noise"]),
            outputs=frozenset(request["outputs"]),
            observables=Observables(request["observables"]) if request["observables"] else None,
            optimization_level=request["optimization_level"],
        )
        limits = replace(self._limits, max_qubits=min(own, self._limits.max_qubits))
        circuit, packed = request["circuit"], request["circuit_format"] == "qpy"
        source = read_file(circuit, limits.max_circuit_bytes) if packed else read_source(circuit)
        return Template(source, kind, options, limits)
