"""A circuit that comes as QPY: what can be said of it without Qiskit, which reads the rest.

It is sent in base64, plain or compressed by zlib or gzip.
"""

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

from tasks_app.circuits.errors import CircuitError

MAGIC = b"QISKIT"
VERSIONS = range(13, 19)
_MOST_GROWTH = 16  # Times `max_circuit_bytes`, of what was compressed.
_FILE_HEADER = struct.Struct(">6sB3xQcc")
_CIRCUIT_HEADER = struct.Struct(">HcHIIQ16x")
_TABLE_FROM = 16  # The version from which the places of the programs stand between the two.
_CIRCUIT = b"q"
_EITHER_HEADER = 47  # To zlib: that of zlib or that of gzip.


@dataclass(frozen=True, slots=True)
class QpyFile:
    """A file whose header is in order."""

    data: bytes
    version: int
    qubits: int
    clbits: int
    metadata: slice
    """Where the JSON text of the circuit's metadata stands."""

    @property
    def language(self) -> str:
        return f"QPY {self.version}"


def decode(circuit: str) -> bytes:
    """What was sent. Raises CircuitError where it is no base64."""
    try:
        return base64.b64decode("".join(circuit.split()), validate=True)
    except (binascii.Error, ValueError):
        raise CircuitError(
            "invalid_qpy", "The circuit is no base64; send the bytes of a QPY file in base64."
        ) from None


def check_beginning(data: bytes) -> None:
    """Refuse what begins otherwise than a QPY file of one circuit. Raises CircuitError."""
    _version(_decompressed(data, _FILE_HEADER.size))


def read_file(circuit: str, max_bytes: int) -> QpyFile:
    """Raises CircuitError."""
    most = _MOST_GROWTH * max_bytes
    data = _decompressed(decode(circuit), most + 1)
    if len(data) > most:
        raise CircuitError(
            "circuit_too_large",
            f"Decompressed, the circuit has more than the {most:,} bytes that are allowed; "
            "split the job.",
        )
    return _file(data)


def _file(data: bytes) -> QpyFile:
    version = _version(data)
    place = _FILE_HEADER.size + (8 if version >= _TABLE_FROM else 0)
    if len(data) < place + _CIRCUIT_HEADER.size:
        raise CircuitError("invalid_qpy", "The QPY file ends in its header.")
    name, _, phase, qubits, clbits, metadata = _CIRCUIT_HEADER.unpack_from(data, place)
    begin = place + _CIRCUIT_HEADER.size + name + phase
    return QpyFile(data, version, qubits, clbits, slice(begin, begin + metadata))


def read_header(circuit: str) -> QpyFile:
    """The file without what follows its header. Raises CircuitError."""
    longest = _FILE_HEADER.size + 8 + _CIRCUIT_HEADER.size
    return _file(_decompressed(decode(circuit), longest))


def read_metadata(circuit: str, max_bytes: int) -> str:
    """The circuit's metadata as the JSON text that the file has. Raises CircuitError."""
    file = _file(_decompressed(decode(circuit), _MOST_GROWTH * max_bytes))
    return file.data[file.metadata].decode()


def split(circuits: str, max_bytes: int) -> list[str]:
    """A file of several circuits as one for each, from the version on that says where they stand.

    Raises CircuitError.
    """
    data = _decompressed(decode(circuits), _MOST_GROWTH * max_bytes)
    version, programs = _programs(data)
    if programs == 1:
        return [circuits]
    if version < _TABLE_FROM:
        raise CircuitError(
            "invalid_qpy",
            f"QPY {version} does not say where each of {programs:,} circuits stands; write version "
            f"{_TABLE_FROM} or later, or send one in each job.",
        )
    table = _FILE_HEADER.size + 8 * programs
    if not programs > 0 or table > len(data):
        raise CircuitError("invalid_qpy", "The QPY file ends in its header.")
    places = [*struct.unpack_from(f">{programs}Q", data, _FILE_HEADER.size), len(data)]
    if places != sorted(places):
        raise CircuitError("invalid_qpy", "The circuits of the QPY file do not follow each other.")
    size = _FILE_HEADER.size
    # The same header for one circuit, and the table that says where that begins.
    one = data[:10] + (1).to_bytes(8) + data[18:size] + (size + 8).to_bytes(8)
    return [
        base64.b64encode(zlib.compress(one + data[begin:end])).decode()
        for begin, end in pairwise(places)
    ]


def _decompressed(data: bytes, most: int) -> bytes:
    if data.startswith(MAGIC):
        return data
    try:
        return zlib.decompressobj(_EITHER_HEADER).decompress(data, most)
    except zlib.error:
        raise CircuitError(
            "invalid_qpy",
            "The circuit is no QPY file: it does not begin with QISKIT, nor is it compressed by "
            "zlib or gzip. For OpenQASM leave circuit_format away.",
        ) from None


def _programs(data: bytes) -> tuple[int, int]:
    """The version, and how many circuits there are."""
    if len(data) < _FILE_HEADER.size or not data.startswith(MAGIC):
        raise CircuitError("invalid_qpy", "The circuit is no QPY file, or ends in its header.")
    _, version, programs, _, kind = _FILE_HEADER.unpack_from(data)
    if version not in VERSIONS:
        raise CircuitError(
            "unsupported_version",
            f"QPY {version} is not supported, {VERSIONS[0]} to {VERSIONS[-1]} are; write the file "
            f"with qpy.dump(..., version={VERSIONS[-1]}), or {VERSIONS[0]} from an older Qiskit.",
        )
    if kind != _CIRCUIT:
        raise CircuitError("invalid_qpy", "The QPY file holds a pulse schedule, not a circuit.")
    return int(version), int(programs)


def _version(data: bytes) -> int:
    version, programs = _programs(data)
    if programs != 1:
        raise CircuitError(
            "invalid_qpy", f"The QPY file holds {programs:,} circuits; send one in each task."
        )
    return version
