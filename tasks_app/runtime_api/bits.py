"""From counts to the bits of each shot."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks_app.api.errors import ApiError
from tasks_app.runtime_api.arrays import Array
from tasks_app.runtime_api.pubs import sets_in
from tasks_app.runtime_api.results import Ended

Bits = NDArray[np.uint8]
MAX_BITS = 2**26
"""Of all shots of a PUB, of which each is a byte on the way."""


def by_set(ended: Sequence[Ended]) -> Iterator[Bits]:
    """For each parameter set of a PUB a row for each shot, its columns being the places of bits.

    The shots are in an order that is drawn with the seed: each order is as likely. Raises ApiError
    before the first where there would be too many.
    """
    total = sum(_width(each) * each.result["shots"] * len(sets_in(each.result)) for each in ended)
    if total > MAX_BITS:
        sentence = f"The result has {total:,} bits, {MAX_BITS:,} can be sent; read it task by task."
        raise ApiError(413, "result_too_large", sentence)
    found: dict[int, list[tuple[Ended, Mapping[str, int]]]] = {}
    for each in ended:
        for place, told in enumerate(sets_in(each.result), each.part.first):
            found.setdefault(place, []).append((each, told["counts"]))
    for place in sorted(found):
        yield np.concatenate([_shots(each, counts, place) for each, counts in found[place]])


def _width(ended: Ended) -> int:
    bits = [place for register in ended.result["registers"] for place in register["bits"]]
    return max(bits, default=-1) + 1


def _shots(ended: Ended, counts: Mapping[str, int], place: int) -> Bits:
    if not counts:  # Nothing was measured.
        return np.zeros((ended.result["shots"], _width(ended)), np.uint8)
    text = "".join(counts).replace(" ", "").encode()
    outcomes = np.frombuffer(text, np.uint8).reshape(len(counts), -1)[:, ::-1] - ord("0")
    rows = np.repeat(np.arange(len(counts)), list(counts.values()))
    seed = [ended.result["metadata"]["seed"], place]
    order: NDArray[np.intp] = np.random.default_rng(seed).permutation(rows)
    return outcomes[order]


def packed(rows: Bits, places: Sequence[int]) -> Array:
    """A register's bits in whole bytes, the highest first."""
    left = np.zeros((len(rows), -len(places) % 8), np.uint8)
    return np.packbits(np.hstack([left, rows[:, list(reversed(places))]]), axis=1)
