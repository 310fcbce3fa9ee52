"""The task routes: thin adapters between HTTP and `lifecycle`."""

import uuid

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import ViewSet

from tasks_app import broker, lifecycle
from tasks_app.api import errors
from tasks_app.api.correlation import correlation_id
from tasks_app.api.serializers import (
    AcceptedSerializer,
    ErrorSerializer,
    SubmissionSerializer,
    TaskSerializer,
)
from tasks_app.models import Task
from tasks_app.publisher import QueueUnavailable

BELL = """\
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""


class TaskViewSet(ViewSet):
    """Submit and read tasks."""

    @extend_schema(
        operation_id="submit_task",
        summary="Submit a circuit",
        request=SubmissionSerializer,
        responses={202: AcceptedSerializer, **dict.fromkeys((400, 413, 415, 503), ErrorSerializer)},
        examples=[
            OpenApiExample("Bell state", {"circuit": BELL, "shots": 1024}, request_only=True)
        ],
    )
    def create(self, request: Request) -> Response:
        """Accept a circuit. 202 means that it is stored and that it will be run."""
        submission = SubmissionSerializer(data=request.data)
        submission.is_valid(raise_exception=True)
        task = lifecycle.submit(**submission.validated_data, correlation_id=correlation_id())
        message = self._ring(task)
        accepted = AcceptedSerializer(
            {
                "task_id": task.task_id,
                "status": task.current_status,
                "submitted_at": task.submitted_at,
                "message": message,
                "correlation_id": task.correlation_id,
            }
        )
        location = reverse("task-detail", args=[task.task_id], request=request)
        return Response(
            accepted.data, status=status.HTTP_202_ACCEPTED, headers={"Location": location}
        )

    def _ring(self, task: Task) -> str:
        """Tell the workers. Raises 503, with the task withdrawn, if the queue does not confirm."""
        try:
            broker.ring(task.task_id, correlation_id=task.correlation_id)
        except QueueUnavailable:
            if settings.QUEUE_DOWN_POLICY == "accept":
                return "Task accepted; it runs when the queue is back."
            if lifecycle.withdraw(task.task_id):
                raise errors.queue_unavailable() from None
            # Not pending any more: the message arrived, and a worker has it.
        return "Task accepted."

    @extend_schema(
        operation_id="get_task",
        summary="Read a task",
        parameters=[OpenApiParameter("task_id", uuid.UUID, OpenApiParameter.PATH)],
        responses={200: TaskSerializer, **dict.fromkeys((400, 404, 503), ErrorSerializer)},
    )
    def retrieve(self, request: Request, task_id: str) -> Response:
        """Status, result and history of one task."""
        try:
            wanted = uuid.UUID(task_id)
        except ValueError:
            raise errors.ApiError(
                "The task id is not a UUID.",
                code="invalid_task_id",
                status_code=status.HTTP_400_BAD_REQUEST,
            ) from None
        tasks = Task.objects.defer("circuit").prefetch_related("history")
        task = tasks.filter(task_id=wanted).first()
        if task is None:
            raise NotFound("There is no task with this id.")
        return Response(TaskSerializer(task).data)
