"""What comes in, checked strictly."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework import serializers

from tasks_app import backends, json_text, tracing
from tasks_app.api.errors import ApiError
from tasks_app.api.fields import (
    BoundedDictField,
    BoundedListField,
    KnownChoiceField,
    ObservablesField,
    ParametersField,
    ProbabilitiesField,
    ProbabilityField,
    StorableField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
    StrictTextField,
    first_of,
)
from tasks_app.circuits import CircuitError
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.circuits.job import (
    FORMATS,
    MAX_SEED,
    MAX_SETS,
    METHODS,
    OUTPUTS,
    circuit_bytes,
)
from tasks_app.circuits.qpy_file import check_beginning
from tasks_app.models import MAX_PRIORITY, Task

MAX_BATCH = 1000
DEFAULT_SHOTS = 1024
MAX_NAMED = 20  # backends, in an error
MAX_ARGUMENTS = 1_000  # Of a samplex.
MAX_NOISY_GATES = 100  # More than there are.
_CIRCUIT_HELP = (
    "OpenQASM 3 or 2, up to 1 MiB of UTF-8; or with the format qpy a QPY file in base64, plain or "
    "compressed by zlib or gzip, up to 1 MiB decoded."
)
RUN_OPTIONS = (
    *("circuit_format", "method", "memory", "parameters", "parameter_sets", "samplex", "noise"),
    *("observables", "precision", "outputs", "optimization_level"),
)


class BackendField(StrictTextField):
    """The name of a backend that there is."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in (known := backends.known()):
            raise serializers.ValidationError(f"Not one of {', '.join(sorted(known)[:MAX_NAMED])}.")
        return name


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


class SamplexSerializer(StrictSerializer):
    """Values drawn by samplomatic, some of those that its executor would draw."""

    samplex_json = StrictTextField(
        max_length=settings.CIRCUIT_LIMITS.max_circuit_bytes, help_text="As samplomatic writes it."
    )
    arguments = BoundedDictField(
        child=StorableField(),
        max_length=MAX_ARGUMENTS,
        help_text="By name: true or false, a whole number, or an array or a map of noise as the "
        "executor has them.",
    )
    shape = BoundedListField(
        child=StrictIntegerField(min_value=1, max_value=2**31),
        max_length=32,
        help_text="Of all elements, which extends that of the arguments.",
    )
    first = StrictIntegerField(min_value=0, max_value=2**31, help_text="Of the elements to draw.")
    count = StrictIntegerField(min_value=1, max_value=MAX_SETS, help_text="How many to draw.")


class ElementSerializer(LabelsSerializer):
    """One circuit and how to run it, where defaults may be given elsewhere."""

    circuit = StrictTextField(required=False, help_text=_CIRCUIT_HELP)
    circuit_format = KnownChoiceField(FORMATS, required=False, help_text="openqasm if absent.")
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
    method = KnownChoiceField(
        METHODS, required=False, help_text="Simulation method; automatic if absent."
    )
    memory = StrictBooleanField(
        required=False, help_text="Also return each shot's outcome, in order."
    )
    parameters = ParametersField(
        required=False,
        help_text="Values of the program's `input` declarations, by name, or in the order of "
        "declaration (of QPY: in that of Qiskit's `circuit.parameters`).",
    )
    parameter_sets = BoundedListField(
        child=ParametersField(),
        required=False,
        max_length=MAX_SETS,
        allow_empty=False,
        help_text="Instead of `parameters`: values for a run each, read and compiled once.",
    )
    samplex = SamplexSerializer(
        required=False, help_text="Instead of both: draws the values, in order, for a run each."
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
        child=KnownChoiceField(OUTPUTS),
        required=False,
        max_length=len(OUTPUTS),
        allow_empty=False,
        help_text="What the result holds; counts if absent and there are no observables.",
    )
    optimization_level = StrictIntegerField(
        required=False,
        min_value=0,
        max_value=3,
        help_text="How hard to compile for a backend that simulates a device; 2 if absent.",
    )
    backend = BackendField(required=False, help_text="Where to run it; aer if absent.")
    priority = StrictIntegerField(
        required=False,
        min_value=-MAX_PRIORITY,
        max_value=MAX_PRIORITY,
        help_text="Higher ones go first; 0 if absent. Above 0 as far as one's limits allow.",
    )

    def validate_parameter_sets(self, sets: list[Any]) -> list[Any]:
        names = _names(sets[0])
        other = [str(i) for i, values in enumerate(sets) if _names(values) != names]
        if other:
            problem = "The names of the first set are required, and no others."
            if isinstance(names, int):
                problem = f"A list of {names:,} values is required, as the first set is one."
            raise serializers.ValidationError(first_of(other, problem))
        return sets

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if "parameters" in values and "parameter_sets" in values:
            problem = ["Give either parameters or parameter_sets."]
            raise serializers.ValidationError({"parameter_sets": problem})
        _check_shots(values)
        if "samplex" in values and not values.keys().isdisjoint(("parameters", "parameter_sets")):
            raise serializers.ValidationError({"samplex": ["Give no parameters beside it."]})
        return values

    def validate_circuit(self, circuit: str) -> str:
        if not circuit.strip():
            raise serializers.ValidationError("This field may not be blank.")
        return circuit


def _check_shots(element: Mapping[str, Any]) -> None:
    """Against its backend's limit."""
    name, shots = element.get("backend", DEFAULT_BACKEND), element.get("shots", DEFAULT_SHOTS)
    backend = backends.known().get(name)
    if backend is not None and backend.max_shots is not None and shots > backend.max_shots:
        problem = f"The backend {name} runs at most {backend.max_shots:,} shots of a task."
        raise serializers.ValidationError({"shots": [problem]})


def _names(values: Any) -> Any:
    """Of a set's values; how many there are if they are given in order."""
    return values.keys() if isinstance(values, dict) else len(values)


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
    size = len(json_text.dumps(elements)) + len(elements) * len(json_text.dumps(shared))
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
    trace = tracing.traceparent.get()
    return Task(**{"shots": DEFAULT_SHOTS, **columns}, options=options, traceparent=trace, **fields)
