"""All routes; config.slashes serves each with and without its final slash."""

from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

urlpatterns = [
    path("", include("storages.media.urls")),  # first: a page of media asks for a hundred of these
    path("", include("users.urls")),
    path("", include("users.pages.urls")),
    path("", include("projects.urls")),
    path("", include("tasks.urls")),
    path("", include("storages.urls")),
    path("", include("storages.pages.urls")),
    path("docs/", require_safe(SpectacularSwaggerSplitView.as_view(template_name="users/docs.html")), name="docs"),
    path("docs/openapi.json", SpectacularJSONAPIView.as_view(), name="schema"),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
