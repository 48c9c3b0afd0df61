"""Routes of the wizard's pages."""

from django.urls import include, path

DRAFT = "projects/<int:project>/settings/storage/drafts/<uuid:draft>/"
PAGES = ("connection", "settings", "preview", "names", "review", "saving")

urlpatterns = [
    path("", include("storages.pages.wizard.provider")),
    *(path(DRAFT, include(f"storages.pages.wizard.{name}")) for name in PAGES),
]
