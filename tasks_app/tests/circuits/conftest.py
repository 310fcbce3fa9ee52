"""Real children for the circuits tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tasks_app.circuits import CircuitError, Job, Limits, Sandbox


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Makes sandboxes with the given limits and closes them after the test."""
    made: list[Sandbox] = []

    def make(**limits: Any) -> Sandbox:
        made.append(Sandbox(Limits(**limits)))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(Limits(memory_mb=2_048))
    sandbox.start()
    yield sandbox
    sandbox.close()


@pytest.fixture
def run(shared_sandbox: Sandbox) -> Callable[..., dict[str, Any]]:
    """Runs a circuit in a child that the whole session shares."""

    def run(circuit: str, **options: Any) -> dict[str, Any]:
        return shared_sandbox.run(Job(circuit=circuit, **options))

    return run


@pytest.fixture
def error_of(shared_sandbox: Sandbox) -> Callable[..., CircuitError]:
    """Runs a circuit that must fail, and returns how."""

    def error_of(circuit: str, **options: Any) -> CircuitError:
        with pytest.raises(CircuitError) as caught:
            shared_sandbox.run(Job(circuit=circuit, **options))
        return caught.value

    return error_of
