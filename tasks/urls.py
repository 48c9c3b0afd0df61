"""Routes of tasks, annotations and predictions in the contract's slash form; config.slashes serves the other form too."""

from django.urls import path

from tasks.api import actions, annotations, exports, imports, predictions, tasks

urlpatterns = [
    path("api/tasks/", tasks.Tasks.as_view(), name="task-list"),
    path("api/tasks/<int:pk>/", tasks.TaskDetail.as_view(), name="task-detail"),
    path("api/tasks/<int:pk>/annotations/", annotations.TaskAnnotations.as_view(), name="task-annotations"),
    path("api/annotations/<int:pk>/", annotations.AnnotationDetail.as_view(), name="annotation-detail"),
    path("api/annotations/bulk/", annotations.BulkAnnotations.as_view(), name="annotation-bulk"),
    path("api/annotations/bulk-delete/", annotations.BulkDelete.as_view(), name="annotation-bulk-delete"),
    path("api/predictions/", predictions.Predictions.as_view(), name="prediction-list"),
    path("api/predictions/<int:pk>/", predictions.PredictionDetail.as_view(), name="prediction-detail"),
    path("api/projects/<int:pk>/tasks/", tasks.ProjectTasks.as_view(), name="project-tasks"),
    path("api/projects/<int:pk>/annotators/", annotations.Annotators.as_view(), name="project-annotators"),
    path("api/projects/<int:pk>/import", imports.ImportTasks.as_view(), name="project-import"),
    path("api/projects/<int:pk>/import/predictions", imports.ImportPredictions.as_view(), name="project-import-predictions"),
    path("api/projects/<int:pk>/export", exports.Export.as_view(), name="project-export"),
    path("api/projects/<int:pk>/export/formats", exports.ExportFormats.as_view(), name="project-export-formats"),
    path("api/dm/actions/", actions.Actions.as_view(), name="actions"),
]
