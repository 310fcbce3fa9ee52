"""How the routes are described in OpenAPI; the views stay free of it."""

import threading
from typing import Any

from django.http import HttpResponse
from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularYAMLAPIView
from rest_framework.request import Request

from tasks_app.api.filters import MAX_IDS, MAX_PAGE_SIZE
from tasks_app.api.serializers import (
    AcceptedBatchSerializer,
    AcceptedSerializer,
    BatchSerializer,
    BatchSubmissionSerializer,
    ErrorSerializer,
    LabelsSerializer,
    QueueSerializer,
    ResultSerializer,
    SubmissionSerializer,
    TaskPageSerializer,
    TaskSerializer,
)
from tasks_app.models import Status


class StrictSerializerSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Unknown fields are errors."""

    target_class = "tasks_app.api.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        described: Any = auto_schema  # drf-spectacular's own methods are not typed
        schema = described._map_serializer(self.target, direction, bypass_extensions=True)
        return schema | {"additionalProperties": False}


class StrictTextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """No text may have a null character: PostgreSQL cannot store it."""

    target_class = "tasks_app.api.serializers.StrictTextField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        described: Any = auto_schema
        schema = described._map_serializer_field(self.target, direction, bypass_extensions=True)
        return schema | {"pattern": "^[^\\u0000]*$"}


BELL = """\
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
ROTATION = """\
OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit q;
bit c;
ry(theta) q;
c = measure q;
"""

TASK_ID = OpenApiParameter("task_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
BATCH_ID = OpenApiParameter("batch_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="The same key and body returns the same task (`Idempotent-Replayed: true`).",
)
WAIT = [
    OpenApiParameter(
        "wait",
        {"type": "integer", "minimum": 0, "maximum": 60},
        description="Answer once the task is terminal, or after so many seconds.",
    ),
    OpenApiParameter(
        "Prefer", str, OpenApiParameter.HEADER, description="`wait=30`: the same as `?wait=30`."
    ),
]


def _responses(success: dict[Any, Any], *errors: int) -> dict[Any, Any]:
    return success | dict.fromkeys((400, 401, 403, *errors, 503), ErrorSerializer)


def _filter(name: str, schema: Any, description: str, *, many: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description, many=many)


submit_task = extend_schema(
    operation_id="submit_task",
    summary="Submit a circuit",
    parameters=[IDEMPOTENCY_KEY],
    request=SubmissionSerializer,
    responses=_responses({202: AcceptedSerializer}, 409, 413, 415, 429),
    examples=[
        OpenApiExample("Bell state", {"circuit": BELL, "shots": 1024}, request_only=True),
        OpenApiExample(
            "With a parameter and a seed",
            {"circuit": ROTATION, "parameters": {"theta": 1.5707963}, "seed": 7, "tags": ["demo"]},
            request_only=True,
        ),
    ],
)
list_tasks = extend_schema(
    operation_id="list_tasks",
    summary="List tasks",
    parameters=[
        _filter(
            "status",
            {"type": "array", "items": {"type": "string", "enum": Status.values}},
            "Any of them.",
        ),
        _filter(
            "tag",
            {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 64}},
            "All of them.",
        ),
        _filter("ids", OpenApiTypes.UUID, f"Up to {MAX_IDS}.", many=True),
        _filter("name", {"type": "string", "minLength": 1}, "Exactly this name."),
        _filter("batch_id", OpenApiTypes.UUID, "Elements of this batch."),
        _filter("submitted_after", OpenApiTypes.DATETIME, "Later than this."),
        _filter("submitted_before", OpenApiTypes.DATETIME, "Earlier than this."),
        _filter(
            "ordering",
            {"type": "string", "enum": ["-submitted_at", "submitted_at"]},
            "Newest first if absent.",
        ),
        _filter(
            "page_size",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE},
            "Tasks a page.",
        ),
        _filter(
            "cursor",
            {"type": "string", "minLength": 1},
            "Where a page begins: from `next` or `previous`.",
        ),
    ],
    responses=_responses({200: TaskPageSerializer}, 404),
)
get_task = extend_schema(
    operation_id="get_task",
    summary="Read a task",
    parameters=[TASK_ID, *WAIT],
    responses=_responses({200: TaskSerializer}, 404),
)
edit_task = extend_schema(
    operation_id="edit_task",
    summary="Change name and tags",
    parameters=[TASK_ID],
    request=LabelsSerializer,
    responses=_responses({200: TaskSerializer}, 404, 413, 415),
)
delete_task = extend_schema(
    operation_id="delete_task",
    summary="Delete a terminal task",
    parameters=[TASK_ID],
    responses=_responses({204: None}, 404, 409),
)
cancel_task = extend_schema(
    operation_id="cancel_task",
    summary="Cancel a task",
    parameters=[TASK_ID],
    request=None,
    responses=_responses({200: TaskSerializer}, 404, 409),
)
get_result = extend_schema(
    operation_id="get_result",
    summary="Read a result",
    parameters=[TASK_ID, *WAIT],
    responses=_responses({200: ResultSerializer}, 404, 409),
)
submit_batch = extend_schema(
    operation_id="submit_batch",
    summary="Submit many circuits",
    parameters=[IDEMPOTENCY_KEY],
    request=BatchSubmissionSerializer,
    responses=_responses({202: AcceptedBatchSerializer}, 409, 413, 415, 429),
    examples=[
        OpenApiExample(
            "Two circuits",
            {"shots": 500, "tasks": [{"circuit": BELL}, {"circuit": BELL, "seed": 7}]},
            request_only=True,
        ),
        OpenApiExample(
            "A parameter sweep",
            {"circuit": ROTATION, "parameter_sets": [{"theta": 0.1}, {"theta": 0.2}]},
            request_only=True,
        ),
    ],
)
get_batch = extend_schema(
    operation_id="get_batch",
    summary="Read a batch",
    parameters=[BATCH_ID],
    responses=_responses({200: BatchSerializer}, 404),
)
cancel_batch = extend_schema(
    operation_id="cancel_batch",
    summary="Cancel a batch",
    parameters=[BATCH_ID],
    request=None,
    responses=_responses({200: BatchSerializer}, 404),
)
retry_batch = extend_schema(
    operation_id="retry_batch",
    summary="Retry a batch's failed elements",
    parameters=[BATCH_ID, IDEMPOTENCY_KEY],
    request=None,
    responses=_responses({202: AcceptedBatchSerializer}, 404, 409, 429),
)
get_queue = extend_schema(
    operation_id="get_queue",
    summary="Read the queue",
    responses=_responses({200: QueueSerializer}),
)


class DescriptionView(SpectacularYAMLAPIView):
    """`/openapi.yaml`, made once a process: that takes a tenth of a second, and not two threads."""

    _lock = threading.Lock()
    _text: str | bytes | None = None

    def _get_schema_response(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        with self._lock:
            if DescriptionView._text is None:
                description = self.generator_class().get_schema(public=True)  # type: ignore[no-untyped-call]
                DescriptionView._text = renderer.render(description)
        name = self._get_filename(request, None)  # type: ignore[no-untyped-call]
        return HttpResponse(
            DescriptionView._text,
            content_type=f"{renderer.media_type}; charset={renderer.charset}",
            headers={"Content-Disposition": f'inline; filename="{name}"'},
        )
