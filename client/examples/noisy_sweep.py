# %% [markdown]
# # How noise eats an oscillation
#
# The same sweep with more and more depolarizing noise, drawn to a file. `noise` is an option of
# the service; the jobs run side by side.

# %%
import sys

import matplotlib.pyplot as plt
import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from quantumtasks_client.qiskit import QuantumTasksProvider, SamplerV2

file = sys.argv[1] if len(sys.argv) > 1 else "noisy_sweep.png"
backend = QuantumTasksProvider().get_backend()

# %%
theta = Parameter("θ")
circuit = QuantumCircuit(2)
circuit.ry(theta, 0)
for _ in range(10):  # which do nothing but collect noise
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.barrier()
circuit.measure_all()

angles = np.linspace(0, 4 * np.pi, 49)
jobs = {
    strength: SamplerV2(backend, options={"noise": {"depolarizing_2q": strength}}).run(
        [(circuit, angles)], shots=1000
    )
    for strength in (0.0, 0.01, 0.03, 0.1)
}

# %%
for strength, job in jobs.items():
    bits = job.result()[0].data.meas
    ones = [
        bits.slice_bits([0]).get_counts(place).get("1", 0) / 1000 for place in range(len(angles))
    ]
    contrast = max(ones) - min(ones)
    print(f"depolarizing {strength:.2f}: contrast {contrast:.2f}")
    plt.plot(angles / np.pi, ones, marker=".", label=f"{strength:g}")

plt.xlabel("θ / π")
plt.ylabel("probability of 1")
plt.legend(title="depolarizing_2q")
plt.savefig(file, dpi=150)
print("Drawn to", file)
