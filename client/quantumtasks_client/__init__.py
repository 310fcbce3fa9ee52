"""A client of Quantum Tasks, the self-hosted service that runs quantum circuits.

>>> from quantumtasks_client import Client
>>> client = Client("http://localhost:8001")
>>> client.wait(client.submit(circuit, shots=1000)).counts
"""

from quantumtasks_client.asynchronous import AsyncClient
from quantumtasks_client.client import Client
from quantumtasks_client.errors import (
    ApiError,
    Conflict,
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidRequest,
    LimitExceeded,
    LimitReached,
    NotAuthenticated,
    NotConfigured,
    NotEnded,
    NotFound,
    NothingToRetry,
    NotPermitted,
    OptionsError,
    ProgramError,
    QuantumTasksError,
    ServiceFault,
    ServiceUnavailable,
    ServiceUnreachable,
    TaskCancelled,
    TaskError,
    TaskFailed,
    WaitTimeout,
)
from quantumtasks_client.models import (
    Batch,
    BatchElement,
    BatchResult,
    BatchSubmission,
    HistoryEntry,
    Queue,
    Result,
    Submission,
    Task,
    TaskSummary,
)

__all__ = [
    "ApiError",
    "AsyncClient",
    "Batch",
    "BatchElement",
    "BatchResult",
    "BatchSubmission",
    "Client",
    "Conflict",
    "HistoryEntry",
    "IdempotencyKeyReused",
    "IllegalTransition",
    "InvalidRequest",
    "LimitExceeded",
    "LimitReached",
    "NotAuthenticated",
    "NotConfigured",
    "NotEnded",
    "NotFound",
    "NotPermitted",
    "NothingToRetry",
    "OptionsError",
    "ProgramError",
    "QuantumTasksError",
    "Queue",
    "Result",
    "ServiceFault",
    "ServiceUnavailable",
    "ServiceUnreachable",
    "Submission",
    "Task",
    "TaskCancelled",
    "TaskError",
    "TaskFailed",
    "TaskSummary",
    "WaitTimeout",
]
