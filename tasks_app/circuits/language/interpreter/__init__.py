"""OpenQASM 3, statement by statement: one `Run`, and a function for each kind of node."""

from tasks_app.circuits.language.interpreter import control, expressions, gates, subroutines
from tasks_app.circuits.language.interpreter.measured import Steered
from tasks_app.circuits.language.interpreter.run import ProgramEnd, Run

__all__ = ["ProgramEnd", "Run", "Steered", "control", "expressions", "gates", "subroutines"]
