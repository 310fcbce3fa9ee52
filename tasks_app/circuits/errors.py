"""Every way a circuit can fail, each with a stable code; `docs/errors.md` explains them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

ERROR_CODES: Mapping[str, str] = MappingProxyType(
    {
        # The text of the program.
        "empty_circuit": "The circuit is blank.",
        "circuit_too_large": "The circuit text has more bytes than allowed.",
        "invalid_character": "The circuit holds a character no OpenQASM program may hold.",
        "unsupported_version": "It is neither OpenQASM 2 or 3 nor QPY 13 to 18.",
        "include_not_allowed": "The circuit includes something else than a standard library.",
        "syntax_error": "The text is not OpenQASM.",
        "too_deeply_nested": "Expressions, blocks or calls are nested too deeply.",
        "invalid_qpy": "The circuit is no QPY file that Qiskit can read.",
        # What the program says.
        "invalid_program": "The text is OpenQASM but its meaning is wrong.",
        "unsupported_feature": "The circuit uses a part of OpenQASM that is not supported.",
        "too_many_qubits": "The circuit declares more qubits than allowed.",
        "too_many_clbits": "The circuit declares more classical bits than allowed.",
        "too_many_operations": "The circuit unrolls to more operations than allowed.",
        # The run options.
        "invalid_circuit_format": "The circuit's format is not one of those offered.",
        "invalid_shots": "The number of shots is not a whole number in the allowed range.",
        "invalid_seed": "The seed is not a whole number in the allowed range.",
        "invalid_method": "The simulation method is not one of those offered.",
        "invalid_parameters": "A value given for an input parameter is missing, unknown or wrong.",
        "invalid_noise": "The noise description is wrong.",
        "invalid_observables": "An observable is no sum of Pauli strings as wide as the program.",
        "invalid_precision": "The precision is no number from 0 to 1.",
        "invalid_outputs": "An output is not one of those offered.",
        "invalid_optimization_level": "The optimization level is not from 0 to 3, or of no use.",
        # The backend.
        "invalid_backend": "The backend's definition is wrong, or not for this worker.",
        "backend_unsuitable": "The backend cannot run this circuit.",
        # The simulation.
        "method_unsuitable": "The chosen simulation method cannot run this circuit.",
        "too_much_memory": "The simulation needs more memory than allowed.",
        "out_of_memory": "The task ran into its memory limit.",
        "result_too_large": "The result has more bytes than allowed.",
        "timed_out": "The task did not finish within its deadline.",
        "cpu_time_exceeded": "The task used more processor time than allowed.",
        "simulation_failed": "The simulator refused or gave up on the circuit.",
        # Ours.
        "internal_error": "Our own code failed; the program is not known to be at fault.",
    }
)


@dataclass(eq=False, repr=False)
class CircuitError(Exception):
    """The program or its size is at fault; running it again gives the same error.

    `code` is a key of `ERROR_CODES`, `message` a sentence that says what to change,
    `line` and `column` count from 1 where the place is known. `traceback` says where our own
    code failed, for its log and never for the user.
    """

    code: str
    message: str
    line: int | None = field(default=None, kw_only=True)
    column: int | None = field(default=None, kw_only=True)
    traceback: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        assert self.code in ERROR_CODES, self.code
        super().__init__(self.message)


def wrong_number(wanted: int, given: int) -> CircuitError:
    """Of values that are given in order."""
    return CircuitError(
        "invalid_parameters", f"The circuit takes {wanted:,} values in order, {given:,} are given."
    )


class SandboxDied(Exception):
    """The child never started, or died without an answer; the task may be tried again."""


class SandboxStopped(Exception):
    """`Sandbox.stop()` was called while this run was under way."""


def check_width(kind: str, have: int, allowed: int) -> None:
    """`kind`: qubits, or classical bits. Raises CircuitError."""
    if have > allowed:
        code = "too_many_qubits" if kind == "qubits" else "too_many_clbits"
        raise CircuitError(code, f"{have:,} {kind} are declared, {allowed:,} are allowed.")


class SimulatorUnavailable(Exception):
    """Qiskit Aer cannot run a circuit on this machine; the text is the reason."""


def result_too_large(max_bytes: int) -> CircuitError:
    return CircuitError(
        "result_too_large",
        f"The result has more than {max_bytes:,} bytes; "
        "measure fewer qubits, use fewer shots or do not ask for memory.",
    )
