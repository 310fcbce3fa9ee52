"""The admin's page of backends: made, changed, taken offline, and deleted once nothing waits."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest

from tasks_app import access
from tasks_app.circuits.backend import DEFAULT_BACKEND, check_definition
from tasks_app.circuits.device import InvalidDefinition
from tasks_app.circuits.job import is_storable
from tasks_app.models import Backend, Status, Task


class DefinitionField(forms.JSONField):
    """JSON that PostgreSQL keeps and every reader takes: Django's own reads and shows any text."""

    def to_python(self, value: Any) -> Any:
        try:
            definition = super().to_python(value)
            json.dumps(definition, allow_nan=False)
        except (RecursionError, ValueError):
            raise self._invalid(value) from None
        if not is_storable(definition):
            raise self._invalid(value)
        return definition

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            self.to_python(data)
        except ValidationError:
            return InvalidJSONInput(data)
        return super().bound_data(data, initial)

    def _invalid(self, value: Any) -> ValidationError:
        return ValidationError(
            self.error_messages["invalid"], code="invalid", params={"value": value}
        )


class BackendForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """With a definition that its kind can use."""

    class Meta:
        model = Backend
        fields = ("name", "kind", "description", "online", "max_qubits", "max_shots", "definition")
        field_classes = {"definition": DefinitionField}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if "kind" in values and "definition" in values:
            try:
                check_definition(values["kind"], values["definition"])
            except InvalidDefinition as error:
                raise ValidationError({"definition": str(error)}) from None
        return values


@admin.register(Backend)
class BackendAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What tasks are run on."""

    form = BackendForm
    list_display = ("name", "kind", "online", "max_qubits", "max_shots", "changed_at")
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not while tasks wait for it or run on it; a trigger keeps it too."""
        allowed = super().has_delete_permission(request, obj)
        if obj is None or not allowed:
            return allowed
        left = Task.objects.with_status(Status.PENDING, Status.PROCESSING)
        return obj.name != DEFAULT_BACKEND and not left.filter(backend=obj.name).exists()

    def save_model(self, request: HttpRequest, obj: Backend, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        access.audit(request, "backend_changed" if change else "backend_made", obj.name)

    def delete_model(self, request: HttpRequest, obj: Backend) -> None:
        access.audit(request, "backend_deleted", obj.name)
        super().delete_model(request, obj)
