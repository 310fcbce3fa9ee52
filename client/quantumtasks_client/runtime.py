"""The IBM Runtime client's own service object, for this service."""

import os
from importlib import import_module
from typing import Any

from quantumtasks_client.configuration import Configuration
from quantumtasks_client.errors import NotConfigured

CRN = "crn:v1:quantum-tasks:private:quantum-computing:us-east:a/self:hosted::"
"""Of the one instance that a service has."""
# Of what the client asks beside its service: tokens, instances, plans.
_ADDRESSES = ("IAM_URL", "GLOBAL_SEARCH_URL", "GLOBAL_CATALOG_URL")


def runtime_service(url: str | None = None, token: str | None = None) -> Any:
    """A `QiskitRuntimeService` whose every request goes to a service of Quantum Tasks.

    URL and token come from the arguments, `QUANTUMTASKS_URL` and `QUANTUMTASKS_TOKEN`, or the
    file that `qtasks login` writes. The client reads where tokens are made and instances looked up
    from the process's environment, so that this sets `IAM_URL` and its like there: in one process,
    it is one service.

    Raises `NotConfigured`, also where the environment names another one, and ImportError without
    the extra `runtime`.
    """
    service = Configuration.find(url, token)
    beside = f"{service.url}/runtime/iam"
    for name in _ADDRESSES:
        if os.environ.get(name, beside) != beside:
            raise NotConfigured(f"{name} names another service; use another process.")
    os.environ.update(dict.fromkeys(_ADDRESSES, beside))
    # Large, and an extra: only who wants it has it.
    runtime = import_module("qiskit_ibm_runtime")
    return runtime.QiskitRuntimeService(
        channel="ibm_quantum_platform",
        token=service.token or "none",
        url=f"{service.url}/runtime/v1",
        url_resolver=_as_it_is,
        instance=CRN,
    )


def _as_it_is(url: str, *_: Any, **__: Any) -> str:
    return url
