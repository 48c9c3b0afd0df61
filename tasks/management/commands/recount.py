"""``manage.py recount``: repairs the counters of one project or of all."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from projects.models import Project
from tasks.counters import repair


class Command(BaseCommand):
    help = "Recount tasks, annotations and predictions, and repair counters that are wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", nargs="*", type=int, help="project ids; none: every project")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.order_by("id")
        if wanted := set(options["project"]):
            projects = projects.filter(pk__in=wanted)
        ids = list(projects.values_list("id", flat=True))
        if missing := wanted - set(ids):
            raise CommandError(f"no such project: {', '.join(map(str, sorted(missing)))}")
        for project_id in ids:
            self.stdout.write(f"project {project_id}: {'repaired' if repair(project_id) else 'was right'}")
