# %% [markdown]
# # Sampling with Qiskit
#
# Needs `pip install 'quantumtasks-client[qiskit]'`, and a service: `make run` starts one on
# http://localhost:8001. Set `QUANTUMTASKS_URL`, or log in with `qtasks login`.

# %%
import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from quantumtasks_client.qiskit import QuantumTasksProvider, SamplerV2

provider = QuantumTasksProvider()
backend = provider.get_backend()

# %% [markdown]
# A backend runs circuits, as every backend of Qiskit does.

# %%
ghz = QuantumCircuit(3)
ghz.h(0)
ghz.cx(0, [1, 2])
ghz.measure_all()

job = backend.run(ghz, shots=1000)
print("GHZ state:", job.result().get_counts())

# %% [markdown]
# The job's id is the service's: what was submitted today can be read tomorrow, from anywhere.

# %%
again = provider.job(job.job_id())
print("The same job:", again.result().get_counts())

# %% [markdown]
# A sampler takes a circuit with many values of its parameters: one task, compiled once.

# %%
theta = Parameter("θ")
rotation = QuantumCircuit(1)
rotation.ry(theta, 0)
rotation.measure_all()

angles = np.linspace(0, np.pi, 7)
sampler = SamplerV2(backend, options={"seed_simulator": 7})
(result,) = sampler.run([(rotation, angles)], shots=2000).result()
for place, angle in enumerate(angles):
    ones = result.data.meas.get_counts(place).get("1", 0) / 2000
    print(f"θ = {angle:.2f}: measured {ones:.3f}, expected {np.sin(angle / 2) ** 2:.3f}")
