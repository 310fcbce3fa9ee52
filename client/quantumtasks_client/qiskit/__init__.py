"""The service as a backend of Qiskit, and primitives that it runs.

>>> from quantumtasks_client.qiskit import QuantumTasksProvider, SamplerV2
>>> backend = QuantumTasksProvider("http://localhost:8001").get_backend()
>>> SamplerV2(backend).run([circuit]).result()[0].data.meas.get_counts()
"""

from quantumtasks_client.qiskit.backend import QuantumTasksBackend
from quantumtasks_client.qiskit.following import NotFromQiskit
from quantumtasks_client.qiskit.job import QuantumTasksJob
from quantumtasks_client.qiskit.primitives import (
    EstimatorOptions,
    EstimatorV2,
    QuantumTasksPrimitiveJob,
    SamplerOptions,
    SamplerV2,
)
from quantumtasks_client.qiskit.provider import QuantumTasksProvider

__all__ = [
    "EstimatorOptions",
    "EstimatorV2",
    "NotFromQiskit",
    "QuantumTasksBackend",
    "QuantumTasksJob",
    "QuantumTasksPrimitiveJob",
    "QuantumTasksProvider",
    "SamplerOptions",
    "SamplerV2",
]
