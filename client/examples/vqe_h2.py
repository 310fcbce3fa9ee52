# %% [markdown]
# # The ground state of H₂ by VQE
#
# The Hamiltonian of molecular hydrogen at 0.735 Å, in the basis STO-3G, mapped to two qubits by
# parity: its lowest eigenvalue is the electronic energy. Each step of the optimiser asks the
# service's `EstimatorV2` for one energy.

# %%
import numpy as np
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from quantumtasks_client.qiskit import EstimatorV2, QuantumTasksProvider

hamiltonian = SparsePauliOp.from_list(
    [
        ("II", -1.052373245772859),
        ("IZ", 0.39793742484318045),
        ("ZI", -0.39793742484318045),
        ("ZZ", -0.01128010425623538),
        ("XX", 0.18093119978423156),
    ]
)
exact = np.linalg.eigvalsh(hamiltonian.to_matrix())[0]

# %%
backend = QuantumTasksProvider().get_backend()
estimator = EstimatorV2(backend)  # exact values, unless `default_precision` says otherwise
ansatz = efficient_su2(2, reps=1)
energies: list[float] = []


def energy(angles: np.ndarray) -> float:
    (result,) = estimator.run([(ansatz, hamiltonian, angles)]).result()
    energies.append(float(result.data.evs))
    return energies[-1]


# %%
start = np.random.default_rng(3).uniform(-0.1, 0.1, ansatz.num_parameters)
found = minimize(energy, start, method="COBYLA", options={"maxiter": 120, "rhobeg": 0.5})

print(f"{len(energies)} evaluations")
print(f"VQE    {found.fun:.5f} hartree")
print(f"exact  {exact:.5f} hartree")
print(f"error  {found.fun - exact:.5f} hartree")
