"""What a Slurm job does through QRMI; it prints what it found as JSON.

Where the resource is stands in the environment, as the SPANK plugin writes it.
"""

import json
import math
import os
import sys
import time
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager
from qrmi import Payload, QuantumResource, ResourceType, TaskStatus
from qrmi.primitives.ibm import SamplerV2, get_backend

BELL = (
    'OPENQASM 3.0; include "stdgates.inc"; bit[2] c; '
    "h $0; cx $0, $1; c[0] = measure $0; c[1] = measure $1;"
)
GOING = (TaskStatus.Queued, TaskStatus.Running)


def ended(resource: QuantumResource, task: str) -> str:
    """A task's status once it has ended."""
    while resource.task_status(task) in GOING:
        time.sleep(0.1)
    return str(resource.task_status(task))


def life(resource: QuantumResource) -> dict[str, Any]:
    """From acquiring to releasing."""
    token = resource.acquire()
    params = {"pubs": [[BELL, None, 100]], "version": 2, "support_qiskit": True}
    payload = Payload.QiskitPrimitive(input=json.dumps(params), program_id="sampler")
    task = resource.task_start(payload)
    told = {
        "accessible": resource.is_accessible(),
        "task": task,
        "status": ended(resource, task),
        "result": json.loads(resource.task_result(task).value)["__type__"],
        "sampled": sampled(resource),
    }
    resource.task_stop(task)
    resource.release(token)
    return told


def sampled(resource: QuantumResource) -> list[dict[str, int]]:
    """By its own sampler, for its own backend."""
    circuit = QuantumCircuit(2)
    circuit.rx(Parameter("b"), 0)
    circuit.rx(Parameter("a"), 1)
    circuit.measure_all()
    passes = generate_preset_pass_manager(backend=get_backend(resource), optimization_level=1)
    values = [[0, math.pi], [math.pi, 0]]  # a, b
    (pub,) = SamplerV2(resource).run([(passes.run(circuit), values)], shots=10).result()
    return [pub.data.meas.get_counts(place) for place in range(2)]


kind = getattr(ResourceType, sys.argv[1])
print(json.dumps(life(QuantumResource(os.environ["SLURM_JOB_QPU_RESOURCES"], kind))))
