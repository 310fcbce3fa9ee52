"""Programs to begin with: what the form of the first page holds for each."""

from typing import Any

_HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'

EXAMPLES: list[dict[str, Any]] = [
    {
        "title": "Bell pair",
        "circuit": f"""\
// Both qubits always agree: only 00 and 11 are counted.
{_HEAD}
qubit[2] q;
bit[2] c;

h q[0];
cx q[0], q[1];
c = measure q;
""",
    },
    {
        "title": "GHZ state",
        "circuit": f"""\
// Eight qubits that are all 0 or all 1.
{_HEAD}
const int n = 8;
qubit[n] q;
bit[n] c;

h q[0];
for int i in [0:n - 2] {{
  cx q[i], q[i + 1];
}}
c = measure q;
""",
    },
    {
        "title": "Teleportation, with feed-forward",
        "circuit": f"""\
// The state of q[0] is moved to q[2]: two measured bits
// decide what is done there. Turned back at the end, it
// is always 0.
{_HEAD}
qubit[3] q;
bit[2] told;
bit moved;

ry(2.0) q[0];

h q[1];
cx q[1], q[2];

cx q[0], q[1];
h q[0];
told[0] = measure q[0];
told[1] = measure q[1];

if (told[1]) x q[2];
if (told[0]) z q[2];

ry(-2.0) q[2];
moved = measure q[2];
""",
    },
    {
        "title": "Quantum Fourier transform",
        "outputs": ["counts", "probabilities", "circuit"],
        "circuit": f"""\
// Of a state with the period 4, which is 0, 4, 8 and 12
// at once: peaks at the multiples of 16 / 4.
{_HEAD}
const int n = 4;
qubit[n] q;
bit[n] c;

h q[2];
h q[3];

for int i in [1:n] {{
  h q[n - i];
  for int k in [1:n - i] {{
    cp(pi / 2 ** k) q[n - i - k], q[n - i];
  }}
}}
swap q[0], q[3];
swap q[1], q[2];
c = measure q;
""",
    },
    {
        "title": "Grover's search",
        "outputs": ["counts", "probabilities", "circuit"],
        "circuit": f"""\
// Finds 101 among the states of three qubits, in two
// rounds.
{_HEAD}
gate ccz a, b, c {{ h c; ccx a, b, c; h c; }}

qubit[3] q;
bit[3] c;

h q;
for int round in [1:2] {{
  x q[1];
  ccz q[0], q[1], q[2];
  x q[1];

  h q;
  x q;
  ccz q[0], q[1], q[2];
  x q;
  h q;
}}
c = measure q;
""",
    },
    {
        "title": "Bell pair with noise",
        "shots": 4096,
        "outputs": ["counts", "probabilities", "circuit"],
        "noise": {"depolarizing_1q": "0.01", "depolarizing_2q": "0.05", "readout": "0.02"},
        "circuit": f"""\
// Gates and readings that go wrong now and then: see the
// noise among the settings.
{_HEAD}
qubit[2] q;
bit[2] c;

h q[0];
cx q[0], q[1];
c = measure q;
""",
    },
    {
        "title": "GHZ state on a noisy device",
        "shots": 4096,
        "backend": "noisy_line5",
        "outputs": ["counts", "probabilities", "circuit"],
        "circuit": f"""\
// Five qubits in a line, with noise: the circuit is placed
// on them and written in their gates, as the drawing shows.
{_HEAD}
qubit[4] q;
bit[4] c;

h q[0];
cx q[0], q[1];
cx q[0], q[2];
cx q[0], q[3];
c = measure q;
""",
    },
    {
        "title": "Sweep of an angle",
        "inputs": {"theta": "0 : 2*pi : 33"},
        "circuit": f"""\
// Counts for 33 angles, in one task. An input becomes a
// field among the settings.
{_HEAD}
input float theta;
qubit[2] q;
bit[2] c;

ry(theta) q[0];
ry(theta / 2) q[1];
c = measure q;
""",
    },
    {
        "title": "Energy of a molecule",
        "inputs": {"theta": "-pi : pi : 41"},
        "observables": "II=-1.05237, IZ=0.39794, ZI=-0.39794, ZZ=-0.01128, XX=0.18093",
        "outputs": ["circuit"],
        "circuit": f"""\
// Hydrogen, 0.735 Å, on two qubits: the expectation value
// of its energy for 41 angles. The lowest, -1.857 hartree,
// is that of the ground state.
{_HEAD}
input float theta;
qubit[2] q;

ry(theta) q[0];
x q[1];
cx q[0], q[1];
""",
    },
    {
        "title": "200 qubits, Clifford gates",
        "method": "stabilizer",
        "circuit": f"""\
// Too wide for a state vector, and quick: all its gates
// are Clifford gates.
{_HEAD}
const int n = 200;
qubit[n] q;
bit[n] c;

h q[0];
for int i in [0:n - 2] {{
  cx q[i], q[i + 1];
}}
h q[n - 1];
c = measure q;
""",
    },
]
