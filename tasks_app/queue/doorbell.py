"""The message that rings for a task."""

from typing import Any

import dramatiq
from dramatiq.common import xq_name

QUEUE = "quantum_tasks"
DEAD_LETTER_QUEUE = xq_name(QUEUE)
RUN_TASK = "run_task"


def doorbell(task_id: object, correlation_id: str) -> dramatiq.Message[None]:
    return dramatiq.Message(
        queue_name=QUEUE,
        actor_name=RUN_TASK,
        args=(str(task_id),),
        kwargs={},
        options={"correlation_id": correlation_id},
    )


def is_doorbell(message: Any) -> bool:
    """Whether a decoded message is one that `ring` could have sent.

    A message that is not can end the worker thread that gets it: by a queue name without a
    consumer, or options of types that Dramatiq does not expect.
    """
    return (
        (message.queue_name, message.actor_name) == (QUEUE, RUN_TASK)
        and len(message.args) == 1
        and not message.kwargs
        and isinstance(message.options, dict)
        and message.options.keys() <= {"correlation_id"}
    )
