"""What a notebook does with the IBM Runtime client; it prints what it found as JSON.

Run with the interpreter of an environment that has the client, URL and token as arguments.
"""

import json
import math
import sys
from typing import Any

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager
from qiskit_ibm_runtime import Batch, EstimatorV2, SamplerV2, Session
from qiskit_ibm_runtime.exceptions import IBMRuntimeError
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_sampler import Sampler

from quantumtasks_client import runtime_service

SHOTS = 2_000


def turned() -> QuantumCircuit:
    """Registers and parameters whose order is not that of their names."""
    circuit = QuantumCircuit(
        QuantumRegister(2), ClassicalRegister(1, "z"), ClassicalRegister(1, "a")
    )
    circuit.rx(Parameter("y"), 0)
    circuit.rx(Parameter("x"), 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def counted(result: Any) -> list[dict[str, int]]:
    """Of the register of the qubit that `y` turns, for each set."""
    field = result[0].data.z
    return [dict(sorted(field.get_counts(place).items())) for place in range(field.shape[0])]


service = runtime_service(sys.argv[1], sys.argv[2])
backend = service.least_busy(operational=True, simulator=False)
passes = generate_preset_pass_manager(backend=backend, optimization_level=1)
circuit = passes.run(turned())
values = [[0, math.pi], [math.pi, 0], [0, 1]]  # x, y

with Session(backend=backend) as session:
    sampler = SamplerV2(mode=session)
    sampler.options.simulator.seed_simulator = 11
    job = sampler.run([(circuit, values)], shots=SHOTS)
    legacy = counted(job.result())

plain = QuantumCircuit(2)
plain.rx(Parameter("t"), 0)
plain.cx(0, 1)
plain = passes.run(plain)
observables = [SparsePauliOp("IZ"), SparsePauliOp("ZZ"), SparsePauliOp("XY")]
with Batch(backend=backend) as batch:
    estimator = EstimatorV2(mode=batch)
    estimator.options.seed_estimator = 5
    values_of = estimator.run([(plain, observables, [0.7])], precision=0.01).result()[0].data.evs

refused = EstimatorV2(mode=backend)
refused.options.resilience.zne_mitigation = True
try:
    refused.run([(plain, observables, [0.7])])
    why = ""
except IBMRuntimeError as error:
    why = str(error)

executed = Sampler(backend)
twirled = Estimator(backend)
twirled.options.default_shots = 20_000
twirled.options.twirling.enable_gates = True
found = {
    "backend": backend.name,
    "job": job.job_id(),
    "again": counted(service.job(job.job_id()).result()),
    "listed": [each.job_id() for each in service.jobs(session_id=session.session_id)],
    "closed": session.status(),
    "legacy": legacy,
    "estimated": values_of.tolist(),
    "refused": why,
    "executor": counted(executed.run([(circuit, values)], shots=SHOTS).result()),
    "twirled": twirled.run([(plain, observables, [0.7])]).result()[0].data.evs.tolist(),
}
print(json.dumps(found))
