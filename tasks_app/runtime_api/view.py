"""What all views for the IBM Runtime client share."""

import uuid

from rest_framework.views import APIView

from tasks_app.api.auth import TaskAccess
from tasks_app.api.content import AnyMediaType
from tasks_app.runtime_api.iam import RuntimeAuthentication


class RuntimeView(APIView):
    """Ours own errors and permissions; its routes are not part of our API's description."""

    schema = None
    authentication_classes = (RuntimeAuthentication,)
    permission_classes = (TaskAccess,)
    content_negotiation_class = AnyMediaType


def uuid_of(text: str) -> uuid.UUID | None:
    """None for what is no id of ours."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
