"""What other apps may hear from tasks. Each signal is sent inside the transaction of its change."""

from django.dispatch import Signal

# annotations were created, updated or deleted. kwargs: project_id, pairs=[(annotation_id, task_id), …],
# deleted (the rows are gone already, in the same transaction)
annotations_changed = Signal()

# tasks are about to be deleted, their annotations already are. kwargs: project_id, task_ids=[…]
tasks_deleting = Signal()

# a project is going to be deleted: what adds tasks to it should stop. Not in a transaction. kwargs: project_id
project_closing = Signal()

# a project is about to be deleted; its tasks already are. kwargs: project_id
project_deleting = Signal()

# one page of serialized tasks is about to be answered; receivers may change the dicts in place, with a constant
# number of queries. kwargs: payloads=[dict, …] (each with id, project, data, storage_filename), resolve=bool,
# signed_for (the user who may load what is resolved without signing in, or None)
tasks_presenting = Signal()
