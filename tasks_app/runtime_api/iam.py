"""Keys for tokens: the IBM Runtime client sends its API key once an hour, and a token otherwise.

Our API tokens are the keys. The token that they are exchanged for is shaped like a JWT, as the
client wants it, signed by us, and names the key's hash: a key that is revoked ends its tokens too.
"""

import binascii
import json
import time
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.signing import b64_decode, b64_encode
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks_app import access
from tasks_app.api.errors import ApiError
from tasks_app.models import ApiToken

LIFETIME_S = 3600
GRANT = "urn:ibm:params:oauth:grant-type:apikey"
NOBODY = ""
"""The hash of who needs no key, where access is open."""
_HEADER = {"alg": "HS256", "typ": "JWT"}
_MOST = 4_096  # characters of what may be a token


class TokenView(APIView):
    """`POST /identity/token`: a key for a token."""

    schema = None
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser,)

    def post(self, request: Request) -> Response:
        form: Any = request.data
        if form.get("grant_type") != GRANT:
            raise ApiError(400, "unsupported_grant_type", f"Only the grant type {GRANT} is known.")
        now = int(time.time())
        body = {
            "access_token": issued(_hash_of_key(form.get("apikey", "")), now),
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
            "expiration": now + LIFETIME_S,
            "scope": "ibm openid",
        }
        return Response(body)


def _hash_of_key(key: str) -> str:
    if access.valid_token(key) is not None:
        return access.hash_of(key)
    if settings.API_AUTH == "open" and not key.startswith(access.TOKEN_PREFIX):
        return NOBODY
    raise ApiError(401, "not_authenticated", "The API key is unknown, expired or revoked.")


def issued(sha256: str, now: int) -> str:
    """A token for the key with this hash."""
    claims = {"iat": now, "exp": now + LIFETIME_S, "sub": sha256}
    signed = f"{_packed(_HEADER)}.{_packed(claims)}"
    return f"{signed}.{_signature(signed)}"


def hash_in(token: str, now: float) -> str | None:
    """The hash of the key that a token was given for; None for what is no token, or is too old."""
    signed, _, signature = token.rpartition(".")
    if len(token) > _MOST or not constant_time_compare(signature, _signature(signed)):
        return None
    claims: dict[str, Any] = json.loads(b64_decode(signed.partition(".")[2].encode()))
    return str(claims["sub"]) if now < claims["exp"] else None


def _signature(signed: str) -> str:
    return b64_encode(salted_hmac(__name__, signed, algorithm="sha256").digest()).decode()


def _packed(part: dict[str, Any]) -> str:
    return b64_encode(json.dumps(part, separators=(",", ":")).encode()).decode()


class RuntimeAuthentication(BaseAuthentication):
    """`Bearer` with a token of ours or an API token, or `apikey` with an API token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() not in ("bearer", "apikey"):
            return None
        sha256 = _hash_of_sent(text.strip())
        if sha256 == NOBODY and settings.API_AUTH == "open":
            return None
        token = access.valid_hash(sha256) if sha256 else None
        if token is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _hash_of_sent(text: str) -> str | None:
    if text.startswith(access.TOKEN_PREFIX):
        return access.hash_of(text)
    try:
        return hash_in(text, time.time())
    except (ValueError, KeyError, binascii.Error):
        return None
