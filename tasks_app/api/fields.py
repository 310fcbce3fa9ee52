"""Fields that take JSON strictly, and look at the size of what they get before its content."""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tasks_app.circuits.job import (
    MAX_DIMENSIONS,
    MAX_OBSERVABLES,
    MAX_TERMS,
    TOO_MANY_OBSERVABLES,
    UNSTORABLE,
    is_number,
    is_storable,
    observable_problem,
)

MAX_PARAMETERS = 10_000  # Numbers, those in arrays as well.
NOT_STORABLE = "Null characters and surrogates are not allowed."
NO_VALUE = "A finite number, true or false is required, or for an array a list of these."
MAX_ALIKE = 10  # Names that are given with one problem, before "and so many more".


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


class KnownChoiceField(serializers.ChoiceField):
    """Whoever chooses none of them is told which there are."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        self.error_messages["invalid_choice"] = f"Not one of {', '.join(self.choices)}."


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
        "oneOf": [
            {"type": "number", "minimum": 0, "maximum": 1},
            {
                "type": "array",
                "items": {"type": "number", "minimum": 0, "maximum": 1},
                "minItems": 1,
                "maxItems": settings.CIRCUIT_LIMITS.max_qubits,
            },
        ]
    }
)
class ProbabilitiesField(ProbabilityField):
    """A number from 0 to 1, or a list of them."""

    default_error_messages = {
        "invalid": "A number from 0 to 1 is required, or a list with one for each qubit."
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            return super().to_internal_value(data)
        if not 1 <= len(data) <= settings.CIRCUIT_LIMITS.max_qubits:
            self.fail("invalid")
        return [super(ProbabilitiesField, self).to_internal_value(value) for value in data]


class ParametersField(serializers.Field[Any, Any, Any, Any]):
    """Names with JSON numbers that a float can hold, or true or false, or lists of these, or a list
    of all that; kept as they are: 2 is no 2.0. In one piece, because a field for each costs a
    second for a request full of them.
    """

    default_error_messages = {
        "not_an_object": "An object of names and numbers is required, or a list of numbers.",
        "too_many": f"At most {MAX_PARAMETERS:,} numbers are possible.",
        "null": "This field may not be null.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict | list) or data == []:
            self.fail("not_an_object")
        if _holds_more(list(data.values()) if isinstance(data, dict) else data, MAX_PARAMETERS):
            self.fail("too_many")
        named = data if isinstance(data, dict) else {str(i): value for i, value in enumerate(data)}
        wrong = [name for name, value in named.items() if not is_value(value)]
        problems = first_of(wrong, NO_VALUE)
        problems |= unstorable(named)
        if problems:
            raise serializers.ValidationError(problems)
        return data


def _holds_more(values: Sequence[Any], most: int) -> bool:
    """Whether a list and the lists in it have more numbers; looks at lengths before items."""
    lists, numbers = [values], 0
    for _ in range(1 + MAX_DIMENSIONS):
        if numbers + sum(map(len, lists)) > most:
            return True
        items = [item for each in lists for item in each]
        lists = [item for item in items if type(item) is list]
        numbers += len(items) - len(lists)
    return False


def is_value(value: Any, dimensions: int = MAX_DIMENSIONS) -> bool:
    """Whether an input can have it: an array has no more dimensions."""
    if type(value) is list:
        inner = dimensions - 1
        return dimensions > 0 and bool(value) and all(is_value(each, inner) for each in value)
    return type(value) is bool or is_number(value)


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1},
        "minItems": 1,
        "maxItems": MAX_OBSERVABLES,
        "examples": [[{"ZZI": 0.5, "IXX": -1}]],
    }
)
class ObservablesField(serializers.Field[Any, Any, Any, Any]):
    """Weighted sums of Pauli strings."""

    default_error_messages = {
        "not_a_list": "A list of 1 or more observables is required.",
        "too_many": TOO_MANY_OBSERVABLES,
        "null": "This field may not be null.",
    }

    def to_internal_value(self, data: Any) -> list[dict[str, float]]:
        if not isinstance(data, list) or not data:
            self.fail("not_a_list")
        sizes = (len(terms) if isinstance(terms, dict) else 1 for terms in data)
        if len(data) > MAX_OBSERVABLES or sum(sizes) > MAX_TERMS:
            self.fail("too_many")
        max_qubits = settings.CIRCUIT_LIMITS.max_qubits
        problems = {str(i): observable_problem(terms, max_qubits) for i, terms in enumerate(data)}
        if wrong := {i: [problem] for i, problem in problems.items() if problem}:
            raise serializers.ValidationError(dict(islice(wrong.items(), MAX_ALIKE)))
        return data


def first_of(names: Collection[str], problem: str) -> dict[str, list[str]]:
    """The same problem with many names, by name: not more than anybody reads."""
    found = {name: [problem] for name in islice(names, MAX_ALIKE)}
    if len(names) > MAX_ALIKE:
        found["…"] = [f"{len(names) - MAX_ALIKE:,} more. {problem}"]
    return found


def unstorable(names: Collection[str]) -> dict[str, list[str]]:
    """The problem with names that PostgreSQL does not keep, by name."""
    return first_of([name for name in names if UNSTORABLE.search(name)], NOT_STORABLE)


class StorableField(serializers.JSONField):
    """Any JSON value that can be stored."""

    def to_internal_value(self, data: Any) -> Any:
        if not is_storable(data):
            raise serializers.ValidationError(NOT_STORABLE)
        return data


class BoundedListField(serializers.ListField):
    """A list that looks at its length before it looks at what it holds."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class BoundedDictField(serializers.DictField):
    """An object that looks at its length before it looks at what it holds."""

    default_error_messages = {"max_length": "At most {max_length} names are possible."}

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._max_length = max_length

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and len(data) > self._max_length:
            self.fail("max_length", max_length=self._max_length)
        values = dict(super().to_internal_value(data))
        if problems := unstorable(values):
            raise serializers.ValidationError(problems)
        return values


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
