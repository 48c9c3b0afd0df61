"""What the service tells anybody: its version and that it is up. Asks no database."""

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

PARTS = ["backend", "dm2", "lsf", "label-studio-converter", "label-studio-frontend", "label-studio-os-backend"]


class Version(APIView):
    """Keys as in contract.md §3.1; the edition decides which export flow the official SDK takes (§3.4)."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(operation_id="api_version_retrieve", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        version = {"version": settings.VERSION}
        package = {**version, "short_version": ".".join(settings.VERSION.split(".")[:2])}
        parts = {part: version for part in PARTS}
        return Response({"release": settings.VERSION, "edition": "Community", "label-studio-os-package": package, **parts})


class Health(APIView):
    """200 while the process serves requests."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(operation_id="health_retrieve", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"status": "UP"})
