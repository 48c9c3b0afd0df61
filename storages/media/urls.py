"""Routes that browsers load media from; not under /api (contract.md §2.1)."""

from django.urls import path

from storages.media.local_files import LocalFile
from storages.media.views import ProjectMedia, TaskMedia

urlpatterns = [
    path("tasks/<int:pk>/resolve/", TaskMedia.as_view(), name="task-resolve"),
    path("tasks/<int:pk>/presign/", TaskMedia.as_view(), name="task-presign"),
    path("projects/<int:pk>/resolve/", ProjectMedia.as_view(), name="project-resolve"),
    path("projects/<int:pk>/presign/", ProjectMedia.as_view(), name="project-presign"),
    path("data/local-files/", LocalFile.as_view(), name="local-files"),
]
