"""What other apps may hear from projects, and must answer for it: this app does not know what a project holds."""

from django.dispatch import Signal

# a project must go with all it holds; the receiver deletes its row too. kwargs: project
delete_requested = Signal()

# maximum_annotations was changed; sent after the commit. kwargs: project_id
overlap_changed = Signal()
