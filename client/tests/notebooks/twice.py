"""One circuit, submitted twice on purpose; it prints both jobs and how many there are, as JSON."""

import json
import sys

from qiskit import QuantumCircuit
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager
from qiskit_ibm_runtime import SamplerV2

from quantumtasks_client import runtime_service

service = runtime_service(sys.argv[1], sys.argv[2])
backend = service.least_busy()
circuit = QuantumCircuit(1)
circuit.h(0)
circuit.measure_all()
sampler = SamplerV2(backend)
sampler.options.environment.job_tags = ["twice"]
circuit = generate_preset_pass_manager(backend=backend, optimization_level=1).run(circuit)
jobs = [sampler.run([circuit]) for _ in range(2)]
listed = service.jobs(job_tags=["twice"])
print(json.dumps([[job.job_id() for job in jobs], [job.job_id() for job in listed]]))
