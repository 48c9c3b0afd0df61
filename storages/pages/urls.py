"""Routes of all pages; each module lists its own."""

from django.urls import include, path

urlpatterns = [
    path("", include(f"storages.pages.{name}"))
    for name in (
        "projects",
        "project_settings",
        "runs",
        "issues",
        "schedule",
        "storage_list",
        "storage_actions",
        "storage_questions",
        "plan_page",
        "tasks",
        "task",
        "wizard.urls",
    )
]
