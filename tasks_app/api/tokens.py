"""Logging in, and the tokens that one makes for programs."""

from datetime import timedelta

from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from tasks_app import access, logins
from tasks_app.api.auth import AUTHENTICATION, KnownUser
from tasks_app.api.errors import ApiError
from tasks_app.api.fields import (
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
    StrictTextField,
    checked,
    shown,
)
from tasks_app.api.schema import described
from tasks_app.models import ApiToken

PAGE_SIZE = 100


class LoginSerializer(StrictSerializer):
    """A user's name and password."""

    username = StrictTextField(max_length=150)
    password = StrictTextField(max_length=1000)


class NewTokenSerializer(StrictSerializer):
    """What a token is for, what it may do and until when."""

    label = StrictTextField(max_length=100)  # type: ignore[assignment]  # Field has one too
    read_only = StrictBooleanField(default=False)  # type: ignore[assignment]
    expires_in_days = StrictIntegerField(
        default=None, allow_null=True, min_value=1, max_value=3650, help_text="Absent: never."
    )


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its text."""

    class Meta:
        model = ApiToken
        fields = ["id", "label", "read_only", "created_at", "expires_at", "revoked_at"]


class TokenFilterSerializer(StrictSerializer):
    """Which tokens to list."""

    before = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, required=False, help_text="Those made before this one."
    )


class CreatedTokenSerializer(TokenSerializer):
    """A new token: the only time that its text is shown."""

    token = serializers.CharField()

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


@described("login", "Log in", {204: None}, 404, 415, 429, request=LoginSerializer)
@api_view(["POST"])
def log_in(request: Request) -> Response:
    """Start a session. Too many failures from an address are refused for a while."""
    credentials = checked(LoginSerializer, request.data)
    # Not through Django's `authenticate`, which does not say why it refuses.
    user = logins.ThrottledBackend().authenticate(request._request, **credentials)
    if user is None:
        raise ApiError(401, "not_authenticated", "User name or password is wrong.")
    login(request._request, user)
    return Response(status=204)


@extend_schema(operation_id="logout", summary="Log out", request=None, responses={204: None})
@api_view(["POST"])
def log_out(request: Request) -> Response:
    """End the session, if there is one."""
    logout(request._request)
    return Response(status=204)


class TokenViewSet(ViewSet):
    """One's own tokens."""

    authentication_classes = AUTHENTICATION
    permission_classes = (KnownUser,)

    @described(
        *("list_tokens", "List tokens", {200: TokenSerializer(many=True)}, 404, 415),
        parameters=[TokenFilterSerializer],
    )
    def list(self, request: Request) -> Response:
        """Newest first, a hundred at a time: `before` is the last one's id."""
        asked = checked(TokenFilterSerializer, request.query_params.dict())
        tokens = ApiToken.objects.filter(owner=_user(request)).order_by("-id")
        if "before" in asked:
            tokens = tokens.filter(pk__lt=asked["before"])
        return Response([shown(TokenSerializer, token) for token in tokens[:PAGE_SIZE]])

    @described(
        *("create_token", "Make a token", {201: CreatedTokenSerializer}, 404, 415),
        request=NewTokenSerializer,
    )
    def create(self, request: Request) -> Response:
        """The answer holds its text, which cannot be read again."""
        wanted = checked(NewTokenSerializer, request.data)
        days = wanted["expires_in_days"]
        token, text = access.create_token(
            _user(request),
            label=wanted["label"],
            read_only=wanted["read_only"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        access.audit(request._request, "token_created", f"{token.pk} {token}")
        token.token = text  # type: ignore[attr-defined]  # for this answer only
        token.refresh_from_db(fields=["created_at"])
        return Response(shown(CreatedTokenSerializer, token), status=201)

    @described("revoke_token", "Revoke a token", {204: None}, 404, 415)
    def destroy(self, request: Request, token_id: int) -> Response:
        """From now on it opens nothing."""
        tokens = ApiToken.objects.filter(owner=_user(request), pk=token_id)
        if not tokens.exists():
            raise NotFound("You have no token with this id.")
        access.revoke(tokens)
        access.audit(request._request, "token_revoked", token_id)
        return Response(status=204)


def _user(request: Request) -> User:
    assert isinstance(request.user, User)  # KnownUser saw to it
    return request.user
