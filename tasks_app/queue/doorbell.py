"""The message that rings for a task, and the queues that it goes to: one for each backend."""

from typing import Any

import dramatiq
from dramatiq.common import xq_name

from tasks_app.circuits.backend import DEFAULT_BACKEND

QUEUE = "quantum_tasks"  # the default backend's
DEAD_LETTER_QUEUE = xq_name(QUEUE)
LOOKOUT = "lookout"  # of a worker itself, see there
RUN_TASK = "run_task"


def queue_of(backend: str) -> str:
    """The queue whose messages say that there is work for this backend."""
    return QUEUE if backend == DEFAULT_BACKEND else f"{QUEUE}.{backend}"


def backend_of(queue: str) -> str:
    return DEFAULT_BACKEND if queue == QUEUE else queue.removeprefix(f"{QUEUE}.")


def doorbell(
    task_id: object, correlation_id: str, backend: str = DEFAULT_BACKEND
) -> dramatiq.Message[None]:
    return dramatiq.Message(
        queue_name=queue_of(backend),
        actor_name=RUN_TASK,
        args=(str(task_id),),
        kwargs={} if backend == DEFAULT_BACKEND else {"backend": backend},
        options={"correlation_id": correlation_id},
    )


def is_doorbell(message: Any, queue: str) -> bool:
    """Whether a decoded message of this queue is one that `ring` could have sent.

    A message that is not can end the worker thread that gets it: by a queue name without a
    consumer, or options of types that Dramatiq does not expect.
    """
    return (
        (message.queue_name, message.actor_name) == (queue, RUN_TASK)
        and len(message.args) == 1
        and isinstance(message.kwargs, dict)
        and message.kwargs.keys() <= {"backend"}
        and queue_of(str(message.kwargs.get("backend", DEFAULT_BACKEND))) == queue
        and isinstance(message.options, dict)
        and message.options.keys() <= {"correlation_id"}
    )
