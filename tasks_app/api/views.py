"""The task, batch and queue routes: thin adapters between HTTP and the state machine."""

import re
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import StreamingHttpResponse
from django.urls import get_script_prefix
from django.urls.converters import UUIDConverter
from django.utils.cache import set_response_etag
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from tasks_app import access, json_text, lifecycle, pace, submission
from tasks_app.api import read_task, rerun, schema
from tasks_app.api.auth import AUTHENTICATION, TaskAccess
from tasks_app.api.batch_results import Results
from tasks_app.api.content import NDJSON, compressed, counts_as_csv
from tasks_app.api.errors import ApiError
from tasks_app.api.fields import StrictSerializer, checked, shown
from tasks_app.api.filters import (
    BatchFilterSerializer,
    FilterSerializer,
    filtered,
    filtered_tasks,
    listed,
    page,
)
from tasks_app.api.serializers import BatchSerializer, BatchSummarySerializer, TaskSummarySerializer
from tasks_app.api.submissions import (
    BatchSubmissionSerializer,
    LabelsSerializer,
    SubmissionSerializer,
    new_task,
)
from tasks_app.api.waiting import waiters
from tasks_app.correlation import correlation_id
from tasks_app.models import TERMINAL, Batch, Status, Task
from tasks_app.postgresql.base import renew_deadline

MAX_WAIT_S = 60
_UUID = re.compile(UUIDConverter.regex, re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d+)")


class TaskApiView(APIView):
    """What the routes below share."""

    authentication_classes = AUTHENTICATION
    permission_classes = (TaskAccess,)

    def task(self, request: Request, task_id: str) -> dict[str, Any]:
        """One of them, as it is answered. Raises 400 for what is no id, 404 for an unknown one."""
        task = read_task.task(_uuid(task_id, "task"), access.visibility(request.user))
        if task is None:
            raise NotFound("There is no task with this id.")
        return task

    def stored(self, request: Request, task_id: str) -> Task:
        """One of them with what was submitted. Raises as `task` does."""
        tasks = access.visible_tasks(request.user).select_related("batch").defer("result")
        task = tasks.filter(task_id=_uuid(task_id, "task")).first()
        if task is None:
            raise NotFound("There is no task with this id.")
        return task

    def batch(self, request: Request, batch_id: str) -> tuple[Batch, list[Task]]:
        """Raises 400 for what is no id, 404 for an unknown one."""
        return read_batch(_uuid(batch_id, "batch"), request.user)

    def await_end(self, request: Request, **tasks: uuid.UUID) -> int | None:
        """Wait for the end of these tasks as the client asked; if no place was free, in how many
        seconds it may come back."""
        seconds = _wait_s(request)
        if not seconds:
            return None
        unfinished = access.visible_tasks(request.user).filter(**tasks).unfinished()
        if not unfinished.exists():
            return None
        with waiters.place() as granted:
            if not granted:
                return waiters.return_s()
            waiters.wait(unfinished, seconds=seconds)
        renew_deadline()
        return None

    def cancel(self, request: Request, ids: list[uuid.UUID]) -> list[uuid.UUID]:
        """Cancel what is not terminal; the ids of what was cancelled."""
        return lifecycle.cancel(ids, reason=f"cancelled by {access.name_of(request.user)}")


class TaskViewSet(TaskApiView, ViewSet):
    """Submit, read, cancel and delete tasks."""

    @schema.submit_task
    def create(self, request: Request) -> Response:
        """Accept a circuit. 202 means that it is stored and that it will be run."""
        return self._submitted(request, checked(SubmissionSerializer, request.data))

    @schema.rerun_task
    def rerun(self, request: Request, task_id: str) -> Response:
        """Run a task's circuit again as a new task, with the options that are given changed."""
        origin = self.stored(request, task_id)
        element = rerun.changed(origin, request.data)
        return self._submitted(request, element, rerun_of=origin.task_id)

    def _submitted(self, request: Request, element: Mapping[str, Any], **more: Any) -> Response:
        owner = access.owner_of(request.user)
        task = new_task(element, owner=owner, correlation_id=correlation_id(), **more)
        accepted = submission.accept([task], idempotency=idempotency(request))
        task = accepted.tasks[0]
        body = {
            "task_id": task.task_id,
            "status": task.current_status,
            "submitted_at": task.submitted_at,
            "message": _message(accepted),
            "correlation_id": task.correlation_id,
        }
        return _accepted(accepted, body, _location(request, f"tasks/{task.task_id}"))

    @schema.list_tasks
    def list(self, request: Request) -> Response:
        """Tasks without circuits and results, newest first."""
        wanted = checked(FilterSerializer, listed(request.query_params))
        tasks = filtered_tasks(access.visible_tasks(request.user).without_bodies(), wanted)
        url = request.build_absolute_uri()
        return Response(page(tasks, wanted, url=url, shown_as=TaskSummarySerializer))

    @schema.get_task
    def retrieve(self, request: Request, task_id: str) -> Response:
        """Status, result and history of one task; with `wait`, once it is terminal."""
        retry_after_s = self.await_end(request, task_id=_uuid(task_id, "task"))
        return _later(Response(self.task(request, task_id)), retry_after_s)

    @schema.get_submission
    @method_decorator(gzip_page)
    def submitted(self, request: Request, task_id: str) -> Response:
        """What was submitted: a body that `POST /tasks` takes."""
        body = rerun.submission_of(self.stored(request, task_id))
        return Response(json_text.as_given(body))

    @schema.edit_task
    def partial_update(self, request: Request, task_id: str) -> Response:
        """Change name and tags."""
        labels = checked(LabelsSerializer, request.data)
        task = self.task(request, task_id)
        if labels:
            Task.objects.filter(task_id=task["task_id"]).update(**labels)
        return Response(self.task(request, task_id))

    @schema.delete_task
    def destroy(self, request: Request, task_id: str) -> Response:
        """Delete a terminal task with its history."""
        task = self.task(request, task_id)
        deleted, _ = Task.objects.with_status(*TERMINAL).filter(task_id=task["task_id"]).delete()
        if not deleted:
            raise _conflict(task, "Only a task that has ended can be deleted; cancel it first.")
        Batch.objects.filter(batch_id=task["batch_id"], task=None).delete()  # with its last element
        access.audit(request, "task_deleted", task["task_id"])
        return Response(status=204)

    @schema.cancel_task
    def cancel_one(self, request: Request, task_id: str) -> Response:
        """Cancel a task. One that runs is stopped within two seconds."""
        task = self.task(request, task_id)
        if not self.cancel(request, [task["task_id"]]):
            task = self.task(request, task_id)
            raise _conflict(task, f"The task is {task['status']} and cannot be cancelled.")
        access.audit(request, "task_cancelled", task["task_id"])
        return Response(self.task(request, task_id))

    @schema.get_result
    @method_decorator(gzip_page)
    def result(self, request: Request, task_id: str) -> Response:
        """The result alone, or its counts as CSV; compressed if the client takes gzip."""
        retry_after_s = self.await_end(request, task_id=_uuid(task_id, "task"))
        task = self.task(request, task_id)
        if task["result"] is None:
            error = _conflict(task, f"The task is {task['status']} and has no result.")
            error.retry_after_s = retry_after_s
            raise error
        as_csv = request.accepted_renderer.format == "csv"
        response = Response(_csv(task["result"]) if as_csv else task["result"])
        # Before compression, which makes other bytes each time.
        response.add_post_render_callback(set_response_etag)
        return response


class BatchViewSet(TaskApiView, ViewSet):
    """Submit, read, cancel and retry many tasks together."""

    @schema.submit_batch
    def create(self, request: Request) -> Response:
        """Accept up to 1000 circuits, all or none."""
        values = checked(BatchSubmissionSerializer, request.data)
        owner = access.owner_of(request.user)
        elements = values["elements"]
        shared = {name: values[name] for name in ("name", "tags", "circuit")}
        batch = Batch(owner=owner, size=len(elements), **shared)
        common = {"owner": owner, "correlation_id": correlation_id(), "batch": batch}
        tasks = [
            new_task(element, batch_index=index, **common) for index, element in enumerate(elements)
        ]
        accepted = submission.accept(tasks, batch=batch, idempotency=idempotency(request))
        return _accepted_batch(request, accepted, batch)

    @schema.list_batches
    def list(self, request: Request) -> Response:
        """Batches without their elements, newest first."""
        wanted = checked(BatchFilterSerializer, listed(request.query_params))
        batches = filtered(access.visible_batches(request.user), wanted)
        url = request.build_absolute_uri()
        return Response(page(batches, wanted, url=url, shown_as=BatchSummarySerializer))

    @schema.get_batch
    def retrieve(self, request: Request, batch_id: str) -> Response:
        """Counts by status, and each element's id and status; with `wait`, once all have ended."""
        retry_after_s = self.await_end(request, batch_id=_uuid(batch_id, "batch"))
        return _later(Response(_batch_body(*self.batch(request, batch_id))), retry_after_s)

    @schema.get_batch_results
    def results(self, request: Request, batch_id: str) -> StreamingHttpResponse:
        """What came of each element, a line for each, in order."""
        lines = Results(_uuid(batch_id, "batch"), access.visibility(request.user))
        if not lines:
            raise NotFound("There is no batch with this id.")
        response = StreamingHttpResponse(lines, content_type=NDJSON)
        return compressed(response, request.META.get("HTTP_ACCEPT_ENCODING", ""))

    @schema.cancel_batch
    def cancel_all(self, request: Request, batch_id: str) -> Response:
        """Cancel every element that has not ended."""
        batch, tasks = self.batch(request, batch_id)
        self.cancel(request, [t.task_id for t in tasks if t.current_status not in TERMINAL])
        access.audit(request, "batch_cancelled", batch.batch_id)
        return Response(_batch_body(*self.batch(request, batch_id)))

    @schema.retry_batch
    def retry(self, request: Request, batch_id: str) -> Response:
        """Submit the failed elements again, as new tasks in their places."""
        checked(StrictSerializer, request.data or {})  # lest somebody think that options changed
        batch, _ = self.batch(request, batch_id)
        accepted = submission.retry(
            batch, correlation_id=correlation_id(), idempotency=idempotency(request)
        )
        return _accepted_batch(request, accepted, batch)


class QueueView(TaskApiView):
    """The queue as a whole."""

    @schema.get_queue
    def get(self, request: Request) -> Response:
        """How long it is, who works on it, and how fast."""
        return Response({"pending": pace.pending(), **pace.pace()})


def read_batch(
    batch_id: uuid.UUID, user: AbstractBaseUser | AnonymousUser | None
) -> tuple[Batch, list[Task]]:
    """A batch and its elements in order, each the latest task at its position.

    Raises `NotFound` where the user may know of no such batch.
    """
    tasks = access.visible_tasks(user).filter(batch_id=batch_id).without_bodies()
    latest = {task.batch_index: task for task in tasks.order_by("batch_index", "task_id")}
    batch = Batch.objects.filter(batch_id=batch_id).defer("circuit").first()
    if batch is None or not latest:
        raise NotFound("There is no batch with this id.")
    return batch, list(latest.values())


def _uuid(text: str, what: str) -> uuid.UUID:
    # One spelling only: Python would also take urn:uuid:, braces and underscores.
    if not _UUID.fullmatch(text):
        raise ApiError(400, f"invalid_{what}_id", f"The {what} id is not a UUID.")
    return uuid.UUID(text)


def idempotency(request: Request) -> submission.Idempotency | None:
    """The client's key, if it sent one. Raises ApiError for what is none."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        sentence = "Idempotency-Key must be 1 to 255 printable ASCII characters."
        raise ApiError(400, "invalid_idempotency_key", sentence)
    requester = access.owner_of(request.user)
    return submission.Idempotency.of(requester, key, request.path.rstrip("/"), request.data)


def _wait_s(request: Request) -> int:
    """Seconds to wait, from `?wait=` or `Prefer: wait=`, at most `MAX_WAIT_S`."""
    text = request.query_params.get("wait")
    if text is None:
        preferred = _PREFER_WAIT.search(request.META.get("HTTP_PREFER", ""))
        return min(int(preferred[1][:6]), MAX_WAIT_S) if preferred else 0
    if not (text.isascii() and text.isdigit()):
        raise ApiError(400, "validation_error", "wait must be a whole number of seconds.")
    return min(int(text[:6]), MAX_WAIT_S)


def _csv(result: orjson.Fragment) -> str:
    text = counts_as_csv(orjson.loads(orjson.dumps(result)))  # a fragment shows its text only so
    if text is None:
        raise ApiError(409, "no_counts", "The result has no counts; ask for it as JSON.")
    return text


def _later(response: Response, retry_after_s: int | None) -> Response:
    if retry_after_s is not None:
        response["Retry-After"] = str(retry_after_s)
    return response


def _message(accepted: submission.Accepted) -> str:
    what = "Batch accepted" if accepted.batch else "Task accepted"
    if accepted.replayed:
        return "This request was accepted before; nothing was submitted again."
    return f"{what}; it runs when the queue is back." if accepted.queue_down else f"{what}."


def _location(request: Request, path: str) -> str:
    """What `reverse` would find, without a search through the routes."""
    return f"{request.scheme}://{request.get_host()}{get_script_prefix()}{path}"


def _accepted(accepted: submission.Accepted, body: Any, location: str) -> Response:
    response = Response(body, status=202, headers={"Location": location})
    if accepted.replayed:
        response["Idempotent-Replayed"] = "true"
    return response


def _accepted_batch(request: Request, accepted: submission.Accepted, batch: Batch) -> Response:
    batch = accepted.batch or batch
    body = {
        "batch_id": batch.batch_id,
        "task_ids": [task.task_id for task in accepted.tasks],
        "message": _message(accepted),
        "correlation_id": accepted.tasks[0].correlation_id,
    }
    return _accepted(accepted, body, _location(request, f"batches/{batch.batch_id}"))


def _batch_body(batch: Batch, tasks: list[Task]) -> Any:
    counts = Counter(task.current_status for task in tasks)
    batch.counts = {value: counts[value] for value in Status.values}  # type: ignore[attr-defined]
    batch.tasks = tasks  # type: ignore[attr-defined]  # for this answer only
    return shown(BatchSerializer, batch)


def _conflict(task: Mapping[str, Any], sentence: str) -> ApiError:
    return ApiError(409, "illegal_transition", sentence, details={"status": task["status"]})
