"""Fixtures of the tests of `make run`."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testing.checkout import Checkout


@contextmanager
def public_folder() -> Iterator[Path]:
    """An empty folder that every user can reach, with a space in its path."""
    path = Path(tempfile.mkdtemp(prefix="quantum tasks "))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder() -> Iterator[Path]:
    """See `public_folder`."""
    with public_folder() as path:
        yield path


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    """A copy of this checkout that has run before, shared by the tests of a module."""
    with public_folder() as path:
        checkout = Checkout(path / "my checkout")
        assert checkout.run("ONCE=1").returncode == 0
        yield checkout


@pytest.fixture
def fresh_checkout(folder: Path) -> Checkout:
    """A copy of this checkout that has never run."""
    return Checkout(folder / "fresh checkout")
