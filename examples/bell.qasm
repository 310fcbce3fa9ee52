// A Bell pair: both qubits always agree, so only 00 and 11 are counted.
OPENQASM 3.0;
include "stdgates.inc";

qubit[2] q;
bit[2] c;

h q[0];
cx q[0], q[1];
c = measure q;
