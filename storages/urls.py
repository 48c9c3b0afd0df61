"""Routes of all backends in both directions, derived from the registry, in the contract's canonical slash form."""

from django.urls import include, path

from storages.api import views
from storages.backends import BACKENDS
from storages.base import Backend


def _routes(backend: Backend, direction: str) -> list:
    base = f"api/storages/{backend.name}" if direction == views.IMPORT else f"api/storages/export/{backend.name}"
    bound = {"backend": backend, "direction": direction}
    routes = [
        path(f"{base}/" if direction == views.IMPORT else base, views.StorageList.as_view(**bound)),
        path(f"{base}/validate", views.StorageValidate.as_view(**bound)),
        path(f"{base}/doctor", views.StorageDoctor.as_view(**bound)),
        path(f"{base}/form", views.StorageForm.as_view(**bound)),
        path(f"{base}/<int:pk>", views.StorageDetail.as_view(**bound)),
        path(f"{base}/<int:pk>/sync", views.StorageSync.as_view(**bound)),
    ]
    if direction == views.IMPORT:
        routes.append(path(f"{base}/files", views.StorageFiles.as_view(**bound)))
    return routes


urlpatterns = [
    path("api/storages/", views.AllStorages.as_view(direction=views.IMPORT)),
    path("api/storages/export", views.AllStorages.as_view(direction=views.EXPORT)),
    path("api/storages/types", views.StorageTypes.as_view()),
    path("api/storages/export/types", views.StorageTypes.as_view()),
    *(
        route
        for backend in BACKENDS.values()
        for direction in (views.IMPORT, views.EXPORT)
        for route in _routes(backend, direction)
    ),
    path("", include("storages.media.urls")),
]
