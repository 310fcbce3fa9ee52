"""Where to run a job: the name of a backend, what kind it is, and what defines it.

A kind is a class that a site may add under the entry point group `quantumtasks.kinds`; only the
child makes one. Here, without Qiskit, is what can be said of it before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tasks_app.circuits.device import InvalidDefinition, read_device

DEFAULT_BACKEND = "aer"
"""Where a task runs that names none."""
KINDS_GROUP = "quantumtasks.kinds"
KINDS = ("aer", "aer_device")
"""Ours. Sites add theirs under other names."""
MAX_DEFINITION_BYTES = 4_194_304
_SHIPPED = Path(__file__).parent / "backends"


@dataclass(frozen=True, slots=True)
class Backend:
    """One that is not Aer as it comes, which a job has without any."""

    name: str
    kind: str
    definition: str
    """JSON. As text, so that a child which knows it need not read it again."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A backend that comes with the service."""

    name: str
    kind: str
    description: str
    definition: Mapping[str, Any]


def shipped() -> list[Shipped]:
    return [Shipped(**json.loads(path.read_text())) for path in sorted(_SHIPPED.glob("*.json"))]


def check_definition(kind: str, definition: Any) -> None:
    """Refuse what no child could run. Raises InvalidDefinition.

    What a site's own kind makes of a definition, only its class can tell.
    """
    if not isinstance(definition, Mapping):
        raise InvalidDefinition("A definition must be an object.")
    if len(json.dumps(definition)) > MAX_DEFINITION_BYTES:
        raise InvalidDefinition(f"A definition can have {MAX_DEFINITION_BYTES:,} bytes at most.")
    match kind:
        case "aer":
            check_empty(definition)
        case "aer_device":
            read_device(definition)
        case _ if kind not in entry_points(group=KINDS_GROUP).names:
            raise InvalidDefinition(
                f"{kind!r:.80} is no kind of backend: neither {', '.join(KINDS)} nor one that an "
                f"installed package has under the entry point {KINDS_GROUP}."
            )


def check_empty(definition: Mapping[str, Any]) -> None:
    """Of Aer as it comes. Raises InvalidDefinition."""
    if definition:
        raise InvalidDefinition(f"Aer has nothing to define, and no {min(definition)!r:.80}.")
