"""Our backends as the IBM Runtime client and QRMI describe them."""

import sys
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import pace
from tasks_app.api import query
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.runtime_api.view import RuntimeView

VERSION = "1.0.0"
MAX_SHOTS = 10_000_000
"""Of a job: those of all its parameter sets together."""
ONLINE_SINCE = "2026-01-01T00:00:00Z"
"""Without a date the client drops a backend silently."""
# What its transpiler has to translate to: gates of whatever a program has are the service's own.
GATES: dict[str, list[str]] = {
    **{name: [] for name in ("id", "x", "sx", "cx", "cz", "ecr")},
    **{"rx": ["theta"], "rz": ["phi"], "rzz": ["theta"]},
}
CONTROL_FLOW = ["if_else", "while_loop", "for_loop", "switch_case"]
OTHERS = ["measure", "reset", "delay", "barrier"]


@dataclass(frozen=True, slots=True)
class Backend:
    """What runs circuits."""

    name: str
    qubits: int
    description: str


def backends() -> list[Backend]:
    """Those of the service: one simulator."""
    qubits = settings.CIRCUIT_LIMITS.max_qubits
    return [Backend(DEFAULT_BACKEND, qubits, "Qiskit Aer without noise.")]


def backend(name: str) -> Backend:
    """Raises 404."""
    for each in backends():
        if each.name == name:
            return each
    raise NotFound("There is no backend of this name.")


def configuration(backend: Backend) -> dict[str, Any]:
    """Every pair of qubits is coupled. It is no `simulator` to the client, which would open no
    session on one; and what looks for `simulator=False` would find nothing.
    """
    return {
        "backend_name": backend.name,
        "backend_version": VERSION,
        "description": backend.description,
        "n_qubits": backend.qubits,
        "basis_gates": list(GATES),
        "gates": [
            {"name": name, "parameters": parameters, "qasm_def": f"gate {name} … {{ }}"}
            for name, parameters in GATES.items()
        ],
        "supported_instructions": [*GATES, *CONTROL_FLOW, *OTHERS],
        "supported_features": ["qasm3", "dynamic_circuits"],
        "coupling_map": None,
        "local": False,
        "simulator": False,
        "conditional": True,
        "open_pulse": False,
        "multi_meas_enabled": True,
        "memory": True,
        "max_shots": MAX_SHOTS,
        "meas_levels": [2],
        "online_date": ONLINE_SINCE,
        "dynamic_reprate_enabled": True,
        "rep_delay_range": [0.0, 500.0],
        "default_rep_delay": 250.0,
        "credits_required": False,
        "processor_type": {"family": "Simulator", "revision": VERSION},
    }


def properties(backend: Backend) -> dict[str, Any]:
    """A calibration in which nothing is ever wrong."""
    # pytket takes an error of 0 for one that is not known, and fails.
    never = sys.float_info.min
    measured = {"name": "readout_error", "date": ONLINE_SINCE, "unit": "", "value": never}
    return {
        "backend_name": backend.name,
        "backend_version": VERSION,
        "last_update_date": ONLINE_SINCE,
        "qubits": [[measured]] * backend.qubits,
        "gates": [],
        "general": [],
    }


def listed(backend: Backend, pending: int) -> dict[str, Any]:
    """As the list of backends shows it."""
    return {
        "name": backend.name,
        "status": {"name": "online", "reason": "available"},
        "qubits": backend.qubits,
        "physical_qubits": backend.qubits,
        "is_simulator": False,
        "queue_length": pending,
        "processor_type": {"family": "Simulator", "revision": VERSION},
    }


class BackendsView(RuntimeView):
    """`GET /backends`."""

    @query.takes_these("include_mocks", "fields")
    def get(self, request: Request) -> Response:
        pending = pace.pending()
        return Response({"devices": [listed(each, pending) for each in backends()]})


class ConfigurationView(RuntimeView):
    """`GET /backends/{name}/configuration`."""

    @query.takes_these("calibration_id")
    def get(self, request: Request, name: str) -> Response:
        _refuse_calibration(request)
        return Response(configuration(backend(name)))


class PropertiesView(RuntimeView):
    """`GET /backends/{name}/properties`: the same at any time."""

    @query.takes_these("calibration_id", "updated_before")
    def get(self, request: Request, name: str) -> Response:
        _refuse_calibration(request)
        return Response(properties(backend(name)))


class StatusView(RuntimeView):
    """`GET /backends/{name}/status`."""

    def get(self, request: Request, name: str) -> Response:
        backend(name)
        status = {"state": True, "status": "active", "message": "available"}
        return Response(status | {"length_queue": pace.pending(), "backend_version": VERSION})


def _refuse_calibration(request: Request) -> None:
    if request.query_params.get("calibration_id"):
        raise NotFound("There is no calibration with this id: the backend has none.")
