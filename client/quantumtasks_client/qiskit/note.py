"""What a submitted program tells of the circuit that it was written from.

It travels with the program and comes back with it, so that whoever knows a job's id can put its
result together, in another process too, from what the service has. In OpenQASM it is the last
line, a comment; in QPY the metadata of the circuit.
"""

import base64
import json
from typing import Any, Literal

import msgspec
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression

Kind = Literal["run", "sampler", "estimator"]

_MARK = "// qiskit: "
_KEY = "quantumtasks"


class Register(msgspec.Struct, frozen=True, array_like=True):
    """A classical register: the places of its bits in the circuit, the lowest bit first."""

    name: str
    bits: list[int]


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which part of a PUB a task is: a range of its parameter sets, some of its observables.

    Or, of a circuit that a backend runs, that the task has some of its shots.
    """

    pub: int
    """Its place, or the circuit's."""
    shape: list[int]
    """Of the PUB's array of parameter sets."""
    first: int = 0
    """The first of the task's sets."""
    numbers: Any = None
    """The PUB's array of observables, as the number of each of the different ones."""
    observables: list[int] | None = None
    """Those that the task has."""
    precision: float | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A circuit without its instructions, and what it was submitted for."""

    kind: Kind
    name: str
    qubits: int
    qregs: list[tuple[str, int]]
    clbits: int
    cregs: list[Register]
    order: list[int] | None = None
    """The circuit's bits as they stand in a key of the counts, from the right; None: in order."""
    phase: float = 0.0
    metadata: dict[str, Any] | None = None
    block: Block | None = None


def in_openqasm(text: str, note: Note) -> str:
    """The program with the note. Raises TypeError for metadata that JSON cannot say."""
    # The service takes no control characters, and JSON leaves this one as it is.
    return f"{text}{_MARK}{_written(note)}\n".replace("\x7f", "\\u007f")


def in_metadata(note: Note) -> dict[str, Any]:
    """The note as metadata of a circuit in QPY. Raises TypeError as above."""
    return {_KEY: json.loads(_written(note))}


def _written(note: Note) -> str:
    told = msgspec.to_builtins(msgspec.structs.replace(note, metadata=None))
    if note.metadata:
        told["metadata"] = note.metadata
    return json.dumps(told, separators=(",", ":"), default=_plain)


def found_in(program: str) -> Note | None:
    """The note of a program in either format; None if this package did not write it.

    QPY is searched, not loaded: who can write it decides which of Qiskit's code the loader runs.
    """
    start = program.rfind(f"\n{_MARK}")
    try:
        if start >= 0:
            written = json.loads(program[start + len(_MARK) + 1 :])
        else:
            qpy = base64.b64decode(program, validate=True).decode("latin-1")
            place = qpy.index(f'{{"{_KEY}":')
            written = json.JSONDecoder().raw_decode(qpy, place)[0][_KEY]
        return msgspec.convert(written, Note)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None


def note_of(circuit: QuantumCircuit, kind: Kind, order: list[int] | None) -> Note:
    """What there is to tell of it."""
    place = {bit: index for index, bit in enumerate(circuit.clbits)}
    phase = circuit.global_phase
    return Note(
        kind=kind,
        name=circuit.name,
        qubits=circuit.num_qubits,
        qregs=[(register.name, register.size) for register in circuit.qregs],
        clbits=circuit.num_clbits,
        cregs=[Register(each.name, [place[bit] for bit in each]) for each in circuit.cregs],
        order=order,
        phase=0.0 if isinstance(phase, ParameterExpression) else float(phase),
        metadata=circuit.metadata or None,
    )


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy's
        return value.tolist()
    raise TypeError(
        f"A circuit's metadata come back from the service as JSON, which has no "
        f"{type(value).__name__}."
    )
