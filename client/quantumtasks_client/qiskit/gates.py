"""What Aer runs as it is, as a `Target` of Qiskit."""

from functools import cache

from qiskit.circuit import (
    BreakLoopOp,
    ContinueLoopOp,
    ForLoopOp,
    IfElseOp,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import Target

_CLIFFORD = frozenset(
    ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ecr")
)
_COMMON = _CLIFFORD.union(
    ("t", "tdg", "p", "u", "u1", "u2", "u3", "r", "rx", "ry", "rz"),
    ("cp", "rxx", "ryy", "rzx", "rzz", "ccx"),
)
_STATEVECTOR = _COMMON.union(("csx", "cswap", "ccz", "crx", "cry", "crz", "cu", "cu1", "cu3"))
GATES = {
    "automatic": _STATEVECTOR,
    "statevector": _STATEVECTOR,
    "density_matrix": _COMMON.union(("cu1",)),
    "stabilizer": _CLIFFORD,
    "matrix_product_state": _COMMON.union(("csx", "cswap")),
    "extended_stabilizer": _CLIFFORD.difference(("sxdg", "cy")).union(
        ("t", "tdg", "p", "u1", "rz", "ccx", "ccz")
    ),
}
"""By simulation method, the gates that it runs without breaking them down."""
WITHOUT_DEFINITION = frozenset(
    (
        *("r", "u", "sxdg", "cs", "csdg", "csx", "cu1", "cu3", "dcx", "ecr", "iswap"),
        *("rxx", "ryy", "rzx", "rzz", "xx_minus_yy", "xx_plus_yy"),
        *("ccz", "rccx", "rcccx", "c3sx"),
    )
)
"""Gates that the service knows by Qiskit's names though no program defines or includes them."""
WRITTEN = WITHOUT_DEFINITION.union(  # and those of stdgates.inc
    ("p", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "id"),
    ("cx", "cy", "cz", "cp", "crx", "cry", "crz", "ch", "swap", "ccx", "cswap", "cu"),
    ("u1", "u2", "u3"),
)
"""All gates that a program is written in."""
_CONTROL_FLOW = {
    "if_else": IfElseOp,
    "for_loop": ForLoopOp,
    "while_loop": WhileLoopOp,
    "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
}


@cache
def ideal_target(method: str, num_qubits: int) -> Target:
    """What may stand in a circuit for this method, on any of its qubits."""
    known, made = get_standard_gate_name_mapping(), Target(num_qubits=num_qubits)
    for name in sorted(GATES[method].union(("measure", "reset", "delay"))):
        made.add_instruction(known[name], name=name)
    if method != "extended_stabilizer":
        add_control_flow(made)
    return made


def add_control_flow(made: Target) -> None:
    """On any qubits."""
    for name, operation in _CONTROL_FLOW.items():
        made.add_instruction(operation, name=name)
