"""What tasks can be run on: each backend, who serves it, and how long it takes."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import backends, pace
from tasks_app.api import schema
from tasks_app.api.fields import shown
from tasks_app.api.serializers import BackendSerializer, BackendSummarySerializer
from tasks_app.api.views import TaskApiView
from tasks_app.circuits.device import Device, read_device
from tasks_app.models import Backend

DEVICE = "aer_device"


class BackendsView(TaskApiView):
    """All of them."""

    @schema.list_backends
    def get(self, request: Request) -> Response:
        """Each backend, and how busy it is."""
        known = backends.known().values()
        return Response([shown(BackendSummarySerializer, summary(each)) for each in known])


class BackendView(TaskApiView):
    """One of them."""

    @schema.get_backend
    def get(self, request: Request, name: str) -> Response:
        """A backend with its gates, its couplings and what defines it."""
        backend = backends.named(name)
        if backend is None:
            raise NotFound("There is no backend with this name.")
        body = {**summary(backend), "definition": backend.definition, **_gates(backend)}
        return Response(shown(BackendSerializer, body))


def summary(backend: Backend) -> dict[str, Any]:
    """As `BackendSummarySerializer` shows it."""
    columns = ("name", "kind", "description", "online", "max_qubits", "max_shots")
    own = {name: getattr(backend, name) for name in columns}
    limits = settings.CIRCUIT_LIMITS
    width = _width(backend.name, backend.changed_at) if backend.kind == DEVICE else None
    own["max_qubits"] = min(filter(None, (own["max_qubits"], limits.max_qubits, width)))
    own["max_shots"] = min(filter(None, (own["max_shots"], limits.max_shots)))
    return {**own, "pending": pace.pending(backend.name), **pace.pace_lately(backend.name)}


@lru_cache(maxsize=backends.MAX_REMEMBERED)
def _width(name: str, changed_at: datetime) -> int:
    """How many qubits a device has; `changed_at`, so that what was changed since is read anew."""
    return len(Backend.objects.values_list("definition", flat=True).get(name=name)["qubits"])


def device_of(backend: Backend) -> Device | None:
    """What it simulates; None where it takes any gate on any qubits."""
    return read_device(backend.definition) if backend.kind == DEVICE else None


def couplings(device: Device) -> list[list[int]]:
    """The pairs of qubits that have a gate, in its order."""
    pairs = {each for places in device.gates.values() for each in places if len(each) == 2}
    return [list(pair) for pair in sorted(pairs)]


def _gates(backend: Backend) -> dict[str, Any]:
    device = device_of(backend)
    if device is None:
        return {"qubits": None, "basis_gates": None, "coupling_map": None}
    return {
        "qubits": len(device.qubits),
        "basis_gates": sorted(device.gates),
        "coupling_map": couplings(device),
    }
