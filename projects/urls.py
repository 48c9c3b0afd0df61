"""Routes of projects in the contract's slash form; config.slashes serves the other form too."""

from django.urls import path

from projects import views

urlpatterns = [
    path("api/projects/", views.Projects.as_view(), name="project-list"),
    path("api/projects/counts/", views.ProjectCounts.as_view(), name="project-counts"),
    path("api/projects/<int:pk>/", views.ProjectDetail.as_view(), name="project-detail"),
    path("api/projects/<int:pk>/validate/", views.ProjectValidate.as_view(), name="project-validate"),
]
