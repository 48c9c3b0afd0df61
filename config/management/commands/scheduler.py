"""``manage.py scheduler``: the process that starts due syncs and notices dead ones."""

from django.core.management.base import BaseCommand

from config import cron


class Command(BaseCommand):
    """Runs until it is stopped."""

    help = "Starts due syncs and exports and notices dead runs, every few seconds (TICK_SECONDS)."

    def handle(self, *args: object, **options: object) -> None:
        from storages.jobs import tick

        cron.run(tick)
