"""What comes in, checked strictly, and what goes out."""

import math
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

import orjson
from django.conf import settings
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from tasks_app.api.errors import ApiError
from tasks_app.circuits.job import MAX_SEED, METHODS, UNSTORABLE
from tasks_app.models import Batch, Status, StatusHistory, Task

MAX_BATCH = 1000
MAX_PARAMETERS = 10_000
MAX_ALIKE = 10  # Names that are given with one problem, before "and so many more".
DEFAULT_SHOTS = 1024
RUN_OPTIONS = ("method", "memory", "parameters", "noise")


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


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: not true, "10", 1.0 or 1e3."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class StrictBooleanField(serializers.BooleanField):
    """JSON true or false."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictTextField(serializers.CharField):
    """A JSON string, kept as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


@extend_schema_field({"type": "number", "minimum": 0, "maximum": 1})
class ProbabilityField(serializers.Field[Any, Any, Any, Any]):
    """A JSON number from 0 to 1."""

    default_error_messages = {"invalid": "A number from 0 to 1 is required."}

    def to_internal_value(self, data: Any) -> Any:
        if type(data) not in (int, float) or not 0 <= data <= 1:
            self.fail("invalid")
        return data


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {"oneOf": [{"type": "number"}, {"type": "boolean"}]},
        "maxProperties": MAX_PARAMETERS,
    }
)
class ParametersField(serializers.Field[Any, Any, Any, Any]):
    """Names with JSON numbers that a float can hold, or true or false; kept as they are: 2 is no
    2.0. In one piece, because a field for each costs a second for a request full of them.
    """

    default_error_messages = {
        "not_an_object": "An object of names and numbers is required.",
        "too_many": f"At most {MAX_PARAMETERS:,} parameters are possible.",
        "null": "This field may not be null.",
    }

    def to_internal_value(self, data: Any) -> dict[str, float]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        if len(data) > MAX_PARAMETERS:
            self.fail("too_many")
        wrong = [name for name, value in data.items() if not _is_number(value)]
        problems = first_of(wrong, "A finite number, true or false is required.")
        unstorable = [name for name in data if UNSTORABLE.search(name)]
        problems |= first_of(unstorable, "Null characters and surrogates are not allowed.")
        if problems:
            raise serializers.ValidationError(problems)
        return data


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def first_of(names: Collection[str], problem: str) -> dict[str, list[str]]:
    """The same problem with many names, by name: not more than anybody reads."""
    found = {name: [problem] for name in islice(names, MAX_ALIKE)}
    if len(names) > MAX_ALIKE:
        found["…"] = [f"{len(names) - MAX_ALIKE:,} more. {problem}"]
    return found


class BoundedListField(serializers.ListField):
    """A list that looks at its length before it looks at what it holds."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class StrictSerializer(serializers.Serializer[Any]):
    """Names fields that it does not know, together with everything else that is wrong."""

    def to_internal_value(self, data: Any) -> Any:
        wrong: dict[str, Any] = {}
        if isinstance(data, dict):
            wrong = first_of(data.keys() - set(self.fields), "This field is not known.")
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            found: Any = error.detail  # by field: this is no list serializer
            raise serializers.ValidationError(wrong | found) from None
        if wrong:
            raise serializers.ValidationError(wrong)
        return values


class LabelsSerializer(StrictSerializer):
    """A task's name and tags: the client's own, searchable and editable."""

    name = StrictTextField(max_length=200, required=False, allow_blank=True)
    tags = BoundedListField(child=StrictTextField(max_length=64), max_length=32, required=False)

    def validate_tags(self, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(tags))


class NoiseSerializer(StrictSerializer):
    """A simple noise model, the same for all qubits (docs/errors.md)."""

    depolarizing_1q = ProbabilityField(required=False, help_text="After each one-qubit gate.")
    depolarizing_2q = ProbabilityField(required=False, help_text="After each two-qubit gate.")
    readout = ProbabilityField(required=False, help_text="Of each measured bit to be flipped.")


class ElementSerializer(LabelsSerializer):
    """One circuit and how to run it, where defaults may be given elsewhere."""

    circuit = StrictTextField(required=False, help_text="OpenQASM 3 or 2, up to 1 MiB of UTF-8.")
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
    noise = NoiseSerializer(required=False, help_text="No noise if absent.")

    def validate_circuit(self, circuit: str) -> str:
        if not circuit.strip():
            raise serializers.ValidationError("This field may not be blank.")
        size, limit = len(circuit.encode()), settings.CIRCUIT_LIMITS.max_circuit_bytes
        if size > limit:
            sentence = f"The circuit has {size} bytes; the limit is {limit}."
            details = {"circuit": {"bytes": size, "max_bytes": limit}}
            raise ApiError(413, "circuit_too_large", sentence, details=details)
        return circuit


class SubmissionSerializer(ElementSerializer):
    """A circuit to run."""

    circuit = StrictTextField(help_text="OpenQASM 3 or 2, up to 1 MiB of UTF-8.")


class BatchSubmissionSerializer(ElementSerializer):
    """Up to 1000 tasks, or one circuit with sets of parameters; the rest is their default."""

    tasks = ElementSerializer(  # type: ignore[call-arg]  # DRF hands the rest to the list
        many=True, required=False, max_length=MAX_BATCH, allow_empty=False
    )
    parameter_sets = BoundedListField(
        child=ParametersField(), required=False, max_length=MAX_BATCH, allow_empty=False
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """`circuit`: the one they share; `elements`: the rest of each task's submission."""
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
        return {"name": name, "circuit": circuit if missing else None, "elements": elements}


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


class ResultSerializer(serializers.Serializer[Any]):
    """Counts by bit string, in Qiskit's bit order and register spacing."""

    counts = serializers.DictField(child=serializers.IntegerField())
    shots = serializers.IntegerField()
    memory = serializers.ListField(child=serializers.CharField(), required=False)
    metadata = serializers.DictField()


class TaskSummarySerializer(serializers.ModelSerializer[Task]):
    """A task without circuit, result and history."""

    status = serializers.ChoiceField(source="current_status", choices=Status.choices)

    class Meta:
        model = Task
        fields = [
            *("task_id", "status", "name", "tags", "batch_id", "shots"),
            *("submitted_at", "started_at", "completed_at", "error_code"),
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


class BatchSerializer(serializers.ModelSerializer[Batch]):
    """A batch: its elements in order, and how many are in each state."""

    counts = serializers.DictField(child=serializers.IntegerField())
    tasks = BatchElementSerializer(many=True)

    class Meta:
        model = Batch
        fields = ["batch_id", "name", "size", "submitted_at", "counts", "tasks"]


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
