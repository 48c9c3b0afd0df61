"""Routes of all backends in both directions, derived from the registry, in the contract's canonical slash form."""

from django.urls import path

from storages.api import plan, runs, snapshots, views
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
        routes.append(path(f"{base}/<int:pk>/plan", plan.StoragePlan.as_view(**bound)))
    return routes


def _run_routes(direction: str) -> list:
    """One set for all backends, so that a path is found as fast however many there are."""
    base = f"api/storages{'' if direction == views.IMPORT else '/export'}/<str:type>/<int:pk>"
    bound = {"direction": direction}
    routes = [
        path(f"{base}/runs", runs.RunList.as_view(**bound)),
        path(f"{base}/runs/<int:run>", runs.RunDetail.as_view(**bound)),
        path(f"{base}/runs/<int:run>/issues", runs.RunIssues.as_view(**bound), name=f"{direction}-run-issues"),
        path(f"{base}/runs/<int:run>/cancel", runs.RunCancel.as_view(**bound)),
        path(f"{base}/cancel", runs.RunCancel.as_view(**bound)),
        path(f"{base}/runs/<int:run>/retry", runs.RunRetry.as_view(**bound)),
        path(f"{base}/retry", runs.RunRetry.as_view(**bound)),
    ]
    if direction == views.EXPORT:
        routes.append(path(f"{base}/snapshot", snapshots.Snapshot.as_view(**bound)))
    if direction == views.IMPORT:
        routes.append(path(f"{base}/flagged", runs.Flagged.as_view(**bound)))
    return routes


urlpatterns = [
    *_run_routes(views.IMPORT),
    *_run_routes(views.EXPORT),
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
]
