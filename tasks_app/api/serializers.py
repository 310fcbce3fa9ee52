"""What comes in, checked strictly, and what goes out."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from tasks_app.api.errors import ApiError
from tasks_app.models import Status, StatusHistory, Task

MAX_SEED = 2**53 - 1  # the largest that every JSON parser keeps exact


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: not true, "10", 1.0 or 1e3."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class StrictTextField(serializers.CharField):
    """A JSON string, kept as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class SubmissionSerializer(serializers.Serializer[Any]):
    """A circuit to run."""

    circuit = StrictTextField(help_text="OpenQASM 3 or 2 program, up to 1 MiB of UTF-8.")
    shots = StrictIntegerField(
        default=1024,
        min_value=1,
        max_value=settings.CIRCUIT_LIMITS.max_shots,
        help_text="How often to run it.",
    )
    seed = StrictIntegerField(
        default=None,
        allow_null=True,
        min_value=0,
        max_value=MAX_SEED,
        help_text="Makes the counts repeatable; drawn at random and reported if absent.",
    )

    def to_internal_value(self, data: Any) -> Any:
        wrong: dict[str, Any] = {}
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            wrong = {name: ["This field is not known."] for name in unknown[:20]}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(wrong | dict(error.detail)) from None
        if wrong:
            raise serializers.ValidationError(wrong)
        return values

    def validate_circuit(self, circuit: str) -> str:
        if not circuit.strip():
            raise serializers.ValidationError("This field may not be blank.")
        size, limit = len(circuit.encode()), settings.CIRCUIT_LIMITS.max_circuit_bytes
        if size > limit:
            raise ApiError(
                f"The circuit has {size} bytes; the limit is {limit}.",
                code="circuit_too_large",
                status_code=413,
                details={"circuit": {"bytes": size, "max_bytes": limit}},
            )
        return circuit


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
    metadata = serializers.DictField()


class TaskSerializer(serializers.ModelSerializer[Task]):
    """A task with its history and, when completed, its result."""

    status = serializers.ChoiceField(source="current_status", choices=Status.choices)
    status_history = HistoryEntrySerializer(source="history", many=True)
    result = ResultSerializer(allow_null=True)
    message = serializers.SerializerMethodField()

    class Meta:
        model = Task
        fields = [
            "task_id",
            "status",
            "submitted_at",
            "completed_at",
            "shots",
            "result",
            "error_message",
            "error_code",
            "status_history",
            "message",
            "correlation_id",
        ]

    def get_message(self, task: Task) -> str:
        return {
            Status.PENDING: "The task waits for a worker.",
            Status.PROCESSING: "A worker is running the circuit.",
            Status.COMPLETED: "The circuit has been run.",
            Status.FAILED: "The task failed; error_message says why.",
            Status.CANCELLED: "The task was cancelled.",
        }[Status(task.current_status)]


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    error = serializers.CharField(help_text="A sentence for people.")
    code = serializers.CharField(help_text="Stable, for programs.")
    details = serializers.DictField()
    correlation_id = serializers.CharField()


class HealthSerializer(serializers.Serializer[Any]):
    """The state of the service and of what it depends on."""

    status = serializers.ChoiceField(choices=["healthy", "degraded"])
    database_status = serializers.ChoiceField(choices=["connected", "disconnected"])
    queue_status = serializers.ChoiceField(choices=["connected", "disconnected"])
    queue = serializers.DictField(
        allow_null=True, help_text="Messages ready, consumers, dead letters; null if unknown."
    )
    timestamp = serializers.DateTimeField()


class ProbeSerializer(serializers.Serializer[Any]):
    """The answer of a probe."""

    status = serializers.CharField()
