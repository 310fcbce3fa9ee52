"""What to run, and within which bounds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tasks_app.circuits.errors import CircuitError

METHODS = (
    "automatic",
    "statevector",
    "density_matrix",
    "stabilizer",
    "matrix_product_state",
    "extended_stabilizer",
)
MAX_SEED = 2**53 - 1  # The largest integer every JSON reader keeps exact.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What no text may hold that is kept: PostgreSQL takes no NUL and no half of a surrogate pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one task; the defaults suit a machine with 4 GiB per worker thread."""

    max_circuit_bytes: int = 1_048_576
    """Bytes of circuit text as UTF-8."""
    max_qubits: int = 1_024
    """Qubits declared. Clifford circuits of this width run; dense ones hit `memory_mb` first."""
    max_clbits: int = 4_096
    """Classical bits declared; each is a character of every key of the counts."""
    max_operations: int = 1_000_000
    """Operations after loops and subroutines known before the run are unrolled."""
    max_shots: int = 100_000
    max_result_keys: int = 65_536
    """Different outcomes in the counts."""
    max_result_bytes: int = 8_388_608
    """Bytes of the whole result as JSON."""
    memory_mb: int = 4_096
    """MiB of address space a task may take beyond the idle simulator."""
    deadline_s: float = 300.0
    """Wall-clock seconds from the moment the child has the job."""
    cpu_s: int = 1_200
    """Seconds of processor time over all threads of the child, for one task."""
    cpu_cores: int | None = None
    """Cores that this process's busy children share; `None`: all that the process may use."""
    max_tasks_per_child: int = 10_000
    """A child is replaced after this many tasks."""
    max_idle_memory_mb: int = 512
    """A child that keeps more MiB of resident memory than this between tasks is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One circuit and how to run it."""

    circuit: str
    shots: int = 1024
    seed: int | None = None
    """0 to `MAX_SEED`; `None`: drawn at random and reported in the result."""
    method: str = "automatic"
    memory: bool = False
    """Also return the outcome of every shot, in order, as `memory` in the result."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """A value for each `input` of the program."""
    noise: Mapping[str, Any] | None = None
    max_qubits: int = 0
    """Qubits that its owner's programs may declare; 0: as many as any."""


def as_message(job: Job) -> dict[str, Any]:
    """The job as plain JSON types."""
    message = {field.name: getattr(job, field.name) for field in fields(job)}
    message["parameters"] = dict(job.parameters)
    message["noise"] = None if job.noise is None else dict(job.noise)
    return message


def check_job(job: Job, limits: Limits) -> None:
    """Refuse a job by its outside, in time linear in its size.

    Raises CircuitError.
    """
    if not job.circuit.strip():
        raise CircuitError("empty_circuit", "The circuit is blank; send an OpenQASM program.")
    # A surrogate has no UTF-8 form and is refused below; here it only has to count as something.
    size = len(job.circuit.encode("utf-8", "surrogatepass"))
    if size > limits.max_circuit_bytes:
        raise CircuitError(
            "circuit_too_large",
            f"The circuit has {size:,} bytes, {limits.max_circuit_bytes:,} are allowed; "
            "write repeated parts as loops or gate definitions, or split the job.",
        )
    if not _is_int(job.shots) or not 1 <= job.shots <= limits.max_shots:
        raise CircuitError(
            "invalid_shots", f"shots must be a whole number from 1 to {limits.max_shots:,}."
        )
    if job.seed is not None and not (_is_int(job.seed) and 0 <= job.seed <= MAX_SEED):
        raise CircuitError("invalid_seed", f"seed must be a whole number from 0 to {MAX_SEED}.")
    if job.method not in METHODS:
        raise CircuitError("invalid_method", f"method must be one of {', '.join(METHODS)}.")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
