"""What the client asks about the account: instances, plans, usage. There is one of each."""

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api import query
from tasks_app.runtime_api import repetition
from tasks_app.runtime_api.view import RuntimeView

PLAN = "internal"
INSTANCE = "quantum-tasks"
CRN = "crn:v1:quantum-tasks:private:quantum-computing:us-east:a/self:hosted::"
"""The client takes the sixth part for a region, of which it knows two."""
_UNLIMITED_S = 2**31 - 1


class InstancesView(RuntimeView):
    """`POST /v3/resources/search`: IBM Cloud's search, which finds the one instance."""

    @query.takes_these("limit", "search_cursor", "account_id", "timeout", "sort", "is_deleted")
    def post(self, request: Request) -> Response:
        instance = {
            "crn": CRN,
            "name": INSTANCE,
            "service_plan_unique_id": PLAN,
            "tags": [],
            "doc": {"extensions": [{"name": "backends"}]},
        }
        return Response({"items": [instance], "limit": 100})


class PlanView(RuntimeView):
    """`GET /api/v1/{id}`: IBM Cloud's catalogue."""

    @query.takes_these("include", "languages", "complete", "depth")
    def get(self, request: Request, plan: str) -> Response:
        return Response(
            {
                "id": plan,
                "name": PLAN,
                "kind": "plan",
                "overview_ui": {"en": {"display_name": PLAN}},
                "metadata": {"pricing": {"type": "free"}},
            }
        )


class UsageView(RuntimeView):
    """`GET /instances/usage`, which the client asks for before each submission."""

    def get(self, request: Request) -> HttpResponseBase:
        response = Response(
            {
                "instance_id": CRN,
                "plan_id": PLAN,
                "usage_consumed_seconds": 0,
                "usage_remaining_seconds": _UNLIMITED_S,
                "usage_limit_reached": False,
            }
        )
        repetition.mark(request, response)
        return response
