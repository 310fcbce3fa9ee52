"""`manage.py import_backend`: a simulated device from what Qiskit knows of a real one."""

import inspect
from argparse import ArgumentTypeError
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.circuits.device import MAX_QUBITS, InvalidDefinition
from tasks_app.circuits.snapshot import definition_of
from tasks_app.management.arguments import whole
from tasks_app.models import Backend

_SNAPSHOTS = "qiskit_ibm_runtime.fake_provider"


class Command(BaseCommand):
    """It takes effect with the next task: no worker need be started anew."""

    help = (
        "Makes a backend, or changes one, that simulates a device: a snapshot that "
        "qiskit-ibm-runtime ships (FakeSherbrooke), where that is installed, or Qiskit's generic "
        "one of so many qubits (generic:27)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", help="FakeSherbrooke, or generic:27")
        parser.add_argument("--name", help="what tasks call it (default: as the source does)")
        any_seed = whole(0, 2**53)
        parser.add_argument("--seed", type=any_seed, default=0, help="of a generic one's figures")

    def handle(self, *args: Any, source: str, name: str | None, seed: int, **options: Any) -> None:
        try:
            device = _generic(source, seed) or _snapshot(source)
            definition = definition_of(device)
        except (InvalidDefinition, ValueError) as error:
            raise CommandError(str(error)) from error
        backend = Backend(
            name=name or str(device.name),
            kind="aer_device",
            description=f"Simulates {device.name}, a device of {device.num_qubits} qubits.",
            definition=definition,
        )
        try:
            backend.clean_fields()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        if backend.name == DEFAULT_BACKEND:
            raise CommandError(f"{DEFAULT_BACKEND} is the simulator as it comes; choose a --name.")
        known = Backend.objects.filter(name=backend.name)
        changed = known.update(
            kind=backend.kind, description=backend.description, definition=backend.definition
        )
        if not changed:
            backend.save(force_insert=True)
        self.stdout.write(f"{backend.name} is {'changed' if changed else 'there'}.")


def _generic(source: str, seed: int) -> Any:
    kind, _, qubits = source.partition(":")
    if kind != "generic":
        return None
    try:
        number = whole(2, MAX_QUBITS)(qubits)
    except ArgumentTypeError as error:
        raise CommandError(f"For the qubits of generic:27 {error}.") from None
    from qiskit.providers.fake_provider import GenericBackendV2

    return GenericBackendV2(number, seed=seed)


def _snapshot(source: str) -> Any:
    try:
        provider = import_module(_SNAPSHOTS)
    except ImportError:
        raise CommandError(
            f"{source} is not generic:N, and qiskit-ibm-runtime, which ships snapshots of real "
            "devices, is not installed."
        ) from None
    make: Callable[[], Any] | None = getattr(provider, source, None)
    if not inspect.isclass(make):
        known = sorted(each for each in vars(provider) if each.startswith("Fake"))
        raise CommandError(f"There is no snapshot {source}; there are {', '.join(known)}.")
    return make()
