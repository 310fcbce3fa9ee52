"""Arrays as the IBM Runtime client writes them, read without believing what they say of themselves.

Primitives have NumPy's own files, compressed and in base64; the executor bare numbers beside their
shape, compressed since version 2 of its schema.
"""

import base64
import binascii
import io
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks_app.api.errors import ApiError

MAX_BYTES = 2**24
"""Of an array that a client sends."""
MAX_AXES = 32
Array = NDArray[Any]
_KINDS = "bifu"  # Of NumPy's types: bools, whole numbers, floats.
_TENSORS = {
    **{f"f{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    **{f"{kind}{bits}": f"<{kind}{bits // 8}" for kind in "iu" for bits in (8, 16, 32, 64)},
    **{"c64": "<c8", "c128": "<c16"},
}


def invalid(sentence: str) -> ApiError:
    """What is answered to a job that is none."""
    return ApiError(400, "invalid_params", sentence)


def check_axes(shape: Sequence[int]) -> None:
    """Raises ApiError for more axes than NumPy has with those that results add."""
    if len(shape) > MAX_AXES:
        raise invalid(f"An array has at most {MAX_AXES} axes.")


def from_npy(text: Any) -> Array:
    """The array in a file of NumPy's, of plain numbers. Raises ApiError."""
    file = io.BytesIO(_unpacked(text))
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, by_column, dtype = read(file)
    except Exception as error:  # its reader parses whatever a header says
        raise invalid("An array is no file of NumPy's with numbers.") from error
    data = file.read()
    check_axes(shape)
    if dtype.kind not in _KINDS or math.prod(shape) * dtype.itemsize != len(data):
        raise invalid("An array has not the numbers that its shape and type say.")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_column else "C")


def as_npy(array: Array) -> dict[str, Any]:
    """The array as the client's decoder reads it."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return {"__type__": "ndarray", "__value__": _packed(file.getvalue())}


def from_tensor(tensor: Any, *, compressed: bool) -> Array:
    """An executor's array. Raises ApiError."""
    try:
        text, shape, kind = tensor["data"], list(tensor["shape"]), tensor["dtype"]
        size = 1 / 8 if kind == "bool" else np.dtype(_TENSORS[kind]).itemsize
        if any(type(axis) is not int or axis < 0 for axis in shape):
            raise ValueError
    except (TypeError, KeyError, ValueError) as error:
        raise invalid("A tensor needs data, a shape and a type that is known.") from error
    check_axes(shape)
    data = _unpacked(text) if compressed else _decoded(text)
    count = math.prod(shape)
    if math.ceil(count * size) != len(data):
        raise invalid("A tensor has not the numbers that its shape and type say.")
    if kind == "bool":
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little")
        return bits.astype(bool).reshape(shape)
    return np.frombuffer(data, _TENSORS[kind]).reshape(shape)


def as_tensor(array: Array, *, compressed: bool) -> dict[str, Any]:
    """An array as the executor writes it."""
    if array.dtype == np.bool_:
        data, kind = np.packbits(array, bitorder="little"), "bool"
    else:
        data, kind = np.ascontiguousarray(array), f"{array.dtype.kind}{8 * array.dtype.itemsize}"
    raw = data.tobytes()
    text = _packed(raw) if compressed else base64.b64encode(raw).decode()
    return {"data": text, "shape": list(array.shape), "dtype": kind}


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 1)).decode()


def _decoded(text: Any) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise invalid("An array is no base64.")


def _unpacked(text: Any) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(_decoded(text), MAX_BYTES)
    except zlib.error as error:
        raise invalid("An array is not compressed by zlib.") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise invalid(f"An array has more than {MAX_BYTES:,} bytes, or is cut off.")
    return data
