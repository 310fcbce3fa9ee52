"""Run OpenQASM circuits on Qiskit Aer in a sandboxed child process.

This package knows no Django and no queue. Importing it imports no Qiskit: only the child does.
"""

from tasks_app.circuits.backend import Backend
from tasks_app.circuits.errors import (
    ERROR_CODES,
    CircuitError,
    SandboxDied,
    SandboxStopped,
    SimulatorUnavailable,
)
from tasks_app.circuits.job import Job, Limits
from tasks_app.circuits.sandbox.confine import WALLS
from tasks_app.circuits.sandbox.process import end_simulators
from tasks_app.circuits.sandbox.sandbox import Sandbox, Simulator, check_simulator, standing_walls

__all__ = [
    "ERROR_CODES",
    "WALLS",
    "Backend",
    "CircuitError",
    "Job",
    "Limits",
    "Sandbox",
    "SandboxDied",
    "SandboxStopped",
    "Simulator",
    "SimulatorUnavailable",
    "check_simulator",
    "end_simulators",
    "standing_walls",
]
