"""Who is asking: a bearer token, or a browser's session."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from tasks_app.access import valid_token
from tasks_app.models import ApiToken


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer qt_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = valid_token(text.strip())
        if token is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API description names it."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class TaskAccess(BasePermission):
    """Everybody where `API_AUTH` is open, else who is known; a read-only token only reads."""

    message = "This token is read-only."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiToken) and request.auth.read_only:
            return request.method in SAFE_METHODS
        if settings.API_AUTH == "open":
            return True
        return isinstance(request.user, User)


class KnownUser(TaskAccess):
    """Like `TaskAccess`, but somebody even where access is open: tokens belong to a user."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and super().has_permission(request, view)


AUTHENTICATION = (BearerAuthentication, SessionAuthentication)
