"""What is asked of the state at a program's end, before its final measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from qiskit.circuit import Clbit
from qiskit.quantum_info import Pauli
from qiskit_aer.library import SaveExpectationValue, SaveProbabilities, SaveStatevector

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.simulation import methods
from tasks_app.circuits.simulation.aer import Angles
from tasks_app.circuits.simulation.branching import Branching
from tasks_app.circuits.simulation.compile import STATES, Compiled, Options
from tasks_app.circuits.simulation.counts import check_size, formatter, merged
from tasks_app.circuits.simulation.rewriting import without_final_measurements
from tasks_app.circuits.simulation.sampling import bit_strings

_MAX_SAVED = 1 << 25  # Numbers of all shots' expectation values together.
_LEAST = 1e-14  # Of a probability that is told: below, it is rounding.
_AMPLITUDE_BYTES = 24  # As JSON, at least.
_PROBABILITY_BYTES = 20  # Beside its outcome.


class FinalState:
    """A compiled program that saves instead of measuring at its end."""

    def __init__(self, compiled: Compiled, options: Options, limits: Limits) -> None:
        """Raises CircuitError where what is asked for cannot be told of this program."""
        compiled = compiled.final or compiled
        self._compiled, self._options, self._limits = compiled, options, limits
        ending = compiled.ending or without_final_measurements(compiled.circuit)
        self._circuit, self._measured = ending.circuit, ending.measured
        self._qubits = ending.qubits
        self._paulis = options.observables.paulis if options.observables else []
        self._not_exact = _not_exact(compiled, ending.others)
        self._check()
        self._branching: Branching | None = None
        if isinstance(compiled.sampling, Branching):
            self._branching = replace(compiled.sampling, circuit=self._circuit.copy())
        self._save()

    def _check(self) -> None:
        outputs, method, qubits = self._options.outputs, self._compiled.method, len(self._qubits)
        if not qubits:
            raise CircuitError("method_unsuitable", "A program without qubits has no state.")
        if method == "extended_stabilizer":
            raise CircuitError(
                "method_unsuitable",
                "The extended_stabilizer method tells counts only; choose another or automatic.",
            )
        if self._options.observables is not None:
            self._options.observables.check_width(qubits)
        for output in sorted(STATES & outputs):
            if self._not_exact:
                raise CircuitError(
                    "method_unsuitable",
                    f"There is no one final state to tell {output} of, because of "
                    f"{self._not_exact}; ask for counts.",
                )
        if "statevector" in outputs:
            if method not in ("statevector", "matrix_product_state"):
                raise CircuitError(
                    "method_unsuitable",
                    f"The {method} method has no state vector; choose statevector, without noise.",
                )
            if _AMPLITUDE_BYTES << qubits > self._limits.max_result_bytes:
                raise CircuitError(
                    "result_too_large",
                    f"The state vector of {qubits} qubits has {1 << qubits:,} amplitudes, about "
                    f"{_AMPLITUDE_BYTES << qubits:,} bytes; {self._limits.max_result_bytes:,} are "
                    "allowed. Ask for expectation values or probabilities of fewer qubits.",
                )
        if "probabilities" in outputs and not methods.fits(len(self._measured), self._limits):
            raise CircuitError(
                "too_much_memory",
                f"{len(self._measured)} measured bits have too many probabilities; measure fewer.",
            )

    def _save(self) -> None:
        circuit, outputs, qubits = self._circuit, self._options.outputs, self._qubits
        whole = self._may_leave_out()
        for place, pauli in enumerate(self._paulis):
            touched = [i for i, letter in enumerate(reversed(pauli)) if letter != "I"]
            named = range(len(qubits)) if whole else touched
            letters = Pauli("".join(pauli[-1 - i] for i in reversed(named)))
            save = SaveExpectationValue(letters, f"pauli{place}", pershot=bool(self._not_exact))
            circuit.append(save, [qubits[i] for i in named])
        if "probabilities" in outputs and self._measured:
            circuit.append(SaveProbabilities(len(self._measured)), list(self._measured.values()))
        if "statevector" in outputs:
            circuit.append(SaveStatevector(len(qubits)), qubits)
        if self._not_exact and self._compiled.noise is not None:
            # Aer 0.18 has no memory for bits beyond the last one measured, which may be read.
            circuit.add_bits([Clbit()])
            circuit.measure(qubits[0], circuit.clbits[-1])

    def _may_leave_out(self) -> bool:
        """Whether Aer may leave qubits out: then Aer 0.18 takes others for those of an expectation
        value that does not name all of them (qiskit-aer #2442).
        """
        observables = self._options.observables
        asked = 0 if observables is None else len(observables.qubits)
        return self._compiled.truncate and asked < len(self._qubits)

    def run(
        self, angles: Sequence[Angles], *, seed: int, threads: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """What is told for each of the angles, and whether that is exact: where shots end in
        different states, and in too many to follow them all, values are averages over shots.

        Raises CircuitError.
        """
        if self._branching and (means := self._branching.means(angles, self._letters())):
            return [self._parts({"paulis": each}) for each in means], True
        shots = self._options.shots if self._not_exact else 1
        if shots * len(self._paulis) * len(angles) > _MAX_SAVED:
            raise CircuitError(
                "too_much_memory",
                f"{len(self._paulis):,} Pauli strings of {shots:,} shots are too many values; use "
                "fewer shots or observables, or a program that measures at its end only.",
            )
        data = self._compiled.run(
            self._circuit, angles, seed=seed, threads=threads, limits=self._limits, shots=shots
        )
        return [self._parts(each) for each in data], not self._not_exact

    def _letters(self) -> list[dict[int, str]]:
        """Those of each Pauli string, by qubit."""
        strings = (enumerate(reversed(pauli)) for pauli in self._paulis)
        return [{place: letter for place, letter in each if letter != "I"} for each in strings]

    def _parts(self, data: Mapping[str, Any]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        if (observables := self._options.observables) is not None:
            saved = data.get("paulis") or [data[f"pauli{i}"] for i in range(len(self._paulis))]
            values = observables.values(np.moveaxis(np.asarray(saved), 0, -1))
            errors = np.zeros(values.shape[-1])
            if self._not_exact and values.ndim > 1:
                errors = values.std(axis=0) / np.sqrt(len(values))
                values = values.mean(axis=0)
            parts |= {"expectation_values": values.tolist(), "standard_errors": errors.tolist()}
        if "probabilities" in self._options.outputs:
            saved = data.get("probabilities", [1.0])  # Without a measurement all bits are 0.
            parts["probabilities"] = self._probabilities(saved) if self._compiled.registers else {}
        if "statevector" in self._options.outputs:
            amplitudes = np.asarray(data["statevector"], dtype=complex)
            pairs = np.stack([amplitudes.real, amplitudes.imag], axis=-1)
            parts["statevector"] = pairs.tolist()
        return parts

    def _probabilities(self, saved: Any) -> dict[str, float]:
        chances = np.asarray(saved)
        place = self._circuit.find_bit
        for bit, qubit in enumerate(self._measured.values()):
            up, down = self._compiled.misread(place(qubit).index)
            zero, one = np.moveaxis(chances.reshape(-1, 2, 1 << bit), 1, 0)
            read = [(1 - up) * zero + down * one, (1 - down) * one + up * zero]
            chances = np.stack(read, axis=1).reshape(-1)
        outcomes = np.flatnonzero(chances > _LEAST)
        check_size(len(outcomes), self._circuit.num_clbits + _PROBABILITY_BYTES, self._limits)
        clbits = [place(clbit).index for clbit in self._measured]
        strings = bit_strings(outcomes, clbits, self._circuit.num_clbits)
        told = zip(strings, chances[outcomes].tolist(), strict=True)
        return merged(told, formatter(self._compiled))


def _not_exact(compiled: Compiled, others: Sequence[str]) -> str:
    """What makes shots end in different states; empty if nothing does."""
    if compiled.method != "density_matrix":
        if compiled.noise is not None:
            return f"noise with the {compiled.method} method"
        return f"its {others[0]}" if others else ""
    return next((f"its {name}" for name in others if name != "reset"), "")
