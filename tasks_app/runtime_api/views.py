"""The routes of jobs."""

from typing import Any

import orjson
from django.db import transaction
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import access, json_text, submission
from tasks_app.api import query
from tasks_app.api.errors import ApiError
from tasks_app.api.fields import BoundedListField, StrictSerializer, StrictTextField, checked
from tasks_app.api.submissions import LabelsSerializer
from tasks_app.correlation import correlation_id
from tasks_app.models import TERMINAL, Batch, StatusHistory, Task
from tasks_app.runtime_api import jobs, repetition
from tasks_app.runtime_api.arrays import invalid
from tasks_app.runtime_api.backends import backend
from tasks_app.runtime_api.jobs import Job
from tasks_app.runtime_api.sessions import accepting
from tasks_app.runtime_api.view import RuntimeView, uuid_of

MAX_PAGE = 200
_TEXT = "text/plain; charset=utf-8"
_IGNORED = {"log_level", "runtime", "cost"}
"""How it is logged, in which image it runs, and when it should be stopped."""
_REFUSED = ("private", "start_session", "session_time", "calibration_id")
_FIELDS = {"program_id", "backend", "params", "tags", "session_id", *_IGNORED, *_REFUSED}


class JobFilterSerializer(StrictSerializer):
    """Query parameters of the list of jobs."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, required=False)
    offset = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    backend = serializers.CharField(required=False)
    program = serializers.CharField(required=False)
    pending = serializers.BooleanField(required=False)
    tags = BoundedListField(
        child=serializers.CharField(trim_whitespace=False), max_length=32, required=False
    )
    session_id = serializers.CharField(required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    sort = serializers.ChoiceField(choices=["ASC", "DESC"], required=False)
    exclude_params = serializers.BooleanField(required=False)
    include_mocks = serializers.BooleanField(required=False)


class TagsSerializer(StrictSerializer):
    """The tags that a job shall have."""

    tags = BoundedListField(child=StrictTextField(max_length=64), max_length=32)


class JobsView(RuntimeView):
    """`GET /jobs`, `POST /jobs`."""

    def post(self, request: Request) -> Response:
        """Accept a job: its tasks are stored, and will be run."""
        body = request.data
        if not isinstance(body, dict):
            raise invalid("A job is an object.")
        _check_fields(body)
        program, params = body.get("program_id"), body.get("params")
        if not isinstance(program, str) or program not in jobs.PROGRAMS:
            known = ", ".join(jobs.PROGRAMS)
            raise NotFound(f"There is no program {program!r:.80}; there are {known}.")
        if not isinstance(params, dict):
            raise invalid("params is an object.")
        where = backend(str(body.get("backend") or ""))
        job, tasks = jobs.make(
            program,
            params,
            tags=checked(LabelsSerializer, {"tags": body.get("tags") or []})["tags"],
            owner=access.owner_of(request.user),
            correlation_id=correlation_id(),
            backend=where,
            session=accepting(request, body.get("session_id")),
        )
        accepted = submission.accept(
            tasks, batch=job.batch, idempotency=repetition.key_of(request), rows=[job]
        )
        batch = accepted.batch or job.batch
        response = Response({"id": batch.batch_id, "backend": where.name, "private": False})
        repetition.mark(request, response)
        return response

    @query.takes_these(*JobFilterSerializer().fields)
    def get(self, request: Request) -> Response:
        """A page of jobs, newest first unless asked otherwise."""
        given = request.query_params
        wanted = checked(
            JobFilterSerializer,
            {name: given.getlist(name) if name == "tags" else given[name] for name in given},
        )
        found = _filtered(jobs.visible(request), wanted)
        order = ("batch__submitted_at", "pk")
        if wanted.get("sort") != "ASC":
            order = tuple(f"-{name}" for name in order)  # type: ignore[assignment]
        limit, offset = wanted.get("limit", MAX_PAGE), wanted.get("offset", 0)
        rows = found.defer("params", "parts").order_by(*order)[offset : offset + limit]
        page = jobs.told(rows)
        body = {"jobs": list(map(shown, page)), "count": found.count()}
        return Response(body | {"limit": limit, "offset": offset})


def _check_fields(body: dict[str, Any]) -> None:
    if unknown := sorted(body.keys() - _FIELDS):
        raise invalid(f"A job has no field {unknown[0]!r:.80}.")
    for name in _REFUSED:
        if body.get(name):
            raise invalid(f"Not supported: {name}.")


def _filtered(found: Any, wanted: dict[str, Any]) -> Any:
    lookups = {
        "backend": "backend",
        "program": "program",
        "tags": "batch__tags__contains",
        "created_after": "batch__submitted_at__gte",
        "created_before": "batch__submitted_at__lte",
    }
    found = found.filter(**{lookups[name]: wanted[name] for name in lookups if name in wanted})
    if "session_id" in wanted:
        session = uuid_of(wanted["session_id"])
        found = found.filter(session=session) if session else found.none()
    return jobs.pending(found, wanted["pending"]) if "pending" in wanted else found


class JobView(RuntimeView):
    """`GET /jobs/{id}`, `DELETE /jobs/{id}`."""

    @query.takes_these("exclude_params")
    def get(self, request: Request, job_id: str) -> Response:
        """What it is, how it stands, and what was asked for."""
        job = jobs.found(request, job_id)
        if request.query_params.get("exclude_params") == "true":
            return Response(shown(job))
        return Response({**shown(job), "params": json_text.as_given(jobs.params_of(job))})

    def delete(self, request: Request, job_id: str) -> Response:
        """Cancel it if it has not ended, and delete it with its tasks."""
        job = jobs.found(request, job_id)
        jobs.cancel(request, [job])
        Task.objects.with_status(*TERMINAL).filter(batch_id=job.row.pk).delete()
        Batch.objects.filter(pk=job.row.pk, task=None).delete()
        access.audit(request, "batch_deleted", job.row.pk)
        return Response(status=204)


class CancelView(RuntimeView):
    """`POST /jobs/{id}/cancel`."""

    def post(self, request: Request, job_id: str) -> Response:
        """Cancel what has not ended."""
        job = jobs.found(request, job_id)
        if not jobs.cancel(request, [job]):
            status = jobs.found(request, job_id).status
            raise ApiError(409, "illegal_transition", f"The job is {status.lower()}.")
        access.audit(request, "batch_cancelled", job.row.pk)
        return Response(status=204)


class ResultsView(RuntimeView):
    """`GET /jobs/{id}/results`."""

    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Text that the client decodes; why there is none if it failed; nothing before its end."""
        job = jobs.found(request, job_id)
        if job.status == "Failed":
            return HttpResponse(job.state["reason"], content_type=_TEXT)
        if job.status != "Completed":
            return HttpResponse(status=204)
        body = orjson.dumps(jobs.result(job), option=orjson.OPT_UTC_Z)
        return HttpResponse(body, content_type=_TEXT)


class LogsView(RuntimeView):
    """`GET /jobs/{id}/logs`."""

    def get(self, request: Request, job_id: str) -> HttpResponse:
        """The histories of its tasks, a line for each transition."""
        job = jobs.found(request, job_id)
        places = dict(job.in_order().values_list("task_id", "batch_index"))
        history = StatusHistory.objects.filter(task_id__in=places).order_by("id")
        lines = [
            f"{each.transitioned_at.isoformat()} task {places[each.task_id]} {each.status}: "
            f"{each.notes}\n"
            for each in history
        ]
        return HttpResponse("".join(lines), content_type=_TEXT)


class MetricsView(RuntimeView):
    """`GET /jobs/{id}/metrics`."""

    def get(self, request: Request, job_id: str) -> Response:
        """When it was made, begun and ended, and for how long its circuits ran."""
        job = jobs.found(request, job_id)
        times = {
            "created": job.row.batch.submitted_at,
            "running": job.started_at,
            "finished": job.completed_at,
        }
        return Response(
            {
                "timestamps": times,
                "usage": _usage(job) | {"status": "done" if job.ended else "pending"},
                "bss": {"seconds": job.seconds},
                "qiskit_version": jobs.qiskit_version(job),
                "caller": "qiskit-ibm-runtime",
                "num_circuits": job.row.batch.size,
            }
        )


class TagsView(RuntimeView):
    """`PUT /jobs/{id}/tags`."""

    def put(self, request: Request, job_id: str) -> Response:
        """Give it and its tasks these tags instead of theirs."""
        tags = list(dict.fromkeys(checked(TagsSerializer, request.data)["tags"]))
        job = jobs.found(request, job_id)
        Batch.objects.filter(pk=job.row.pk).update(tags=tags)
        tasks = Task.objects.filter(batch_id=job.row.pk)
        with transaction.atomic():
            tasks.filter(pk__in=list(tasks.locked().values_list("pk", flat=True))).update(tags=tags)
        return Response(status=204)


def shown(job: Job) -> dict[str, Any]:
    """A job without what was asked for."""
    row, batch = job.row, job.row.batch
    return {
        "id": row.pk,
        "backend": row.backend,
        "program": {"id": row.program},
        "state": job.state,
        "status": job.status,
        "created": batch.submitted_at,
        "ended": job.completed_at,
        "tags": batch.tags,
        "session_id": row.session_id,
        "user_id": str(batch.owner_id) if batch.owner_id else "",
        "private": False,
        "cost": 0,
        "usage": _usage(job),
        "estimated_running_time_seconds": job.seconds,
    }


def _usage(job: Job) -> dict[str, float]:
    return dict.fromkeys(("seconds", "quantum_seconds", "qpu_charge_time_seconds"), job.seconds)
