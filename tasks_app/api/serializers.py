"""What goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tasks_app.models import Batch, Status, StatusHistory, Task


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


class ShownCircuitSerializer(serializers.Serializer[Any]):
    """The compiled circuit; with `parameter_sets` before its parameters are bound."""

    openqasm = serializers.CharField(
        allow_null=True, help_text="OpenQASM 3; null for what it has no words for."
    )
    svg = serializers.CharField(help_text="A drawing of its first columns and wires.")
    qubits = serializers.IntegerField()
    depth = serializers.IntegerField()
    gate_counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="By name; those in control flow once."
    )


class RegisterSerializer(serializers.Serializer[Any]):
    """A classical register of the program, or an alias."""

    name = serializers.CharField()
    bits = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="The places of its bits in an outcome, from the right and without the spaces.",
    )


class ResultSerializer(SetResultSerializer):
    """What the run tells; with `parameter_sets` in `sets`, one for each in order."""

    circuit = ShownCircuitSerializer(
        required=False,
        allow_null=True,
        help_text="Null, with a note in the metadata, where each shot takes its own way.",
    )
    registers = RegisterSerializer(many=True, required=False)
    drawn = serializers.DictField(
        child=serializers.DictField(),
        required=False,
        help_text="What a samplex drew beside the values: arrays with a row for each set.",
    )
    sets = ParameterSetResultSerializer(many=True, required=False)
    shots = serializers.IntegerField()
    metadata = serializers.DictField()


class TaskSummarySerializer(serializers.ModelSerializer[Task]):
    """A task without circuit, result and history."""

    status = serializers.ChoiceField(source="current_status", choices=Status.choices)

    class Meta:
        model = Task
        fields = [
            *("task_id", "status", "name", "tags", "batch_id", "shots", "backend", "priority"),
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
        help_text="Pending tasks whose turn comes before this one's, as far as is known now; "
        "null if not pending or more than 1,000.",
    )
    estimated_start_at = serializers.DateTimeField(
        allow_null=True,
        help_text="From measured run times and the workers alive; null if unknown, or while its "
        "owner has as many tasks running as may.",
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


class BackendSummarySerializer(serializers.Serializer[Any]):
    """A backend, and how fast tasks went through it lately."""

    name = serializers.CharField()
    kind = serializers.CharField(help_text="What runs its circuits.")
    description = serializers.CharField()
    online = serializers.BooleanField(help_text="If not, its tasks wait.")
    max_qubits = serializers.IntegerField(help_text="Qubits of a task.")
    max_shots = serializers.IntegerField(help_text="Shots of a task.")
    pending = serializers.IntegerField()
    processing = serializers.IntegerField()
    workers = serializers.IntegerField(help_text="Worker processes alive that serve it.")
    slots = serializers.IntegerField(help_text="Circuits that they run at a time.")
    wait_p50_s = serializers.FloatField(allow_null=True)
    run_p50_s = serializers.FloatField(allow_null=True)


class BackendSerializer(BackendSummarySerializer):
    """A backend with what defines it."""

    qubits = serializers.IntegerField(allow_null=True, help_text="Of a device.")
    basis_gates = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="Of a device; null: any."
    )
    coupling_map = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        allow_null=True,
        help_text="Pairs of qubits that have a gate, in its order; null: any.",
    )
    definition = serializers.DictField(help_text="As docs/backends.md describes it.")


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    error = serializers.CharField(help_text="A sentence for people.")
    code = serializers.CharField(help_text="Stable, for programs.")
    details = serializers.DictField()
    correlation_id = serializers.CharField()
