"""What to run, and within which bounds."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tasks_app.circuits.backend import Backend
from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.qpy_file import check_beginning, decode

METHODS = (
    "automatic",
    "statevector",
    "density_matrix",
    "stabilizer",
    "matrix_product_state",
    "extended_stabilizer",
)
FORMATS = ("openqasm", "qpy")
OPTIMIZATION_LEVELS = (0, 1, 2, 3)
NO_LEVEL = "optimization_level must be 0, 1, 2 or 3."
OUTPUTS = ("counts", "memory", "probabilities", "statevector", "circuit", "registers")
MAX_SETS = 1_000
MAX_DIMENSIONS = 7  # Of an array, as the specification of OpenQASM 3 has it.
MAX_OBSERVABLES = 1_000
MAX_TERMS = 20_000  # Of all observables of a task together.
MAX_WEIGHT = 1e100  # Of a term: sums of as many, and their squares, are numbers.
TOO_MANY_OBSERVABLES = (
    f"At most {MAX_OBSERVABLES:,} observables with {MAX_TERMS:,} terms in all fit a task."
)
_PAULI = re.compile("[IXYZ]+")
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


Value = float | Sequence["Value"]
"""Of one input: a number, true or false; a list of them for an array, or a list of such lists."""
Values = Mapping[str, Value] | Sequence[Value]
"""By the names of inputs, or in their order: that of Qiskit's parameters, or of declaration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One circuit and how to run it."""

    circuit: str
    circuit_format: str = "openqasm"
    """Of `FORMATS`; QPY is in base64."""
    shots: int = 1024
    seed: int | None = None
    """0 to `MAX_SEED`; `None`: drawn at random and reported in the result."""
    method: str = "automatic"
    memory: bool = False
    """Also return the outcome of every shot, in order, as `memory` in the result."""
    parameters: Values = field(default_factory=dict)
    """A value for each `input` of the program."""
    parameter_sets: Sequence[Values] = ()
    """Instead of `parameters`: values for a run each."""
    samplex: Mapping[str, Any] | None = None
    """Instead of both: what draws `count` sets of values (`simulation.samplex`)."""
    observables: Sequence[Mapping[str, float]] = ()
    """Weights by Pauli string, the rightmost letter for qubit 0."""
    precision: float = 0.0
    """Standard error of the expectation values that is asked for; 0: exact."""
    outputs: Sequence[str] = ()
    """Of `OUTPUTS`; without any, counts where there are no observables."""
    noise: Mapping[str, Any] | None = None
    backend: Backend | None = None
    """None: Aer as it comes."""
    optimization_level: int | None = None
    """How hard to compile for a device, 0 to 3; None: as Qiskit does unasked."""
    max_qubits: int = 0
    """Qubits that its owner's programs may declare; 0: as many as any."""


def as_message(job: Job) -> dict[str, Any]:
    """The job as plain JSON types."""
    message = {field.name: getattr(job, field.name) for field in fields(job)}
    message["outputs"] = outputs_of(job)
    message["backend"] = None if job.backend is None else asdict(job.backend)
    del message["memory"]
    return message


def sets_told(job: Job) -> int | None:
    """How many sets its result has; None for a single run."""
    drawn = None if job.samplex is None else int(job.samplex["count"])
    return drawn or len(job.parameter_sets) or None


def outputs_of(job: Job) -> list[str]:
    """What its result holds besides expectation values."""
    wanted = set(job.outputs) or (set() if job.observables else {"counts"})
    return sorted(wanted | ({"memory"} if job.memory else set()))


def circuit_bytes(circuit: str, circuit_format: str) -> bytes:
    """What counts towards `max_circuit_bytes`. Raises CircuitError for what is no base64."""
    # A surrogate has no UTF-8 form and is refused later; here it only has to count as something.
    return decode(circuit) if circuit_format == "qpy" else circuit.encode("utf-8", "surrogatepass")


def check_job(job: Job, limits: Limits) -> None:
    """Refuse a job by its outside, in time linear in its size.

    Raises CircuitError.
    """
    if not job.circuit.strip():
        raise CircuitError("empty_circuit", "The circuit is blank; send an OpenQASM program.")
    if job.circuit_format not in FORMATS:
        raise CircuitError(
            "invalid_circuit_format", f"circuit_format must be one of {', '.join(FORMATS)}."
        )
    data = circuit_bytes(job.circuit, job.circuit_format)
    size = len(data)
    if size > limits.max_circuit_bytes:
        raise CircuitError(
            "circuit_too_large",
            f"The circuit has {size:,} bytes, {limits.max_circuit_bytes:,} are allowed; "
            "write repeated parts as loops or gate definitions, or split the job.",
        )
    if job.circuit_format == "qpy":
        check_beginning(data)
    if not _is_int(job.shots) or not 1 <= job.shots <= limits.max_shots:
        raise CircuitError(
            "invalid_shots", f"shots must be a whole number from 1 to {limits.max_shots:,}."
        )
    if job.seed is not None and not (_is_int(job.seed) and 0 <= job.seed <= MAX_SEED):
        raise CircuitError("invalid_seed", f"seed must be a whole number from 0 to {MAX_SEED}.")
    if job.method not in METHODS:
        raise CircuitError("invalid_method", f"method must be one of {', '.join(METHODS)}.")
    if unknown := set(job.outputs) - set(OUTPUTS):
        raise CircuitError(
            "invalid_outputs", f"{min(unknown)!r} is no output; choose of {', '.join(OUTPUTS)}."
        )
    if len(job.parameter_sets) > MAX_SETS:
        raise CircuitError("invalid_parameters", f"At most {MAX_SETS:,} parameter sets fit a task.")
    if job.parameter_sets and job.parameters:
        raise CircuitError("invalid_parameters", "Give parameters or parameter_sets, not both.")
    if job.samplex is not None and (job.parameter_sets or job.parameters):
        raise CircuitError("invalid_parameters", "Give parameters or a samplex, not both.")
    if len(job.observables) > MAX_OBSERVABLES or sum(map(len, job.observables)) > MAX_TERMS:
        raise CircuitError("invalid_observables", TOO_MANY_OBSERVABLES)
    for index, terms in enumerate(job.observables):
        if problem := observable_problem(terms, limits.max_qubits):
            raise CircuitError("invalid_observables", f"observables[{index}]: {problem}")
    level = job.optimization_level
    if level is not None and not (_is_int(level) and level in OPTIMIZATION_LEVELS):
        raise CircuitError("invalid_optimization_level", NO_LEVEL)
    if not 0 <= job.precision <= 1:
        raise CircuitError("invalid_precision", "precision must be a number from 0 to 1.")


def observable_problem(terms: object, max_qubits: int) -> str | None:
    """What keeps this from being an observable, as a sentence; None if nothing does."""
    if not isinstance(terms, Mapping) or not terms:
        return 'An object of Pauli strings and numbers is required, such as {"ZZ": 0.5, "XI": -1}.'
    width = len(next(iter(terms)))
    if width > max_qubits:
        return f"Its strings have {width:,} letters; {max_qubits:,} qubits are allowed."
    for pauli, weight in terms.items():
        if not _PAULI.fullmatch(pauli):
            return f"{pauli[:40]!r} is no string of the letters I, X, Y and Z."
        if len(pauli) != width:
            return f"{pauli[:40]!r} has another length than the string before it."
        if not is_number(weight) or abs(weight) > MAX_WEIGHT:
            return f"The weight of {pauli[:40]!r} is no number from -1e100 to 1e100."
    return None


def is_number(value: object) -> bool:
    """Whether it is a number that a float can hold."""
    try:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond every float
        return False


def is_storable(data: Any) -> bool:
    """Whether PostgreSQL keeps all text in it: no null character, no half of a surrogate pair."""
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            left += (*value.keys(), *value.values())
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str) and UNSTORABLE.search(value):
            return False
    return True


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
