"""All routes; config.slashes serves each with and without its final slash."""

from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

urlpatterns = [
    path("", include("storages.media.urls")),  # first: a page of media asks for a hundred of these
    path("", include("users.urls")),
    path("", include("projects.urls")),
    path("", include("tasks.urls")),
    path("", include("storages.urls")),
    path("", include("storages.pages.home")),
    path("docs/", require_safe(SpectacularSwaggerView.as_view()), name="docs"),  # its OPTIONS has no template
    path("docs/openapi.json", SpectacularJSONAPIView.as_view(), name="schema"),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
