"""Our backends as the IBM Runtime client and QRMI describe them."""

import sys
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import backends, pace
from tasks_app.api import query
from tasks_app.api.backends import couplings, device_of
from tasks_app.circuits.device import Cost, Device, Qubit
from tasks_app.models import Backend
from tasks_app.runtime_api.view import RuntimeView

VERSION = "1.0.0"
PLAIN = "aer"
"""The kind of a simulator without noise."""
MAX_SHOTS = 10_000_000
"""Of a job: those of all its parameter sets together."""
ONLINE_SINCE = "2026-01-01T00:00:00Z"
"""Without a date the client drops a backend silently."""
# What its transpiler has to translate to: gates of whatever a program has are the service's own.
GATES: dict[str, list[str]] = {
    **{name: [] for name in ("id", "x", "sx", "cx", "cz", "ecr")},
    **{"rx": ["theta"], "rz": ["phi"], "rzz": ["theta"]},
}
_PARAMETERS: dict[str, list[str]] = {
    **{name: ["theta"] for name in ("ry", "p", "u1", "cp", "rxx", "ryy", "rzx")},
    **{"r": ["theta", "phi"], "u2": ["phi", "lam"]},
    **{name: ["theta", "phi", "lam"] for name in ("u", "u3")},
}
CONTROL_FLOW = ["if_else", "while_loop", "for_loop", "switch_case"]
OTHERS = ["measure", "reset", "delay", "barrier"]


def backend(name: str) -> Backend:
    """With its definition. Raises 404."""
    found = backends.named(name)
    if found is None:
        raise NotFound("There is no backend of this name.")
    return found


def qubits_of(backend: Backend, device: Device | None) -> int:
    """How many it has, or takes."""
    most = backend.max_qubits or settings.CIRCUIT_LIMITS.max_qubits
    return len(device.qubits) if device else min(most, settings.CIRCUIT_LIMITS.max_qubits)


def configuration(backend: Backend) -> dict[str, Any]:
    """Every pair of qubits of a plain simulator is coupled. It is no `simulator` to the client,
    which would open no session on one; and what looks for `simulator=False` would find nothing.
    """
    device = device_of(backend)
    gates = _gates(device)
    basis = [gate["name"] for gate in gates]
    return {
        "backend_name": backend.name,
        "backend_version": VERSION,
        "description": backend.description,
        "n_qubits": qubits_of(backend, device),
        "basis_gates": basis,
        "gates": gates,
        "supported_instructions": [*basis, *CONTROL_FLOW, *_others(device)],
        "supported_features": ["qasm3", "dynamic_circuits"],
        "coupling_map": couplings(device) if device else None,
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
        **({"dt": device.dt_s * 1e9} if device and device.dt_s else {}),  # in nanoseconds
    }


def _gates(device: Device | None) -> list[dict[str, Any]]:
    named = {**GATES, **_PARAMETERS}
    if device is None:
        return [_gate(name, parameters) for name, parameters in GATES.items()]
    return [
        _gate(name, named.get(name, [])) | {"coupling_map": [list(each) for each in sorted(places)]}
        for name, places in sorted(device.gates.items())
        if name not in OTHERS
    ]


def _gate(name: str, parameters: list[str]) -> dict[str, Any]:
    return {"name": name, "parameters": parameters, "qasm_def": f"gate {name} … {{ }}"}


def _others(device: Device | None) -> list[str]:
    """Instructions that are no gates; some devices cannot reset."""
    return [name for name in OTHERS if name != "reset" or not device or name in device.gates]


def properties(backend: Backend) -> dict[str, Any]:
    """A calibration; of a plain simulator one in which nothing is ever wrong."""
    device = device_of(backend)
    ideal = Qubit(None, None, (0.0, 0.0), None)
    qubits = device.qubits if device else (ideal,) * qubits_of(backend, device)
    gates = device.gates if device else {}
    return {
        "backend_name": backend.name,
        "backend_version": VERSION,
        "last_update_date": ONLINE_SINCE,
        "qubits": [_calibration(qubit) for qubit in qubits],
        "gates": [
            {"gate": name, "name": name, "qubits": list(places), "parameters": _cost(cost)}
            for name, placed in gates.items()
            if name not in OTHERS
            for places, cost in placed.items()
        ],
        "general": [],
    }


def _calibration(qubit: Qubit) -> list[dict[str, Any]]:
    ones, zeros = qubit.readout_error  # read where 0, and where 1, was
    known = {
        # pytket takes an error of 0 for one that is not known, and fails.
        "readout_error": ((ones + zeros) / 2 or sys.float_info.min, ""),
        "prob_meas1_prep0": (ones, ""),
        "prob_meas0_prep1": (zeros, ""),
        "T1": (qubit.t1_s, "s"),
        "T2": (qubit.t2_s, "s"),
        "readout_length": (qubit.readout_s, "s"),
    }
    return _measured(known)


def _cost(cost: Cost) -> list[dict[str, Any]]:
    return _measured({"gate_error": (cost.error, ""), "gate_length": (cost.length_s, "s")})


def _measured(known: Mapping[str, tuple[float | None, str]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "date": ONLINE_SINCE, "unit": unit, "value": value}
        for name, (value, unit) in known.items()
        if value is not None
    ]


def listed(backend: Backend) -> dict[str, Any]:
    """As the list of backends shows it."""
    qubits = qubits_of(backend, device_of(backend))
    online = {"name": "online", "reason": "available"}
    return {
        "name": backend.name,
        "status": online if backend.online else {"name": "paused", "reason": "offline"},
        "qubits": qubits,
        "physical_qubits": qubits,
        "is_simulator": False,
        "queue_length": pace.pending(backend.name),
        "processor_type": {"family": "Simulator", "revision": VERSION},
    }


class BackendsView(RuntimeView):
    """`GET /backends`."""

    @query.takes_these("include_mocks", "fields")
    def get(self, request: Request) -> Response:
        return Response({"devices": [listed(each) for each in Backend.objects.all()]})


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
        found = backend(name)
        status = "active" if found.online else "paused"
        return Response(
            {
                "state": found.online,
                "status": status,
                "message": status,
                "length_queue": pace.pending(name),
                "backend_version": VERSION,
            }
        )


def _refuse_calibration(request: Request) -> None:
    if request.query_params.get("calibration_id"):
        raise NotFound("There is no calibration with this id: the backend has none.")
