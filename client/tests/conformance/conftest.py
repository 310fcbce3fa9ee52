"""The service for others' suites of tests."""

from collections.abc import Iterator

import pytest

from tests.conformance.test_runtime import BACKEND, PREFIX
from tests.site import Site, running


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With the backend and the address that the suite of the IBM Runtime client looks for."""
    folder = tmp_path_factory.mktemp("site")
    with running(folder, BACKEND, URL_PREFIX=PREFIX) as site:
        yield site
