"""Find the lowest energy of a hydrogen molecule, with exact gradients by the parameter-shift rule.

python client/examples/gradient.py    (the service: QUANTUMTASKS_URL, or `qtasks login`)

The derivative of an expectation value by the angle of a rotation is half the difference of the
values a quarter turn above and below (Schuld et al., arXiv:1811.11184). So a whole gradient is one
task: two sets of parameters for each angle, compiled once.
"""

from math import pi

from quantumtasks_client import Client

# At 0.735 angstrom, STO-3G, Jordan-Wigner; without the repulsion of the nuclei.
HYDROGEN = {
    **{"IIII": -0.81054798, "IIIZ": 0.17218393, "IIZI": -0.22575349, "IZII": 0.17218393},
    **{"ZIII": -0.22575349, "IIZZ": 0.12091263, "IZIZ": 0.16892754, "YYYY": 0.04523280},
    **{"XXYY": 0.04523280, "YYXX": 0.04523280, "XXXX": 0.04523280, "ZIIZ": 0.16614543},
    **{"IZZI": 0.16614543, "ZIZI": 0.17464343, "ZZII": 0.12091263},
}
LOWEST = -1.857275  # hartree, by diagonalising the matrix
QUBITS, LAYERS, STEPS = 4, 3, 100
NAMES = [f"p{i}" for i in range(QUBITS * LAYERS)]


def program() -> str:
    """Layers of rotations, each but the last followed by a chain of entangling gates."""
    lines = ['OPENQASM 3.0;\ninclude "stdgates.inc";', *(f"input float {name};" for name in NAMES)]
    lines.append(f"qubit[{QUBITS}] q;")
    for layer in range(LAYERS):
        lines += [f"ry({NAMES[layer * QUBITS + i]}) q[{i}];" for i in range(QUBITS)]
        if layer < LAYERS - 1:
            lines += [f"cx q[{i}], q[{i + 1}];" for i in range(QUBITS - 1)]
    return "\n".join(lines)


def main() -> None:
    text = program()
    point = {name: 0.4 + 0.3 * place for place, name in enumerate(NAMES)}
    velocity = dict.fromkeys(NAMES, 0.0)
    with Client() as client:
        for step in range(STEPS):
            sets = [point] + [
                {**point, name: point[name] + sign * pi / 2} for name in NAMES for sign in (1, -1)
            ]
            found = client.estimate(text, [HYDROGEN], sets)
            energy, *shifted = [value for each in found for value in each.expectation_values or ()]
            for place, name in enumerate(NAMES):
                slope = (shifted[2 * place] - shifted[2 * place + 1]) / 2
                velocity[name] = 0.8 * velocity[name] - 0.15 * slope
                point[name] += velocity[name]
            if step % 20 == 19:
                print(f"step {step + 1:3}  energy {energy:.6f}")
    print(f"lowest {LOWEST:.6f}, {energy - LOWEST:.6f} above it")


if __name__ == "__main__":
    main()
