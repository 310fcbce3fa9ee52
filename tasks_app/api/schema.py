"""How the routes are described in OpenAPI; the views stay free of it."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.http import HttpResponse
from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView, SpectacularYAMLAPIView
from rest_framework.request import Request

from tasks_app.api import query
from tasks_app.api.content import NDJSON
from tasks_app.api.fields import MAX_PARAMETERS
from tasks_app.api.filters import BatchFilterSerializer, FilterSerializer
from tasks_app.api.serializers import (
    AcceptedBatchSerializer,
    AcceptedSerializer,
    BackendSerializer,
    BackendSummarySerializer,
    BatchPageSerializer,
    BatchResultSerializer,
    BatchSerializer,
    ErrorSerializer,
    QueueSerializer,
    ResultSerializer,
    TaskPageSerializer,
    TaskSerializer,
)
from tasks_app.api.submissions import (
    BatchSubmissionSerializer,
    LabelsSerializer,
    RerunSerializer,
    SubmissionSerializer,
)

F = TypeVar("F", bound=Callable[..., Any])


class StrictSerializerSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Unknown fields are errors."""

    target_class = "tasks_app.api.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        described: Any = auto_schema  # drf-spectacular's own methods are not typed
        schema = described._map_serializer(self.target, direction, bypass_extensions=True)
        return schema | {"additionalProperties": False}


class StrictTextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """No text may have a null character: PostgreSQL cannot store it."""

    target_class = "tasks_app.api.fields.StrictTextField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        described: Any = auto_schema
        schema = described._map_serializer_field(self.target, direction, bypass_extensions=True)
        return schema | {"pattern": "^[^\\u0000]*$"}


class ParametersSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An array's value is a list of values: the description names itself."""

    target_class = "tasks_app.api.fields.ParametersField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        described: Any = ResolvedComponent
        value = described("InputValue", ResolvedComponent.SCHEMA, object="InputValue")
        few = {"minItems": 1, "maxItems": MAX_PARAMETERS}
        array = {"type": "array", "items": value.ref, **few}
        value.schema = {
            "description": "Of one `input`; for an array a list, or a list of lists.",
            "oneOf": [{"type": "number"}, {"type": "boolean"}, array],
        }
        auto_schema.registry.register_on_missing(value)
        named = {"type": "object", "additionalProperties": value.ref}
        return {"oneOf": [named | {"maxProperties": MAX_PARAMETERS}, array]}


PROLOGUE = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = PROLOGUE + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
ROTATION = PROLOGUE + "input float theta; qubit q; bit c; ry(theta) q; c = measure q;"
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
        description="Answer once all is terminal, or after so many seconds.",
    ),
    OpenApiParameter(
        "Prefer", str, OpenApiParameter.HEADER, description="`wait=30`: the same as `?wait=30`."
    ),
]

FORMAT = OpenApiParameter(
    "format",
    enum=["json", "csv"],
    description="csv: only the counts, `outcome,count` or with a `set`.",
)


def described(
    operation_id: str, summary: str, success: dict[Any, Any], *errors: int, **more: Any
) -> Callable[[F], F]:
    """A route: its answer, and the errors that not every route has. It takes no other query
    parameters than are described here (`query.check`)."""
    failures = [(status, "application/json") for status in (400, 401, 403, *errors, 503)]
    responses = success | dict.fromkeys(failures, ErrorSerializer)
    describe = extend_schema(
        operation_id=operation_id, summary=summary, responses=responses, **more
    )
    return lambda handler: query.takes(_names(more.get("parameters", ())), describe(handler))


def _names(parameters: Iterable[Any]) -> frozenset[str]:
    """Of those in the query: serializers' fields, and what is said to be there."""
    names: set[str] = set()
    for parameter in parameters:
        if not isinstance(parameter, OpenApiParameter):
            names |= parameter().fields.keys()
        elif parameter.location == OpenApiParameter.QUERY:
            names.add(parameter.name)
    return frozenset(names)


def _example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, request_only=True)


submit_task = described(
    *("submit_task", "Submit a circuit", {202: AcceptedSerializer}, 409, 413, 415, 429),
    parameters=[IDEMPOTENCY_KEY],
    request=SubmissionSerializer,
    examples=[
        _example("Bell state", {"circuit": BELL, "shots": 1024}),
        _example(
            "With a parameter and a seed",
            {"circuit": ROTATION, "parameters": {"theta": 1.5707963}, "seed": 7, "tags": ["demo"]},
        ),
    ],
)
rerun_task = described(
    *("rerun_task", "Run a task again", {202: AcceptedSerializer}, 404, 409, 413, 415, 429),
    parameters=[TASK_ID, IDEMPOTENCY_KEY],
    request=RerunSerializer,
    examples=[_example("More shots, with noise", {"shots": 8192, "noise": {"readout": 0.01}})],
)
list_tasks = described(
    *("list_tasks", "List tasks", {200: TaskPageSerializer}, 404), parameters=[FilterSerializer]
)
get_task = described(
    *("get_task", "Read a task", {200: TaskSerializer}, 404), parameters=[TASK_ID, *WAIT]
)
get_submission = described(
    *("get_submission", "Read what was submitted", {200: SubmissionSerializer}, 404),
    parameters=[TASK_ID],
)
edit_task = described(
    *("edit_task", "Change name and tags", {200: TaskSerializer}, 404, 413, 415),
    parameters=[TASK_ID],
    request=LabelsSerializer,
)
delete_task = described(
    *("delete_task", "Delete a terminal task", {204: None}, 404, 409), parameters=[TASK_ID]
)
cancel_task = described(
    *("cancel_task", "Cancel a task", {200: TaskSerializer}, 404, 409),
    parameters=[TASK_ID],
    request=None,
)
get_result = described(
    *("get_result", "Read a result"),
    {(200, "application/json"): ResultSerializer, (200, "text/csv"): OpenApiTypes.STR},
    *(404, 409),
    parameters=[TASK_ID, *WAIT, FORMAT],
)
submit_batch = described(
    *("submit_batch", "Submit many circuits", {202: AcceptedBatchSerializer}, 409, 413, 415, 429),
    parameters=[IDEMPOTENCY_KEY],
    request=BatchSubmissionSerializer,
    examples=[
        _example(
            "Two circuits",
            {"shots": 500, "tasks": [{"circuit": BELL}, {"circuit": BELL, "seed": 7}]},
        ),
        _example(
            "A parameter sweep",
            {"circuit": ROTATION, "parameter_sets": [{"theta": 0.1}, {"theta": 0.2}]},
        ),
    ],
)
list_batches = described(
    *("list_batches", "List batches", {200: BatchPageSerializer}, 404),
    parameters=[BatchFilterSerializer],
)
get_batch = described(
    *("get_batch", "Read a batch", {200: BatchSerializer}, 404), parameters=[BATCH_ID, *WAIT]
)
get_batch_results = described(
    *("get_batch_results", "Read all results of a batch", {(200, NDJSON): BatchResultSerializer}),
    404,
    parameters=[BATCH_ID],
)
cancel_batch = described(
    *("cancel_batch", "Cancel a batch", {200: BatchSerializer}, 404),
    parameters=[BATCH_ID],
    request=None,
)
retry_batch = described(
    *("retry_batch", "Retry a batch's failed elements", {202: AcceptedBatchSerializer}),
    *(404, 409, 429),
    parameters=[BATCH_ID, IDEMPOTENCY_KEY],
    request=None,
)
get_queue = described("get_queue", "Read the queue", {200: QueueSerializer})
list_backends = described(
    "list_backends", "List backends", {200: BackendSummarySerializer(many=True)}
)
get_backend = described("get_backend", "Read a backend", {200: BackendSerializer}, 404)


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


class DocsView(SpectacularSwaggerSplitView):
    """`/docs`, a page that asks for its own script by a parameter."""

    get = query.takes({"script"}, SpectacularSwaggerSplitView.get)
