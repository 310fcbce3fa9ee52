# %% [markdown]
# # MaxCut by QAOA
#
# Colour the corners of a graph with two colours so that as many edges as possible join two
# colours. A grid of angles is one PUB of the estimator, and so one task; the best angles are then
# sampled.

# %%
import numpy as np
from qiskit.circuit.library import qaoa_ansatz
from qiskit.quantum_info import SparsePauliOp

from quantumtasks_client.qiskit import EstimatorV2, QuantumTasksProvider, SamplerV2

edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2)]
corners = 5
cost = SparsePauliOp.from_sparse_list([("ZZ", edge, 1.0) for edge in edges], corners)


def cut(colours: str) -> int:
    return sum(colours[-1 - a] != colours[-1 - b] for a, b in edges)


# %%
backend = QuantumTasksProvider().get_backend()
ansatz = qaoa_ansatz(cost, reps=1)
print("Parameters:", [parameter.name for parameter in ansatz.parameters])

betas, gammas = np.linspace(0, np.pi, 20), np.linspace(0, 2 * np.pi, 40)
grid = np.stack(np.meshgrid(betas, gammas, indexing="ij"), axis=-1)  # shape (20, 40, 2)
(landscape,) = EstimatorV2(backend).run([(ansatz, cost, grid)]).result()
best = np.unravel_index(np.argmin(landscape.data.evs), landscape.data.evs.shape)
expected = (len(edges) - landscape.data.evs[best]) / 2
print(
    f"Best of {grid.shape[0] * grid.shape[1]} pairs of angles: {expected:.2f} edges cut on average"
)

# %%
measured = ansatz.copy()
measured.measure_all()
(samples,) = SamplerV2(backend).run([(measured, grid[best])], shots=2000).result()
counts = samples.data.meas.get_counts()
winner = max(counts, key=cut)
print(f"Best cut sampled: {winner} with {cut(winner)} of {len(edges)} edges")
print("Best there is:", max(cut(f"{number:0{corners}b}") for number in range(2**corners)))
