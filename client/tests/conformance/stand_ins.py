"""A pytest plugin for Qiskit's own suites, which puts the service in the place of what they test.

`STAND_IN` says what stands in: `backend`, our backend for Qiskit's `BasicSimulator`, or
`primitives`, our primitives for Qiskit's. Loaded before the suites import what they test.
"""

import contextlib
import os
import unittest
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import qiskit.primitives
from qiskit.primitives import backend_sampler_v2, statevector_sampler
from qiskit.providers import basic_provider

from quantumtasks_client import Client
from quantumtasks_client.qiskit import EstimatorV2, QuantumTasksBackend, SamplerV2
from tests.conformance.not_for_us import NO_PART_FOR_US, NOT_FOR_US

PRIMITIVES = os.environ.get("STAND_IN") == "primitives"


class _Backend(QuantumTasksBackend):
    """Ours, made as Qiskit's `BasicSimulator` is, from what the environment says."""

    def __init__(self) -> None:
        super().__init__(Client())


class _StatevectorSampler(SamplerV2):
    """Our sampler, made as Qiskit's `StatevectorSampler` is."""

    def __init__(
        self, *, default_shots: int = 1024, seed: int | np.random.Generator | None = None
    ) -> None:
        self.default_shots, self.seed = default_shots, seed
        number = int(seed.integers(2**53)) if isinstance(seed, np.random.Generator) else seed
        options = {"default_shots": default_shots, "seed_simulator": number}
        super().__init__(_Backend(), options=options)


class _StatevectorEstimator(EstimatorV2):
    def __init__(self, *, default_precision: float = 0.0, seed: int | None = None) -> None:
        options = {"default_precision": default_precision, "seed_simulator": seed}
        super().__init__(_Backend(), options=options)


def _for_our_backend(ours: Any, theirs: Any, defaults: dict[str, Any]) -> Any:
    """Ours on our backend; some tests use another one of Qiskit's besides."""

    def make(*, backend: Any, options: dict[str, Any] | None = None) -> Any:
        if not isinstance(backend, QuantumTasksBackend):
            return theirs(backend=backend, options=options)
        return ours(backend, options={**defaults, **(options or {})})

    return make


basic_provider.BasicSimulator = _Backend
if PRIMITIVES:
    statevector_sampler.StatevectorSampler = _StatevectorSampler
    qiskit.primitives.StatevectorEstimator = _StatevectorEstimator
    backend_sampler_v2.BackendSamplerV2 = _for_our_backend(
        SamplerV2, backend_sampler_v2.BackendSamplerV2, {}
    )
    qiskit.primitives.BackendEstimatorV2 = _for_our_backend(
        EstimatorV2, qiskit.primitives.BackendEstimatorV2, {"default_precision": 1 / 64}
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items if PRIMITIVES else ():
        name = item.name.rstrip("_0123456789")  # ddt's numbers
        if reason := NOT_FOR_US.get(item.path.name, {}).get(name):
            item.add_marker(pytest.mark.skip(reason=reason))


_sub_test = unittest.TestCase.subTest


@contextlib.contextmanager
def _sub_test_if_for_us(self: Any, msg: Any = None, **parameters: Any) -> Iterator[None]:
    if PRIMITIVES and (type(self).__name__, self._testMethodName, msg) in NO_PART_FOR_US:
        with contextlib.suppress(AssertionError):
            yield
    else:
        with _sub_test(self, msg, **parameters):
            yield


unittest.TestCase.subTest = _sub_test_if_for_us  # type: ignore[method-assign]
