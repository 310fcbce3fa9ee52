"""One job from text to answer."""

from __future__ import annotations

import hashlib
from time import perf_counter
from typing import Any

import qiskit  # type: ignore[import-untyped]
import qiskit_aer  # type: ignore[import-untyped]

from tasks_app.circuits import frontend, simulate
from tasks_app.circuits.job import Limits
from tasks_app.circuits.source import read_source

_WARM_UP = "OPENQASM 3.0; qubit q; U(pi, 0, pi) q; bit c = measure q;"


class Runner:
    """Runs jobs in this process, without protection."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises CircuitError, and anything the libraries raise."""
        begun = perf_counter()
        source = read_source(request["circuit"])
        circuit = frontend.parse(source)
        parsed = perf_counter()
        compiled = simulate.compile_circuit(circuit, request["method"], self._limits)
        ready = perf_counter()
        counts, seed = simulate.run(
            compiled,
            shots=request["shots"],
            seed=request["seed"],
            threads=request["threads"],
            limits=self._limits,
        )
        done = perf_counter()
        metadata = {
            "language": source.language,
            "circuit_sha256": hashlib.sha256(request["circuit"].encode()).hexdigest(),
            "method": compiled.method,
            "seed": seed,
            "qubits": circuit.num_qubits,
            "clbits": circuit.num_clbits,
            "gates": circuit.size(),
            "depth": circuit.depth(),
            "measured": compiled.measured,
            "parse_seconds": round(parsed - begun, 6),
            "compile_seconds": round(ready - parsed, 6),
            "run_seconds": round(done - ready, 6),
            "qiskit": qiskit.__version__,
            "qiskit_aer": qiskit_aer.__version__,
        }
        if not compiled.measured:
            metadata["note"] = "The circuit measures nothing, so there is nothing to count."
        return {"counts": counts, "shots": request["shots"], "metadata": metadata}
