"""What comes in, checked strictly, and what goes out."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tasks_app.api.errors import ApiError
from tasks_app.api.fields import (
    BoundedDictField,
    BoundedListField,
    ObservablesField,
    ParametersField,
    ProbabilitiesField,
    ProbabilityField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
    StrictTextField,
    first_of,
)
from tasks_app.circuits import CircuitError
from tasks_app.circuits.job import FORMATS, MAX_SEED, MAX_SETS, METHODS, OUTPUTS, circuit_bytes
from tasks_app.circuits.qpy_file import check_beginning
from tasks_app.models import Batch, Status, StatusHistory, Task

MAX_BATCH = 1000
DEFAULT_SHOTS = 1024
MAX_NOISY_GATES = 100  # More than there are.
_CIRCUIT_HELP = (
    "OpenQASM 3 or 2, up to 1 MiB of UTF-8; or with the format qpy a QPY file in base64, plain or "
    "compressed by zlib or gzip, up to 1 MiB decoded."
)
RUN_OPTIONS = (
    *("circuit_format", "method", "memory", "parameters", "parameter_sets", "noise"),
    *("observables", "precision", "outputs"),
)


_instances: dict[type[serializers.BaseSerializer[Any]], Any] = {}


def _shared(serializer: type[serializers.BaseSerializer[Any]]) -> Any:
    """One instance for all requests: making one copies every field, which costs more than its work.

    The two methods used below keep nothing in it.
    """
    return _instances.get(serializer) or _instances.setdefault(serializer, serializer())


def checked(serializer: type[serializers.BaseSerializer[Any]], data: Any) -> dict[str, Any]:
    """The validated data. Raises `ValidationError` with everything that is wrong, by field."""
    return dict(_shared(serializer).run_validation(data))


def shown(serializer: type[serializers.BaseSerializer[Any]], instance: Any) -> Any:
    """The instance as the serializer shows it."""
    return _shared(serializer).to_representation(instance)


class LabelsSerializer(StrictSerializer):
    """A task's name and tags: the client's own, searchable and editable."""

    name = StrictTextField(max_length=200, required=False, allow_blank=True)
    tags = BoundedListField(child=StrictTextField(max_length=64), max_length=32, required=False)

    def validate_tags(self, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(tags))


class NoiseSerializer(StrictSerializer):
    """A simple noise model (docs/errors.md)."""

    depolarizing_1q = ProbabilitiesField(
        required=False, help_text="After each one-qubit gate; or a list, of each qubit."
    )
    depolarizing_2q = ProbabilityField(required=False, help_text="After each two-qubit gate.")
    readout = ProbabilitiesField(
        required=False, help_text="Of each measured bit to be flipped; or a list, of each qubit."
    )
    gates = BoundedDictField(
        child=ProbabilityField(),
        required=False,
        max_length=MAX_NOISY_GATES,
        help_text="After single gates, by Qiskit's name, instead of the above.",
    )


class ElementSerializer(LabelsSerializer):
    """One circuit and how to run it, where defaults may be given elsewhere."""

    circuit = StrictTextField(required=False, help_text=_CIRCUIT_HELP)
    circuit_format = serializers.ChoiceField(
        choices=FORMATS,
        required=False,
        error_messages={"invalid_choice": f"Not one of {', '.join(FORMATS)}."},
        help_text="openqasm if absent.",
    )
    shots = StrictIntegerField(
        required=False,
        min_value=1,
        max_value=settings.CIRCUIT_LIMITS.max_shots,
        help_text="How often to run it; 1024 if absent.",
    )
    seed = StrictIntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=MAX_SEED,
        help_text="Makes the counts repeatable; drawn at random and reported if absent.",
    )
    method = serializers.ChoiceField(
        choices=METHODS,
        required=False,
        error_messages={"invalid_choice": f"Not one of {', '.join(METHODS)}."},
        help_text="Simulation method; automatic if absent.",
    )
    memory = StrictBooleanField(
        required=False, help_text="Also return each shot's outcome, in order."
    )
    parameters = ParametersField(
        required=False, help_text="Values of the program's `input` declarations."
    )
    parameter_sets = BoundedListField(
        child=ParametersField(),
        required=False,
        max_length=MAX_SETS,
        allow_empty=False,
        help_text="Instead of `parameters`: values for a run each, read and compiled once.",
    )
    noise = NoiseSerializer(required=False, help_text="No noise if absent.")
    observables = ObservablesField(
        required=False,
        help_text="Weights by Pauli string, the rightmost letter for qubit 0. Final measurements "
        "are left out.",
    )
    precision = ProbabilityField(
        required=False, help_text="Standard error of the expectation values; 0 (exact) if absent."
    )
    outputs = BoundedListField(
        child=serializers.ChoiceField(
            choices=OUTPUTS,
            error_messages={"invalid_choice": f"Not one of {', '.join(OUTPUTS)}."},
        ),
        required=False,
        max_length=len(OUTPUTS),
        allow_empty=False,
        help_text="What the result holds; counts if absent and there are no observables.",
    )

    def validate_parameter_sets(self, sets: list[dict[str, float]]) -> list[dict[str, float]]:
        other = [str(i) for i, values in enumerate(sets) if values.keys() != sets[0].keys()]
        if other:
            problem = "The names of the first set are required, and no others."
            raise serializers.ValidationError(first_of(other, problem))
        return sets

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if "parameters" in values and "parameter_sets" in values:
            problem = ["Give either parameters or parameter_sets."]
            raise serializers.ValidationError({"parameter_sets": problem})
        return values

    def validate_circuit(self, circuit: str) -> str:
        if not circuit.strip():
            raise serializers.ValidationError("This field may not be blank.")
        return circuit


def _format(element: Mapping[str, Any]) -> str:
    return str(element.get("circuit_format", FORMATS[0]))


def _check_circuit(circuit: str, circuit_format: str) -> None:
    """What is quick to see of it."""
    limit = settings.CIRCUIT_LIMITS.max_circuit_bytes
    try:
        data = circuit_bytes(circuit, circuit_format)
        if len(data) > limit:
            sentence = f"The circuit has {len(data)} bytes; the limit is {limit}."
            details = {"circuit": {"bytes": len(data), "max_bytes": limit}}
            raise ApiError(413, "circuit_too_large", sentence, details=details)
        if circuit_format == "qpy":
            check_beginning(data)
    except CircuitError as error:
        raise serializers.ValidationError({"circuit": [error.message]}) from None


class SubmissionSerializer(ElementSerializer):
    """A circuit to run."""

    circuit = StrictTextField(help_text=_CIRCUIT_HELP)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        _check_circuit(values["circuit"], _format(values))
        return super().validate(values)


class RerunSerializer(ElementSerializer):
    """What to change of a task that is run again; null leaves out what it had."""

    circuit = circuit_format = None  # type: ignore[assignment]  # they stay what they were

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.allow_null = True
        return fields


class BatchSubmissionSerializer(ElementSerializer):
    """Up to 1000 tasks, or one circuit with sets of parameters; the rest is their default."""

    tasks = ElementSerializer(  # type: ignore[call-arg]  # DRF hands the rest to the list
        many=True, required=False, max_length=MAX_BATCH, allow_empty=False
    )
    parameter_sets = BoundedListField(
        child=ParametersField(),
        required=False,
        max_length=MAX_BATCH,
        allow_empty=False,
        help_text="A task of the circuit each.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """`name`, `tags` and `circuit` of the batch; `elements`: each task's submission."""
        if ("tasks" in values) == ("parameter_sets" in values):
            raise serializers.ValidationError({"tasks": ["Give either tasks or parameter_sets."]})
        elements = values.pop("tasks", None) or [
            {"parameters": parameters} for parameters in values.pop("parameter_sets")
        ]
        name, circuit = values.pop("name", ""), values.pop("circuit", None)
        missing = [index for index, element in enumerate(elements) if "circuit" not in element]
        if missing and circuit is None:
            raise serializers.ValidationError(
                {"circuit": [f"Elements without a circuit: {missing[:20]}."]}
            )
        _check_size(elements, values)
        elements = [values | element for element in elements]
        for kind in {_format(elements[index]) for index in missing}:
            _check_circuit(circuit, kind)
        for index, element in enumerate(elements):
            super().validate(element)
            try:
                if "circuit" in element:
                    _check_circuit(element["circuit"], _format(element))
            except serializers.ValidationError as error:
                raise serializers.ValidationError({"tasks": {str(index): error.detail}}) from None
        return {
            **{"name": name, "tags": values.get("tags", [])},
            **{"circuit": circuit if missing else None, "elements": elements},
        }


def _check_size(elements: list[dict[str, Any]], shared: dict[str, Any]) -> None:
    """What the elements share is stored with each of them, but for the circuit."""
    size = len(orjson.dumps(elements)) + len(elements) * len(orjson.dumps(shared))
    limit = settings.MAX_SUBMISSION_BYTES
    if size > limit:
        sentence = (
            f"The batch's {len(elements)} tasks would have {size} bytes; the limit is {limit}. "
            "What all tasks share is stored with each, the circuit excepted."
        )
        details = {"tasks": {"bytes": size, "max_bytes": limit}}
        raise ApiError(413, "batch_too_large", sentence, details=details)


def new_task(element: Mapping[str, Any], **fields: Any) -> Task:
    """An unsaved task from a validated submission."""
    options = {name: element[name] for name in RUN_OPTIONS if name in element}
    columns = {name: value for name, value in element.items() if name not in RUN_OPTIONS}
    return Task(**{"shots": DEFAULT_SHOTS, **columns}, options=options, **fields)


class AcceptedSerializer(serializers.Serializer[Any]):
    """The answer to a submission."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Status.choices)
    submitted_at = serializers.DateTimeField()
    message = serializers.CharField()
    correlation_id = serializers.CharField()


class HistoryEntrySerializer(serializers.ModelSerializer[StatusHistory]):
    """One transition."""

    class Meta:
        model = StatusHistory
        fields = ["status", "transitioned_at", "notes"]


class SetResultSerializer(serializers.Serializer[Any]):
    """What a run tells, of what `outputs` and `observables` ask for."""

    counts = serializers.DictField(
        child=serializers.IntegerField(),
        required=False,
        help_text="By bit string, in Qiskit's bit order and register spacing.",
    )
    memory = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Of each shot, in order."
    )
    probabilities = serializers.DictField(
        child=serializers.FloatField(), required=False, help_text="Exact, by bit string."
    )
    statevector = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        required=False,
        help_text="Real and imaginary part of each amplitude, qubit 0 the lowest bit of its index.",
    )
    expectation_values = serializers.ListField(
        child=serializers.FloatField(), required=False, help_text="One for each observable."
    )
    standard_errors = serializers.ListField(child=serializers.FloatField(), required=False)


class ParameterSetResultSerializer(SetResultSerializer):
    """The run of one parameter set."""

    seed = serializers.IntegerField(help_text="With which its counts can be had again.")


class ResultSerializer(SetResultSerializer):
    """What the run tells; with `parameter_sets` in `sets`, one for each in order."""

    sets = ParameterSetResultSerializer(many=True, required=False)
    shots = serializers.IntegerField()
    metadata = serializers.DictField()


class TaskSummarySerializer(serializers.ModelSerializer[Task]):
    """A task without circuit, result and history."""

    status = serializers.ChoiceField(source="current_status", choices=Status.choices)

    class Meta:
        model = Task
        fields = [
            *("task_id", "status", "name", "tags", "batch_id", "shots"),
            *("submitted_at", "started_at", "completed_at", "error_code", "rerun_of"),
        ]


@extend_schema_serializer(many=False)  # although it is what a list answers
class TaskPageSerializer(serializers.Serializer[Any]):
    """A page of tasks, and where its neighbours are."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = TaskSummarySerializer(many=True)


class TaskSerializer(TaskSummarySerializer):
    """A task with its history and, when completed, its result."""

    status_history = HistoryEntrySerializer(many=True)
    result = ResultSerializer(allow_null=True)
    message = serializers.CharField()
    queue_position = serializers.IntegerField(
        allow_null=True,
        help_text="Pending tasks before this one; null if not pending or more than 1,000.",
    )
    estimated_start_at = serializers.DateTimeField(
        allow_null=True,
        help_text="From measured run times and the workers alive; null if unknown.",
    )

    class Meta:
        model = Task
        fields = [
            *TaskSummarySerializer.Meta.fields,
            *("seed", "result", "error_message", "status_history"),
            *("queue_position", "estimated_start_at", "message", "correlation_id"),
        ]


class BatchElementSerializer(serializers.ModelSerializer[Task]):
    """One element of a batch: the latest task at its position."""

    index = serializers.IntegerField(source="batch_index")
    status = serializers.ChoiceField(source="current_status", choices=Status.choices)

    class Meta:
        model = Task
        fields = ["index", "task_id", "status", "error_code"]


class BatchSummarySerializer(serializers.ModelSerializer[Batch]):
    """A batch without its elements."""

    class Meta:
        model = Batch
        fields = ["batch_id", "name", "tags", "size", "submitted_at"]


class BatchPageSerializer(TaskPageSerializer):
    """A page of batches, and where its neighbours are."""

    results = BatchSummarySerializer(many=True)  # type: ignore[assignment]


class BatchSerializer(BatchSummarySerializer):
    """A batch: its elements in order, and how many are in each state."""

    counts = serializers.DictField(child=serializers.IntegerField())
    tasks = BatchElementSerializer(many=True)

    class Meta:
        model = Batch
        fields = [*BatchSummarySerializer.Meta.fields, "counts", "tasks"]


class BatchResultSerializer(BatchElementSerializer):
    """A line of a batch's results."""

    result = ResultSerializer(allow_null=True)

    class Meta:
        model = Task
        fields = ["index", "task_id", "status", "result", "error_code", "error_message"]


class AcceptedBatchSerializer(serializers.Serializer[Any]):
    """The answer to a batch."""

    batch_id = serializers.UUIDField()
    task_ids = serializers.ListField(child=serializers.UUIDField(), help_text="In order.")
    message = serializers.CharField()
    correlation_id = serializers.CharField()


class QueueSerializer(serializers.Serializer[Any]):
    """The queue now, and how fast tasks went through it in the last hour."""

    pending = serializers.IntegerField()
    processing = serializers.IntegerField()
    oldest_pending_s = serializers.FloatField()
    workers = serializers.IntegerField(help_text="Worker processes alive.")
    slots = serializers.IntegerField(help_text="Circuits that they run at a time.")
    running_s = serializers.FloatField(
        allow_null=True, help_text="For how long what runs now has run, on average."
    )
    wait_p50_s = serializers.FloatField(allow_null=True)
    wait_p90_s = serializers.FloatField(allow_null=True)
    run_p50_s = serializers.FloatField(allow_null=True)
    run_p90_s = serializers.FloatField(allow_null=True)


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    error = serializers.CharField(help_text="A sentence for people.")
    code = serializers.CharField(help_text="Stable, for programs.")
    details = serializers.DictField()
    correlation_id = serializers.CharField()
