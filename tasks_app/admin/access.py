"""The admin's pages for tokens, limits, workers and the audit."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from tasks_app import access
from tasks_app.models import ApiToken, AuditEntry, OwnerLimits, Worker


class NeverChanged:
    """A record: it can be looked at, and nothing else."""

    def _never(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _never


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """With an expiry to come."""

    def clean_expires_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["expires_at"]
        if at and at <= timezone.now():
            raise forms.ValidationError("That is over: the token would open nothing.")
        return at


@admin.register(ApiToken)
class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Tokens are made, shown once, and revoked; never edited or deleted."""

    list_display = ("label", "owner", "read_only", "created_at", "expires_at", "revoked_at")
    list_select_related = ("owner",)
    list_filter = ("read_only",)
    search_fields = ("label", "owner__username")
    form = TokenForm
    fields = ("owner", "label", "read_only", "expires_at")
    autocomplete_fields = ("owner",)
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)  # for the action

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A token does what its owner may: only a superuser makes one for somebody else."""
        user = request.user
        if isinstance(user, User) and not user.is_superuser:
            kwargs["queryset"] = User.objects.filter(pk=user.pk)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        try:
            made, text = access.create_token(
                obj.owner, label=obj.label, read_only=obj.read_only, expires_at=obj.expires_at
            )
        except access.TooManyTokens:
            raise PermissionDenied from None
        obj.pk, obj._state.adding = made.pk, False
        access.audit(request, "token_created", f"{made.pk} {made}")
        shown = format_html("The token, shown only this once: <code>{}</code>", text)
        messages.warning(request, shown)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        for token in tokens:
            access.audit(request, "token_revoked", f"{token.pk} {token}")
        access.revoke(tokens)
        messages.success(request, "They open nothing any more.")


@admin.register(OwnerLimits)
class LimitsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Limits of single owners; an empty one is the settings'."""

    list_display = (
        *("owner", "pending", "per_minute", "stored_mb", "shots", "qubits"),
        *("max_running", "max_priority", "weight"),
    )
    list_select_related = ("owner",)
    autocomplete_fields = ("owner",)


class LimitsInline(admin.StackedInline):  # type: ignore[type-arg]
    """The user's own limits; without any, the settings'."""

    model = OwnerLimits
    verbose_name_plural = "limits"


class TokensInline(NeverChanged, admin.TabularInline):  # type: ignore[type-arg]
    """The user's tokens, which the page of all tokens revokes."""

    model = ApiToken
    verbose_name_plural = "API tokens"
    fields = readonly_fields = ("label", "read_only", "created_at", "expires_at", "revoked_at")
    ordering = ("-created_at",)


admin.site.unregister(User)


@admin.register(User)
class OwnerAdmin(UserAdmin):  # type: ignore[type-arg]
    """A user, with what it may use up and what opens the API for it."""

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        return [LimitsInline, TokensInline] if obj else []

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with users: their tokens too, which nobody may delete alone."""
        found, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return found, counts, set(forbidden) - {ApiToken._meta.verbose_name}, protected


@admin.register(AuditEntry)
class AuditAdmin(NeverChanged, admin.ModelAdmin):  # type: ignore[type-arg]
    """Who did what, newest first."""

    list_display = ("at", "actor", "action", "target", "address", "correlation_id")
    list_filter = ("action",)
    ordering = ("-at",)
    show_full_result_count = False
    actions = None


@admin.register(Worker)
class WorkerAdmin(NeverChanged, admin.ModelAdmin):  # type: ignore[type-arg]
    """Worker processes as they last reported themselves."""

    list_display = ("worker", "slots", "walls", "started_at", "seen_at")
    ordering = ("-seen_at",)
    actions = None
