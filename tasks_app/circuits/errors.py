"""Every way a circuit can fail, each with a stable code; `docs/errors.md` explains them."""

from dataclasses import dataclass, field

ERROR_CODES = frozenset(
    (
        # The text of the program.
        *("empty_circuit", "circuit_too_large", "invalid_character", "unsupported_version"),
        *("include_not_allowed", "syntax_error", "too_deeply_nested", "invalid_qpy"),
        # What the program says.
        *("invalid_program", "unsupported_feature", "too_many_qubits", "too_many_clbits"),
        *("too_many_operations",),
        # The run options.
        *("invalid_circuit_format", "invalid_shots", "invalid_seed", "invalid_method"),
        *("invalid_parameters", "invalid_noise", "invalid_observables", "invalid_precision"),
        *("invalid_outputs", "invalid_optimization_level"),
        # The backend.
        *("invalid_backend", "backend_unsuitable"),
        # The simulation.
        *("method_unsuitable", "too_much_memory", "out_of_memory", "result_too_large"),
        *("timed_out", "cpu_time_exceeded", "simulation_failed"),
        # Ours.
        *("internal_error",),
    )
)


@dataclass(eq=False, repr=False)
class CircuitError(Exception):
    """The program or its size is at fault; running it again gives the same error.

    `code` is one of `ERROR_CODES`, `message` a sentence that says what to change,
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
