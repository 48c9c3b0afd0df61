"""Recounts everything row by row in Python and compares it with the stored counters."""

from projects.models import Project
from tasks.models import Annotation, Prediction, Task


def assert_counters_right(project: Project) -> None:
    """Fails unless every counter of the project and of its tasks equals a count by hand."""
    rows = list(Task.objects.filter(project=project))
    annotations = list(Annotation.objects.filter(project=project))
    predictions = list(Prediction.objects.filter(project=project))
    for task in rows:
        own = [annotation for annotation in annotations if annotation.task_id == task.pk]
        skipped = sum(annotation.was_cancelled for annotation in own)
        assert (task.total_annotations, task.cancelled_annotations) == (len(own) - skipped, skipped)
        assert task.total_predictions == sum(prediction.task_id == task.pk for prediction in predictions)
        assert task.is_labeled == (len(own) >= task.overlap)
    assert {annotation.task_id for annotation in annotations} <= {task.pk for task in rows}
    inner_ids = [task.inner_id for task in rows]
    assert len(set(inner_ids)) == len(inner_ids)
    stored = Project.objects.get(pk=project.pk)
    assert stored.last_inner_id >= max(inner_ids, default=0)
    assert {
        "task_number": stored.task_number,
        "finished_task_number": stored.finished_task_number,
        "num_tasks_with_annotations": stored.num_tasks_with_annotations,
        "total_annotations_number": stored.total_annotations_number,
        "skipped_annotations_number": stored.skipped_annotations_number,
        "ground_truth_number": stored.ground_truth_number,
        "total_predictions_number": stored.total_predictions_number,
    } == {
        "task_number": len(rows),
        "finished_task_number": sum(task.is_labeled for task in rows),
        "num_tasks_with_annotations": len({a.task_id for a in annotations if not a.was_cancelled}),
        "total_annotations_number": sum(not annotation.was_cancelled for annotation in annotations),
        "skipped_annotations_number": sum(annotation.was_cancelled for annotation in annotations),
        "ground_truth_number": sum(annotation.ground_truth for annotation in annotations),
        "total_predictions_number": len(predictions),
    }
