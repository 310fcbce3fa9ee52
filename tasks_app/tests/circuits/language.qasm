// Parts of OpenQASM 3, one program each, with the only outcome it can have.
// A program without a version line has the header of the standard library put before it.

//// gate_def: 11
gate g(a) x1, y1 { rx(a) x1; cx x1, y1; }
qubit[2] q; bit[2] c; g(pi) q[0], q[1]; c = measure q;

//// ctrl: 11
qubit[2] q; bit[2] c; x q[0]; ctrl @ x q[0], q[1]; c = measure q;

//// ctrl2: 111
qubit[3] q; bit[3] c; x q[0]; x q[1]; ctrl(2) @ x q[0], q[1], q[2]; c = measure q;

//// negctrl: 10
qubit[2] q; bit[2] c; negctrl @ x q[0], q[1]; c = measure q;

//// negctrl_gphase: 1
qubit[1] q; bit[1] c; h q[0]; negctrl @ gphase(pi) q[0]; h q[0]; c = measure q;

//// inv: 1
qubit[1] q; bit[1] c; rx(pi/2) q; inv @ rx(-pi/2) q; c = measure q;

//// inv_s: 0
qubit[1] q; bit[1] c; h q; s q; inv @ s q; h q; c = measure q;

//// pow2: 1
qubit[1] q; bit[1] c; pow(2) @ sx q; c = measure q;

//// pow_half: 1
qubit[1] q; bit[1] c; pow(0.5) @ x q; pow(0.5) @ x q; c = measure q;

//// pow_neg: 0
qubit[1] q; bit[1] c; pow(-1) @ sx q; sx q; c = measure q;

//// modchain: 101
qubit[3] q; bit[3] c; x q[0]; ctrl @ negctrl @ inv @ pow(3) @ x q[0], q[1], q[2]; c = measure q;

//// broadcast: 111
qubit[3] q; bit[3] c; x q; c = measure q;

//// broadcast2: 111
qubit[3] q; qubit[3] r; bit[3] c; x q; cx q, r; c = measure r;

//// broadcast_mixed: 111
qubit q; qubit[3] r; bit[3] c; x q; cx q, r; c = measure r;

//// slice: 0110
qubit[4] q; bit[4] c; x q[1:2]; c = measure q;

//// slice_step: 0101
qubit[4] q; bit[4] c; x q[0:2:3]; c = measure q;

//// neg_index: 1000
qubit[4] q; bit[4] c; x q[-1]; c = measure q;

//// index_set: 1001
qubit[4] q; bit[4] c; x q[{0,3}]; c = measure q;

//// alias: 0010
qubit[4] q; bit[4] c; let a = q[1:3]; x a[0]; c = measure q;

//// alias_concat: 01 00
qubit[2] q; qubit[2] r; bit[2] c; bit[2] d; let a = q ++ r; x a[2]; c = measure q; d = measure r;

//// if_bit: 11
qubit[2] q; bit[2] c; x q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; } c[1] = measure q[1];

//// if_eq_true: 11
qubit[2] q; bit[2] c; x q[0]; c[0] = measure q[0]; if (c[0] == true) { x q[1]; } c[1] = measure q[1];

//// if_eq_1: 11
qubit[2] q; bit[2] c; x q[0]; c[0] = measure q[0]; if (c[0] == 1) { x q[1]; } c[1] = measure q[1];

//// if_bit_eq_1: 1 1
qubit[2] q; bit c; bit d; x q[0]; c = measure q[0]; if (c == 1) x q[1]; d = measure q[1];

//// if_reg: 1 10
qubit[2] q; bit[2] c; bit d; x q[1]; c = measure q; if (c == 2) { x q[0]; } d = measure q[0];

//// if_reg_str: 1 10
qubit[2] q; bit[2] c; bit d; x q[1]; c = measure q; if (c == "10") { x q[0]; } d = measure q[0];

//// if_else: 10
qubit[2] q; bit[2] c; c[0] = measure q[0]; if (c[0]) { x q[0]; } else { x q[1]; } c[1] = measure q[1];

//// if_not: 10
qubit[2] q; bit[2] c; c[0] = measure q[0]; if (!c[0]) { x q[1]; } c[1] = measure q[1];

//// if_and: 111
qubit[3] q; bit[3] c; x q[0]; x q[1]; c[0] = measure q[0]; c[1] = measure q[1]; if (c[0] && c[1]) { x q[2]; } c[2] = measure q[2];

//// if_gt: 1 11
qubit[3] q; bit[2] c; bit d; x q[0]; x q[1]; c = measure q[0:1]; if (c > 2) { x q[2]; } d = measure q[2];

//// while: 0
qubit q; bit c; h q; c = measure q; while (c) { h q; c = measure q; }

//// while_eq: 0
qubit q; bit c; h q; c = measure q; while (c == 1) { h q; c = measure q; }

//// while_ctr: 1
qubit q; bit c; int[32] i = 0; while (i < 3) { x q; i += 1; } c = measure q;

//// for_range: 0111
qubit[4] q; bit[4] c; for int i in [0:2] { x q[i]; } c = measure q;

//// for_range_step: 0101
qubit[4] q; bit[4] c; for uint i in [0:2:3] { x q[i]; } c = measure q;

//// for_set: 1001
qubit[4] q; bit[4] c; for int i in {0, 3} { x q[i]; } c = measure q;

//// for_down: 1111
qubit[4] q; bit[4] c; x q[3]; for int i in [3:-1:1] { cx q[i], q[i-1]; } c = measure q;

//// for_angle: 1
qubit q; bit c; for int i in [1:4] { rx(pi/4) q; } c = measure q;

//// for_angle2: 1
qubit q; bit c; for int i in [1:2] { rx(i*pi/3) q; } c = measure q;

//// for_nested: 1111
qubit[4] q; bit[4] c; for int i in [0:1] { for int j in [0:1] { x q[2*i+j]; } } c = measure q;

//// for_sizeof: 1111
qubit[4] q; bit[4] c; for int i in [0:sizeof(q)-1] { x q[i]; } c = measure q;

//// for_array: 1
qubit q; bit c; array[float[64], 2] a = {pi/2, pi/2}; for float[64] t in a { rx(t) q; } c = measure q;

//// for_meas: 101
qubit q; bit[3] c; for int i in [0:2] { x q; c[i] = measure q; }

//// const: 100
const int n = 3; qubit[n] q; bit[n] c; x q[n-1]; c = measure q;

//// const_uint: 100
const uint n = 3; qubit[n] q; bit[n] c; x q[n-1]; c = measure q;

//// const_float: 1
const float theta = pi; qubit q; bit c; rx(theta) q; c = measure q;

//// int_var: 100
int n = 1; n = n + 1; qubit[3] q; bit[3] c; x q[n]; c = measure q;

//// float_var: 1
float[64] a = pi/2; a = 2*a; qubit q; bit c; rx(a) q; c = measure q;

//// angle_var: 1
angle[32] a = pi; qubit q; bit c; rx(a) q; c = measure q;

//// bool_var: 1
bool b = true; qubit q; bit c; if (b) { x q; } c = measure q;

//// if_int_const: 1
int i = 5; qubit q; bit c; if (i > 4) { x q; } c = measure q;

//// maths: 1
qubit q; bit c; rx(2*arccos(0)) q; c = measure q;

//// maths2: 1
qubit q; bit c; rx(sqrt(4)*arcsin(1)*cos(0)) q; c = measure q;

//// power_op: 1
qubit q; bit c; rx(pi*2**0) q; c = measure q;

//// mod_div: 100
qubit[3] q; bit[3] c; x q[7 % 4 - 1]; c = measure q;

//// switch: 01
int i = 1; qubit[2] q; bit[2] c; switch (i) { case 1 { x q[0]; } case 2,3 { x q[1]; } default { } } c = measure q;

//// switch_meas: 1 01
qubit[3] q; bit[2] c; bit d; x q[0]; c = measure q[0:1]; int i = c; switch (i) { case 1 { x q[2]; } default { } } d = measure q[2];

//// switch_meas2: 1 01
qubit[3] q; bit[2] c; bit d; x q[0]; c = measure q[0:1]; switch (int[2](c)) { case 1 { x q[2]; } default { } } d = measure q[2];

//// def_void: 11
def f(qubit a, qubit b) { x a; cx a, b; } qubit[2] q; bit[2] c; f(q[0], q[1]); c = measure q;

//// def_reg: 11
def f(qubit[2] a) { x a; } qubit[2] q; bit[2] c; f(q); c = measure q;

//// def_angle: 1
def f(float[64] t, qubit a) { rx(t) a; } qubit q; bit c; f(pi, q); c = measure q;

//// def_ret_bit: 1
def f(qubit a) -> bit { x a; return measure a; } qubit q; bit c; c = f(q);

//// def_ret_bit2: 1
def f(qubit a) -> bit { bit b; x a; b = measure a; return b; } qubit q; bit c; c = f(q);

//// def_ret_int: 100
def f(int[32] a) -> int[32] { return a + 1; } qubit[3] q; bit[3] c; x q[f(1)]; c = measure q;

//// array_angles: 01
array[float[64], 2] a = {pi, 0}; qubit[2] q; bit[2] c; rx(a[0]) q[0]; rx(a[1]) q[1]; c = measure q;

//// physical: 11
bit[2] c; x $0; cx $0, $1; c[0] = measure $0; c[1] = measure $1;

//// barrier: 11
qubit[2] q; bit[2] c; x q; barrier q; barrier q[0], q[1]; barrier; c = measure q;

//// delay: 1
qubit q; bit c; x q; delay[100ns] q; c = measure q;

//// delay_dt: 1
qubit q; bit c; x q; delay[100dt] q; c = measure q;

//// duration: 1
duration d = 100ns; qubit q; bit c; x q; delay[d] q; c = measure q;

//// stretch: 1
stretch w; qubit q; bit c; x q; delay[w] q; c = measure q;

//// box: 1
qubit q; bit c; box { x q; } c = measure q;

//// reset: 0
qubit q; bit c; x q; reset q; c = measure q;

//// reset_all: 00
qubit[2] q; bit[2] c; x q; reset q; c = measure q;

//// meas_arrow: 11
qubit[2] q; bit[2] c; x q; measure q -> c;

//// meas_noassign: 11
qubit[2] q; bit[2] c; measure q; x q; c = measure q;

//// decl_meas: 11
qubit[2] q; x q; bit[2] c = measure q;

//// bit_init: 10
qubit q; bit[2] c = "10"; c[0] = measure q;

//// bit_assign: 1 1
qubit q; bit c; bit d; x q; c = measure q; d = c;

//// bit_not: 1 0
qubit q; bit c; bit d; c = measure q; d = !c;

//// bit_xor: 1 11
qubit[2] q; bit[2] c; bit d; x q[0]; c = measure q; d = c[0] ^ c[1]; if (d) { x q[1]; } c[1] = measure q[1];

//// int_from_meas: 11
qubit[2] q; bit[2] c; uint[2] n = 0; x q[0]; c = measure q; n = c; if (n == 1) { x q[1]; } c[1] = measure q[1];

//// uppercaseU: 1
OPENQASM 3.0; qubit q; bit c; U(pi,0,pi) q; c = measure q;

//// gphase: 1
qubit q; bit c; gphase(pi/2); x q; c = measure q;

//// ctrl_gphase: 1
qubit q; bit c; h q; ctrl @ gphase(pi) q; h q; c = measure q;

//// qreg_creg: 11
qreg q[2]; creg c[2]; x q; measure q -> c;

//// unicode_pi: 1
qubit q; bit c; rx(π) q; c = measure q;

//// tau_euler: 1
qubit q; bit c; rx(tau/2 + euler - ℇ) q; c = measure q;

//// break: 1
qubit q; bit c; for int i in [0:5] { if (i == 3) { break; } x q; } c = measure q;

//// continue: 0
qubit q; bit c; for int i in [0:2] { if (i == 1) { continue; } x q; } c = measure q;

//// break_meas: 1
qubit q; bit c; for int i in [0:5] { x q; c = measure q; if (c) { break; } }

//// end: 1
qubit q; bit c; x q; c = measure q; end;

//// output: 11
output bit[2] c; qubit[2] q; x q; c = measure q;

//// output_only: 11
bit d; output bit[2] c; qubit[2] q; x q; c = measure q; d = measure q[0];

//// gate_no_include: 1
OPENQASM 3.0; gate x a { U(pi,0,pi) a; } qubit q; bit c; x q; c = measure q;

//// gate_param_arith: 1
gate g(a,b) x1 { rx(a*2+b/2) x1; } qubit q; bit c; g(pi/4, pi) q; c = measure q;

//// gate_in_gate_mod: 11
gate g x1, y1 { ctrl @ x x1, y1; } qubit[2] q; bit[2] c; x q[0]; g q[0], q[1]; c = measure q;

//// gate_loop: 1
gate g x1 { for int i in [0:2] { x x1; } } qubit q; bit c; g q; c = measure q;

//// annotation: 1
@foo bar
qubit q; bit c; x q; c = measure q;

//// scope: 1
qubit q; bit c; { int i = 1; x q; } c = measure q;

//// qelib1: 11
OPENQASM 3.0; include "qelib1.inc"; qubit[2] q; bit[2] c; x q[0]; cu1(pi) q[0], q[1]; rzz(0.5) q[0], q[1]; u3(pi,0,pi) q[1]; c = measure q;

//// hex_int: 1100
qubit[4] q; bit[4] c; x q[0x2]; x q[0b11]; c = measure q;

//// sci_float: 1
qubit q; bit c; rx(3.14159265358979e0) q; c = measure q;

//// cast_float: 1
int i = 2; qubit q; bit c; rx(pi*float(i)/2.0) q; c = measure q;

//// ternary_like: 1
const int n = 2; const float t = pi/n; qubit q; bit c; rx(t*n) q; c = measure q;

//// uint_bits: 0101
uint[4] a = 5; qubit[4] q; bit[4] c; for int i in [0:3] { if (bool(a[i])) x q[i]; } c = measure q;

//// qft_loop: 000
const int n = 3; qubit[n] q; bit[n] c; for int i in [0:n-1] { h q[i]; for int j in [i+1:n-1] { cp(pi/2**(j-i)) q[j], q[i]; } } for int i in [n-1:-1:0] { for int j in [n-1:-1:i+1] { cp(-pi/2**(j-i)) q[j], q[i]; } h q[i]; } c = measure q;

//// rev_assign: 01
qubit[2] q; bit[2] c; x q[0]; c[0:1] = measure q;

//// slice_meas: 0100
qubit[4] q; bit[4] c; x q[2]; c[2:3] = measure q[2:3];

//// arr_int_idx: 100
array[int[32], 2] idx = {0, 2}; qubit[3] q; bit[3] c; x q[idx[1]]; c = measure q;

//// shadow: 11
qubit[2] q; bit[2] c; int i = 1; for int i in [0:0] { x q[i]; } x q[i]; c = measure q;

//// popcount: 100
qubit[3] q; bit[3] c; x q[popcount(3)]; c = measure q;

//// hidden_bits: 1 1
def f(qubit a) -> bit { bit b; h a; b = measure a; reset a; return b; } qubit q; bit c; bit d = f(q); x q; c = measure q; d = c;

//// continue_meas: 01 1
qubit[2] q; bit c; bit[2] d; x q[0]; for int i in [0:2] { c = measure q[0]; if (c) { continue; } x q[1]; } d = measure q;

//// while_measured_last: 1
qubit q; bit c; while (c == 0) { h q; c = measure q; }

//// while_true_break: 1
qubit q; bit c; while (true) { h q; c = measure q; if (c) { break; } }

//// else_if_chain: 0 10
qubit[2] q; bit[2] c; bit d; x q[1]; c = measure q; if (c == 1) { x q[0]; } else if (c == 2) { x q[1]; } else { x q; } d = measure q[1];

//// slice_condition: 1 010
qubit[3] q; bit[3] c; bit d; x q[1]; c = measure q; if (c[0:1] == 2) { x q[0]; } d = measure q[0];

//// never_condition: 1 11
qubit[2] q; bit[2] c; bit d; x q; c = measure q; if (c == 4) { x q[0]; } d = measure q[0];

//// angle_wraps: 1
angle[20] a = 3 * pi; qubit q; bit c; rx(a) q; c = measure q;

//// uint_wraps: 0010
uint[2] n = 3; n += 2; qubit[4] q; bit[4] c; x q[n]; c = measure q;

//// array_2d: 11
array[float[64], 2, 2] a = {{0, pi}, {pi, 0}}; a[0, 0] = pi; qubit[2] q; bit[2] c; for int i in [0:1] { rx(a[i, 0]) q[i]; } c = measure q;

//// array_argument: 1
def f(mutable array[float[64], 1] t, qubit a) { t[0] = pi; rx(t[0]) a; } array[float[64], 1] v; qubit q; bit c; f(v, q); rx(v[0]) q; rx(v[0]) q; c = measure q;

//// own_gate_named_like_a_library_gate: 1
gate t a { x a; } qubit q; bit c; t q; c = measure q;

//// variable_named_like_a_library_gate: 1
const float t = pi; qubit q; bit c; rx(t) q; c = measure q;

//// spec_version_3_1: 1
OPENQASM 3.1; include "stdgates.inc"; qubit q; bit c; x q; c = measure q;

//// counter_in_measured_branch: 1 10 11
qubit[2] q; bit[2] c; bit[2] n_out; bit d; x q; int n = 0; c = measure q; for int i in [0:1] { if (c[i]) { n += 1; } } n_out = bit[2](n); d = n == 2;

//// repeat_until_success_counts: 11 1 1
qubit[2] q; bit c; bit done; bit[2] tries; uint[2] n = 0; while (n < 3 && !done) { n += 1; c = measure q[0]; if (c) { if (n == 3) { done = true; } } else { x q[0]; } } tries = n;

//// bounded_loop_left_early: 10 1
qubit q; bit c; bit[2] n_out; int n = 0; while (n < 3) { n += 1; c = measure q; if (c) { break; } x q; } n_out = bit[2](n);

//// static_break_keeps_a_variable_known: 100 0
qubit[3] q; bit c; bit[3] d; int n = 0; for int i in [0:5] { if (i == 2) { break; } n += 1; c = measure q[0]; } x q[n]; d = measure q;

//// break_and_continue_meas: 0110 01
qubit[4] q; bit[2] c; bit[4] d; x q[1]; x q[2]; for int i in [0:3] { c[0] = measure q[1]; c[1] = measure q[2]; if (i == 1 && c == 1) { continue; } if (i == 2 && c == 1) { break; } if (c == 3) { x q[2]; continue; } x q[3]; } if (c == 1) { x q[2]; } d = measure q;

//// static_break_after_a_measured_continue: 011 1
qubit[3] q; bit c; bit[3] d; x q[0]; for int i in [0:2] { c = measure q[0]; if (c) { x q[1]; if (i < 2) { continue; } } break; } d = measure q;

//// parity: 1 111
qubit[3] q; bit[3] c; bit p; x q; c = measure q; p = c[0] ^ c[1] ^ c[2];

//// wide_registers_compare_all_their_bits: 1 0 1000000000000000000000000000000000000000000000000000000000000000000000
qubit q; bit[70] c; bit low; bit high; x q; c[69] = measure q; low = c == 32; high = c == 590295810358705651712;

//// assign_in_a_branch_without_qubits: 0 0 1
qubit q; bit c; bit d; bit e; x q; c = measure q; if (!c) { d = true; } switch (c) { case 0 { e = true; } }

//// subroutine_counts: 10 11
def ones(bit[2] b) -> int { int n = 0; for int i in [0:1] { if (b[i]) { n += 1; } } return n; } qubit[2] q; bit[2] c; bit[2] d; x q; c = measure q; d = bit[2](ones(c));

//// while_on_a_measuring_subroutine: 1 1
def look(qubit a) -> bit { bit b; b = measure a; x a; return b; } qubit q; bit c; bit n; bool flip = false; while (!look(q)) { flip = !flip; } n = flip; x q; c = measure q;

//// a_subroutine_is_called_once_by_an_assignment: 1 01
def flip(qubit a) -> bit { bit b; x a; b = measure a; return b; } qubit q; bit[2] d; bit c; uint[2] n = 0; n += flip(q); d = bit[2](n); c = measure q;

//// a_subroutine_is_called_once_by_the_index_of_an_assignment: 0010 1
qubit q; bit c; bit[4] m; def a(qubit z) -> int { x z; return 1; } m[a(q)] |= 1; c = measure q;

//// a_subroutine_is_called_once_by_the_index_of_an_array: 1
int n = 0; def a() -> int { n += 1; return n; } array[int, 2, 4] m; m[1, a()] += 5; qubit q; bit c; if (m[1, 1] == 5 && m[1, 2] == 0) { x q; } c = measure q;

//// a_subroutine_is_called_once_by_a_range_of_an_assignment: 0110 1
qubit q; bit c; bit[4] m; def a(qubit z) -> int { x z; return 1; } m[a(q):-2] |= 3; c = measure q;

//// a_subroutine_is_called_once_by_a_set_of_an_assignment: 1010 1
qubit q; bit c; bit[4] m; def a(qubit z) -> int { x z; return 1; } m[{a(q), 3}] |= 3; c = measure q;

//// a_subroutine_is_called_once_by_a_modifier: 11
def f(qubit a) -> int { x a; return 1; }
qubit[2] q; bit[2] c; pow(f(q[0])) @ x q[1]; c = measure q;

//// a_subroutine_is_called_once_by_a_switch: 1
int n = 0; def next() -> int { n += 1; return n; } qubit q; bit c; switch (next()) { case 1 { x q; } case 2 { } } c = measure q;

//// while_on_a_counting_subroutine: 0
int n = 0; def next() -> int { n += 1; return n; } qubit q; bit c; while (next() < 3) { x q; } c = measure q;

//// while_on_a_subroutine_that_ends_the_program: 1
qubit q; bit c; def f(qubit a) -> bit { x a; c = measure a; end; return false; } while (f(q)) { } x q; c = measure q;

//// while_on_a_subroutine_that_writes_to_an_array: 0
array[int, 2] n = {0, 0}; def next(mutable array[int, #dim = 1] m) -> int { m[1] += 1; return n[1]; } qubit q; bit c; while (next(n) < 3) { x q; } c = measure q;

//// while_on_a_bit_of_the_subroutine: 1
def look() -> bit { bit b; return b; } qubit q; bit c; while (look()) { x q; } x q; c = measure q;

//// while_on_a_subroutine_that_measures_to_a_global: 1 1
qubit q; bit c; bit n; bool flip = false; def look(qubit a) -> bit { flip = measure a; x a; return flip; } while (!look(q)) { flip = !flip; } n = flip; x q; c = measure q;

//// while_on_a_qubit_first_named_there: 0 1
def look(qubit a) -> bit { bit b; b = measure a; x a; return b; } bit a; bit c; while (!look($1)) { x $0; } a = measure $0; c = measure $1;

//// reverse_a_register: 01
qubit[2] q; bit[2] c; x q[1]; c = measure q; c = c[1:-1:0];

//// popcount_of_bits: 10 101
qubit[3] q; bit[3] c; bit[2] d; x q[0]; x q[2]; c = measure q; d = popcount(c);

//// while_in_a_loop_frees_its_counters: 1 1
qubit q; bit c; bit d; for int i in [0:99] { int n = 0; while (n < 1) { n += 1; c = measure q; } if (n == 1) { x q; } } x q; c = measure q; d = c == 1;

//// syndrome_as_a_number: 11 000
def syndrome(qubit[3] d, qubit[2] a) -> bit[2] { bit[2] b; cx d[0], a[0]; cx d[1], a[0]; cx d[1], a[1]; cx d[2], a[1]; b = measure a; return b; }
qubit[3] q; qubit[2] a; bit[3] c; bit[2] syn; x q[1]; syn = syndrome(q, a); if (int[2](syn) == 1) x q[0]; if (int[2](syn) == 2) x q[2]; if (int[2](syn) == 3) x q[1]; c = measure q;

//// count_of_ones_over_shots: 1010 1
qubit q; bit b; bit[4] n; uint[4] count = 0; for int i in [1:10] { reset q; x q; b = measure q; count += int[1](b); } n = bit[4](count); b = n == 10; n = bit[4](count);

//// majority_vote: 101 1
def vote(bit[3] b) -> bit { return popcount(b) > 1; } qubit[3] q; bit r; bit[3] c; x q[0]; x q[2]; c = measure q; r = vote(c);

//// array_row_assigned: 11
array[float[32], 2, 2] a = {{0, 0}, {pi, pi}}; array[float[32], 2] row = a[1]; a[0] = row; row[0] = 0; qubit[2] q; bit[2] c; rx(a[0, 0]) q[0]; rx(a[0, 1]) q[1]; c = measure q;

//// until_ten_ones_are_measured: 1010 1
qubit q; bit result; bit[4] n; int i = 0; while (i < 10) { h q; result = measure q; if (result) { i += 1; } } n = bit[4](i);

//// shifts_of_a_register_keep_its_width: 1 1 1 011
qubit[3] q; bit[3] c; bit d; bit e; bit f; x q[0]; x q[1]; c = measure q; d = (c << 2) == 4 && (c << 4) == 0; e = (c >> 1) == 1; f = (c << 1) == 6 && (c << 1)[2];

//// rotations: 01011 10101 11010
qubit[5] q; bit[5] c; bit[5] l; bit[5] r; x q[1]; x q[3]; x q[4]; c = measure q; l = rotl(c, 1); l = rotl(l, 5); l = rotr(l, 2); l = rotl(l, 2); r = rotr(c, 2); r = rotr(r, -4);

//// stretches_are_computed_with: 1
stretch g; qubit q; bit c; x q; delay[2 * g - g / 3 + 10ns] q; c = measure q;

//// an_annotation_reaches_to_the_end_of_its_line: 1
@from notes/*.txt // not a comment
qubit q; bit c;
@remark a } and a { and include "other.inc" are text
x q;
for int i in [0:1] {
  @remark { [ (
  x q;
}
/* a comment */
c = measure q;

//// a_modifier_may_stand_close_to_its_gate: 11
qubit[2] q; bit[2] c; x q[0]; ctrl @x q[0], q[1]; ctrl @x q[0], q[1]; inv@x q[1]; c = measure q;

//// an_unknown_pragma_is_ignored: 1
#pragma vendor { unknown }
qubit q; bit c; x q; pragma vendor include "x"
c = measure q;

//// an_else_belongs_to_the_innermost_if: 0000
qubit[4] q; bit[4] c; int n = 2;
if (n == 1) if (n == 2) { x q[0]; } else if (n == 2) { x q[1]; } else x q[2];
if (n == 2) { if (n == 1) { x q[0]; } } else if (n == 2) { x q[3]; }
c = measure q;

//// an_else_if_in_every_kind_of_block: 0111 1
def f(qubit a, int n) { if (n == 1) { y a; y a; } else if (n == 2) x a; else if (n == 3) { } }
qubit[4] q; bit b; bit[4] c; x q[3]; b = measure q[3]; x q[3];
for int i in [1:2] { if (i == 5) { x q[3]; } else if (i == 2) while (true) if (b) { f(q[0], i); break; } }
switch (1) { case 1 { if (!b) { } else if (b) { box { if (false) { } else if (true) x q[1]; } } } }
if (false) { } else if (true) { { if (b == 0) { } else if (b == 1) { f(q[2], 2); } } }
c = measure q;

//// a_creg_parameter: 1 01
def odd(creg r[2], creg s) -> bit { return r[0] ^ r[1] ^ s; }
qubit[2] q; bit[2] m; bit c; x q[0]; m = measure q; c = odd(m, m[1]);

//// the_phase_of_U_shows_under_control: 1 1 1
OPENQASM 3.0; gate flip a { U(π, 0, π) a; gphase(-π / 2); } gate had a { U(π/2, 0, π) a; gphase(-π / 4); }
gate phased a { U(0, 0, 0) a; } gate turned a { inv @ U(π, 0, 0) a; U(π, 0, 0) a; }
qubit[4] q; bit a; bit b; bit c; had q[0]; had q[1]; had q[2]; flip q[3]; had q[3];
ctrl @ flip q[0], q[3]; had q[0]; a = measure q[0];
negctrl @ phased q[1], q[3]; ctrl @ turned q[1], q[3]; had q[1]; flip q[1]; b = measure q[1];
ctrl @ gphase(-π/2) q[2]; ctrl @ U(π, π, 0) q[2], q[0]; ctrl @ flip q[2], q[0]; had q[2];
c = measure q[2]; reset q[2]; flip q[2]; c = measure q[2];

//// powers_and_inverses_of_U: 0 0
qubit[2] q; bit a; bit b; pow(1 / 3.0) @ U(pi, 0, pi) q[0]; pow(2 / 3.0) @ U(pi, 0, pi) q[0]; inv @ U(pi, 0, pi) q[0];
pow(1.5) @ U(pi, 0, pi) q[1]; pow(-1) @ U(pi, 0, pi) q[1]; rx(pi / 2) q[1]; a = measure q[0]; b = measure q[1];

//// u2_and_u3_are_rotations_under_control: 00 00
qubit[4] q; bit[2] c; bit[2] d; h q[0]; h q[2];
ctrl @ u3(0.4, 1.1, -0.3) q[0], q[1]; crz(-1.1) q[0], q[1]; cry(-0.4) q[0], q[1]; crz(0.3) q[0], q[1]; h q[0];
ctrl @ u2(1.1, -0.3) q[2], q[3]; crz(-1.1) q[2], q[3]; cry(-pi / 2) q[2], q[3]; crz(0.3) q[2], q[3]; h q[2]; c = measure q[0:1]; d = measure q[2:3];

//// angles_are_fixed_point_numbers: 1 1 1 1 1 1 1 1 1 1111 1
angle[4] a = 7 * (pi / 8); angle[4] b = pi / 8; angle[4] c = 5 * (pi / 4); uint[4] two = 2; qubit q; bit z;
bit[4] s = bit[4](a + b); bit r0 = s == 8; s = bit[4](b - a); bit r1 = s == 10; s = bit[4](a / two); bit r2 = s == 3;
s = bit[4](two * c); bit r3 = s == 4; uint[4] n = c / b; bit r4 = n == 10; s = bit[4](-b); bit r5 = s == 15;
bit r6 = (a << 1) == 14 * (pi / 8) && (a >> 2) == b && popcount(a) == 3 && rotl(a, 1) == a + a; bit r7 = a[0] && !a[3];
bit r8 = -a > a && 2 * a + 2 * b == 0 && angle[2](a) == pi && angle[8](a) == a; x q; z = measure q;

//// an_angle_of_measured_bits: 1 1 0110
qubit[4] q; bit[4] m; bit c; x q[1]; x q[2]; m = measure q; angle[4] a = angle[4](m); reset q; a[0] = 1; a += pi / 8;
bit d = a == 8 * (pi / 8) && a > pi / 2; rx(a - pi / 8) q[0]; rx(pi / 8) q[0]; c = measure q[0];

//// words_keep_their_width: 1 1 1 1 1 1 1 1 1
uint[4] a = 5; uint[4] b = 15; int[4] s = 7; bit r0 = ~a == 10; bit r1 = a + b == 4; bit r2 = a - b == 6; bit r3 = a * b == 11;
bit r4 = b << 2 == 12; bit r5 = -a == 11; int[4] t = s + 1; bit r6 = t == -8 && t - s == 1 && -t == t && t / -1 == t;
uint[8] w = 200; bit r7 = w + b == 215 && a + w == 205 && ((~a) >> 1) == 5 && int[8](w) == -56 && uint[4](w) == 8; b = 15; b += 1;
qubit q; bit c; x q; c = measure q;

//// measured_words_keep_their_width: 1 1 1 1 1 1 1 1 01001111
qubit[8] q; bit[8] m; bit one; x q[0:3]; x q[6]; m = measure q; one = m[0]; uint[4] b = m[0:3]; uint[4] a = m[4:7]; a += 1;
int[4] s = 7; s += b; bit r0 = ~a == 10; bit r1 = a + b == 4; bit r2 = a - b == 6; bit r3 = a * b == 11; bit r4 = b << 2 == 12;
bit r5 = -a == 11 && b / a == 3 && b % a == 0 && a ** 2 == 9; bit r6 = s == 6;

//// floats_round_to_their_width: 1 0 1 1 1
float[32] a = 0.1; float[64] b = 0.1; float[16] h = 2049.0; bit r0 = a != b; bit r1 = h == 2048.0; bit r2 = a * float[32](10) == 1;
qubit q; bit c; r0 = measure q; r0 = a > b; angle[4] turn = float[32](pi / 4); bit r3 = turn == pi / 4;

//// constant_bits_do_what_bits_do: 0 1 1 1 1 1 0110
const bit[4] a = "1100"; const bit[4] b = "1010"; bit[4] c = rotl(a, 1); bit r0 = c == 9; c = ~a; bit r1 = c == 3; c = a << 1;
bit r2 = c == 8; c[0:1] = a[2:3]; bit r3 = c == "1011" && a[-1] && !a[0]; bit r4 = (a & b) == "1000" && (a | b) == 14 && popcount(a) == 2;
for bit each in a { if (each) { c >>= 1; } } c = a ^ b; qubit q; bit z; z = measure q;

//// slices_of_numbers_are_bits: 1 1 1 1 0111
int[8] a = 15; bit[4] low = a[0:3]; bit r0 = low == "1111"; bit r1 = a[0:2:7] == "0011"; a[4:7] = "1010"; bit r2 = a == -81; a[{0, 7}] = "00";
array[uint[8], 2] n = {3, 4}; n[0][7] = 1; n[1][0:1] = "11"; qubit q; bit c = n[0] == 131 && n[1] == 7 && a == 46; low = n[1][0:3]; c = measure q;
a[{3, 7}] = "10"; c = a == -90;

//// slices_of_arrays_are_references: 1
array[int[8], 5] aa = {1, 2, 3, 4, 5}; array[int[8], 3, 4] bb; def mut(mutable array[int[8], #dim = 1] a) { a[2] = 10; a[0] += 1; }
mut(aa[1:3]); mut(bb[1, 0:3]); mut(bb[2]); mut(bb[0, 3:-1:0]); array[int[8], 2] two = {8, 9}; aa[3:4] = two; two[0] = 7; bb[0:1, 0] = aa[0:1];
qubit q; bit c; if (aa[0] == 1 && aa[1] == 3 && aa[3] == 8 && aa[4] == 9 && bb[1, 2] == 10 && bb[2][2] == 10 && bb[0, 1] == 10 && bb[0, 3] == 1 && bb[1, 0] == 3) { x q; } c = measure q;

//// an_output_has_a_value_without_a_measurement: 1 1101 10
output bit[2] r; output int[4] n; output bool b; qubit q; r = "10"; n = -3; b = n < 0; x q;

//// an_output_that_is_measured_and_counted: 0011 1
output bit c; output uint[4] n; qubit q; x q; for int i in [1:3] { c = measure q; n += c; }

//// a_measurement_may_decide_anything: 1 01 101
def twice(qubit a) -> int { int n = 0; for int i in [0:3] { bit b; b = measure a; if (b) { n += 1; } else { return n; } if (n == 2) { break; } } return n; }
qubit[3] q; bit[3] c; bit[2] d; bit e; x q[0]; array[float, 2] a; int n = twice(q[0]); a[n - 1] = pi; if (n == 2) { a[0] = pi / 2; } rx(a[1]) q[1]; rx(2 * a[0]) q[2];
d[1] = measure q[1]; x q[1]; c = measure q; d = n - 1; e = 1; if (c[2]) { c = "101"; end; } e = 0;

//// long_else_if_chains_of_measured_bits: 1 01010 10100
qubit[5] q; bit[5] c; bit[5] d; bit e; x q[2]; x q[4]; c = measure q; if (c == 3) { d = 1; } else if (c == 7 && c[0]) { d = 2; } else if (c > 19 && !d[1]) { d = 10; c[0] = 0; } else if (c == 20) { d = 4; } else { d = 5; } if (c == 0) { } else if (d == 10) { e = 1; } else { e = 0; }

//// else_if_after_a_closed_inner_if: 10
int n = 2; qubit[2] q; bit[2] c;
if (n == 1) if (n == 2) x q; else x q; else if (n == 2) x q[1]; else x q[0];
c = measure q;

//// a_loose_alias_and_an_old_switch: 10 1 0
qubit a; qubit b; bit c; bit d; bit[2] e; let ab = {a, b}; let cd = {c, d}; x ab[1]; cd = measure ab;
switch (cd) {
  case 0: { x a; }
  break;
  case 1:
  case 2: { x b; }
  break;
  default: {
  }
  break;
}
x ab; e = measure ab; e = ~e; e[0] = 0; e[1] = 1;

//// arrays_joined: 1
array[int[8], 2] a = {0, 1}; array[int[8], 3] b = {2, 3, 4};
array[int[8], 5] both = a ++ b; array[int[8], 4] twice = a ++ a;
twice[2:3] = b[0:0] ++ a[1:1];
qubit q; bit c;
if (both[4] == 4 && both[1] == 1 && twice[1] == 1 && twice[2] == 2 && twice[3] == 1) { x q; }
c = measure q;

//// registers_joined: 0101 01 01
qubit[2] q; bit[2] a; bit[2] b; bit[4] c; x q[0]; a = measure q; b = measure q; c = b ++ a;

//// absolute_values: 1
int[8] n = -3; qubit q; bit c; if (abs(n) == 3 && abs(-2.5) == 2.5 && abs(4) == 4 && abs(-n) == 3 && ln(euler) == log(ℇ) && ln(1) == 0) { x q; } c = measure q;

//// pow_function: 1
const int[8] a = 4; const uint[4] n = 3; const float f = pow(a, -2);
qubit q; bit c;
pow(pow(2, 1)) @ sx q;
if (pow(a, n) == 64 && f == 0.0625) { rx(pow(2, n) * pi) q; }
c = measure q;

//// durations: 1
duration a = 500ns; qubit q; bit c; delay[3μs] q; delay[3 μs] q; delay[3µs] q;
if (a / 1us == 0.5 && a / 1ns == 500.0 && a / 1s == 5e-7 && 2.3us == 2300ns && 3 * 100ns == 300ns
    && 1000ms == 1s && 1001us > 1ms) { x q; }
c = measure q;

//// micro: 1
float μs = pi; qubit q; bit c; delay[3 μs] q; rx(μs) q; c = measure q;

//// untyped_loops: 111
qubit[3] q; bit[3] c;
for i in [0:1] { x q[i]; } for _ in {1, -3, 5} { x q[2]; } array[int, 2] n = {0, 1}; for int i in {n[0], n[1]} { y q[i]; y q[i]; }
c = measure q;

//// narrowed: 1
bit[3] b = "110"; uint[2] m = uint[2](b); bit[70] wide; wide[3] = 1; int n = wide;
qubit q; output bit c;
if (m == 2 && n == 8) { x q; }
c = measure q;

//// array_part_of_a_part: 1
array[int[8], 2, 2] a = {{1, 2}, {3, 4}};
array[int[8], 2] b = {5, 6};
a[0:1][0] = b;
a[0:1, 1] = b;
qubit q;
bit c;
if (a[0, 0] == 5 && a[0, 1] == 5 && a[1, 0] == 3 && a[1, 1] == 6) { x q; }
c = measure q;

//// constant_bits_joined_and_aliased: 1010 1001 10
const bit[4] a = "1100";
const bit z = 1;
qubit[2] q; bit[2] m; bit[4] c; bit[4] d;
x q[1]; m = measure q;
let w = a[2:3] ++ a[{0, 1}];
c = ~m ++ m;
d = w ^ (z ++ a[0] ++ m);

//// open_ranges: 0001
qubit[4] q; bit[4] c; x q[:1]; x q[1:]; x q[:-1:2]; x q[2:1]; c = measure q;

//// an_empty_part_of_an_array: 1
array[int, 4] a = {1, 2, 3, 4}; a[2:1] = a[3:2]; array[int, 2] b = a[2:-1:1]; qubit q; bit c; if (a[2] == 3 && b[1] == 2) { x q; } c = measure q;

//// truth_of_numbers: 110
int n = 0; uint[4] m = 2; float f = 0.5; qubit[3] q; bit[3] c; if (n) { x q[0]; } if (m) { x q[1]; } if (f) { x q[2]; } c = measure q;

//// a_variable_changes_between_gates: 1
float f = pi; qubit q; bit c; rx(f) q; f = 0; rx(f) q; c = measure q;

//// names_that_end_as_constants_do: 0
const float θpi = 0; qubit q; bit c; rx(θpi) q; c = measure q;

//// measured_into_variables: 1 11
qubit[2] q; bool b; uint[2] n; x q; b = measure q[0]; n = measure q; bit[2] c; c = n; bit d = b;

//// resets_and_delays_beside_what_measurements_decide: 1
qubit q; bit c; h q; reset q; c = measure q; delay[5ns] q; int n = c; if (n == 0 && c < 0.5) { x q; } c = measure q;

//// phases_of_gates_show_under_control: 11
gate squared a { pow(2) @ gphase(pi / 2); } gate back a { inv @ gphase(pi); }
qubit[3] q; bit[2] c; h q[0:1]; ctrl @ squared q[0], q[2]; ctrl @ back q[1], q[2]; h q[0:1]; c = measure q[0:1];

//// phases_of_gates_show_on_paths: 0 1
gate turn a { gphase(pi); }
qubit[2] q; bit c; bit m; m = measure q[1]; int n = m; h q[0]; ctrl @ turn q[0], q[1]; h q[0]; c = measure q[0];

//// whole_powers_of_a_wide_gate: 1001
gate wide a, b, c, d { h a; s a; h a; sx b; x c; }
qubit[4] q; bit[4] m; pow(3) @ wide q[0], q[1], q[2], q[3]; pow(-1) @ wide q[0], q[1], q[2], q[3];
sx q[1]; sx q[1]; x q[3]; pow(0) @ wide q[3], q[2], q[1], q[0]; m = measure q;

//// signs_before_bits: 1 1
const bit one = 1; const bit[3] b = "011"; qubit q; bit c; bit d; x q; c = measure q; d = ~one; int n = c;
if (~c) { d = 0; } d = n + d == 1 && -b == -3 && int[2](b[0:1]) == 3;

//// an_array_in_a_measured_branch: 1 1
qubit[2] q; bit c; bit d; x q[0]; array[int, 2] n = {0, 0}; c = measure q[0];
if (c) { n[1] = 1; } else { n[0] = 1; } if (n[1] == 1 && n[0] == 0) { x q[1]; } d = measure q[1];

//// a_subroutine_that_is_not_asked: 000 1
def f(qubit a) -> bit { x a; return measure a; }
qubit[4] q; bit c; bit[3] d; x q[3]; c = measure q[3];
if (c) { } else if (f(q[0])) { y q; } if (!c && f(q[1])) { y q; } d[0] = c || f(q[2]);
if ((false && f(q[0])) || !(true || f(q[1]))) { y q; } d = measure q[0:2];

//// measured_numbers_and_negative_ones: 1 0 0000000000000000000000000000000000000000000000000000000000000000
qubit q; bit[64] b; bit c; bit d; b[0] = measure q; c = uint[64](b) > -1; d = uint[8](b[0:7]) > -1 && b[0] != -1 && !(-1 > b[0]);

//// a_measured_number_widens: 1 10
qubit[2] q; bit[2] c; bit d; x q[1]; c = measure q; d = ~uint[4](c) == 13;

//// a_measured_number_narrows: 1 10
qubit[2] q; bit[2] c; bit d; x q[1]; c = measure q; d = uint[1](c) == 0;

//// an_if_before_what_measurements_decide: 0 0
qubit q; bit c; bit d; if (c == 1) x q; d = measure q; int n = d; if (n == 1) { c = 1; }
