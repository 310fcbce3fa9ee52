# %% [markdown]
# # A device with its noise
#
# The service simulates devices from their calibration. They are backends like the ideal simulator:
# a circuit may be sent as it is, and the service places it, or transpiled for the device, and then
# it stays where the transpiler put it.

# %%
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.quantum_info import SparsePauliOp

from quantumtasks_client.qiskit import EstimatorV2, QuantumTasksProvider, SamplerV2

provider = QuantumTasksProvider()
for backend in provider.backends():
    print(backend.name, "·", backend.description)

ideal, device = provider.get_backend("aer"), provider.get_backend("noisy_line5")

# %% [markdown]
# ## Sent as it is

# %%
ghz = QuantumCircuit(3)
ghz.h(0)
ghz.cx(0, [1, 2])
measured = ghz.measure_all(inplace=False)

for backend in (ideal, device):
    job = SamplerV2(backend, options={"seed_simulator": 7}).run([measured], shots=4000)
    counts = job.result()[0].data.meas.get_counts()
    share = (counts["000"] + counts["111"]) / 4000
    print(f"{backend.name}: {share:.3f} of the shots are 000 or 111")

# %% [markdown]
# ## Transpiled for the device
#
# `target`, `coupling_map` and the errors of its gates are the device's. Observables follow the
# circuit by `apply_layout`, as everywhere in Qiskit.

# %%
print("Couplings:", sorted(device.coupling_map.get_edges()))
parity = SparsePauliOp(["XXX"])
for places in ([1, 0, 2], [0, 4, 2]):
    passes = generate_preset_pass_manager(2, device, initial_layout=places, seed_transpiler=1)
    placed = passes.run(ghz)
    pub = (placed, parity.apply_layout(placed.layout))
    value = EstimatorV2(device).run([pub]).result()[0].data.evs
    print(f"on qubits {places}: {placed.count_ops()['cx']} cx, ⟨XXX⟩ = {value:.3f}")
