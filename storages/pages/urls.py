"""Routes of all pages; each module lists its own."""

from django.urls import include, path

urlpatterns = [path("", include(f"storages.pages.{name}")) for name in ("home",)]
