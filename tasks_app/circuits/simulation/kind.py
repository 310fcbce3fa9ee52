"""What a kind of backend is to the rest of the simulation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.program import Program
from tasks_app.circuits.simulation.compile import Compiled, Options


class Kind(ABC):
    """Compiles programs for a backend; what it compiles to says how it is run.

    Made in the child from the backend's definition, once for many tasks.
    """

    takes_paths = False
    """Whether a program that measurements steer beyond what a circuit can say may be run path by
    path, without what this kind adds."""
    has_levels = False
    """Whether `optimization_level` says how it compiles."""

    @abstractmethod
    def __init__(self, definition: Mapping[str, Any]) -> None:
        """Raises InvalidDefinition."""

    @abstractmethod
    def compile(self, program: Program, options: Options, limits: Limits) -> Compiled:
        """Raises CircuitError."""
