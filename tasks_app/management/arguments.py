"""Types of the commands' arguments: what they take, and what they say to anything else."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable

from tasks_app.circuits.job import UNSTORABLE


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise ArgumentTypeError(f"give a whole number from {least:,} to {most:,}")
        return int(text)

    return read


def text(most: int) -> Callable[[str], str]:
    """Not empty, of so many characters at most, all of which can be stored."""

    def read(given: str) -> str:
        if not 1 <= len(given) <= most or UNSTORABLE.search(given):
            raise ArgumentTypeError(f"give 1 to {most:,} characters in UTF-8")
        return given

    return read
