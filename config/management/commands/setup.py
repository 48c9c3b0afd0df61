"""``manage.py setup``: what has to happen once before the processes start; safe to repeat at every start."""

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from config.crypto import DecryptionFailed
from config.env import EnvError, env_bool, env_secret, env_str
from users.first_user import FirstUser, ensure_first_user
from users.models import User


class Command(BaseCommand):
    """Prints how to sign in, nothing else, so that ``manage.py up`` can pass it on."""

    help = "Migrates the database, creates the first user (LABEL_STUDIO_USERNAME …), and the demo on a first run (DEMO=true)."

    def handle(self, *args: object, **options: object) -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
            first = first_user()
            demo = env_bool("DEMO", False) and first.password is not None  # known only if the account is new
        except (EnvError, ValueError, DecryptionFailed) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"the database cannot be used (DATABASE_URL): {error}") from error
        if demo and settings.LOCAL_FILES_SERVING_ENABLED and settings.LOCAL_FILES_DOCUMENT_ROOT:
            from config.demo import create_demo

            create_demo(User.objects.get(email=first.email))
        self.stdout.write(f"e-mail:   {first.email}")
        if first.password is not None and not env_secret("LABEL_STUDIO_PASSWORD"):
            self.stdout.write(f"password: {first.password}    (shown this once)")
        self.stdout.write(f"token:    {first.token}    (Authorization: Token …)")


def first_user() -> FirstUser:
    """The account of LABEL_STUDIO_USERNAME, _PASSWORD and _USER_TOKEN (each also as …_FILE but the name).

    The full names only: a bare USERNAME is set by some desktops and means the account of the machine.
    """
    password, token = env_secret("LABEL_STUDIO_PASSWORD"), env_secret("LABEL_STUDIO_USER_TOKEN")
    return ensure_first_user(env_str("LABEL_STUDIO_USERNAME"), password, token)
