"""What a card's buttons do at once: sync and cancel. The rules are those of the API."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_POST

from config.crypto import DecryptionFailed
from projects.models import Project
from storages import jobs, queueing
from storages.api import starting
from storages.base import Storage
from storages.errors import StorageError
from storages.pages import cards
from storages.pages.access import find_storage, page
from storages.pages.storage_list import PLACE, tell

GONE = "This storage was deleted meanwhile. Nothing was started."
OFF = "Syncing is switched off for this storage (synchronizable=false). Switch it on through the API to sync it."
UNREACHED = "No sync was started, because the storage cannot be reached. Its card says why, and what to do."
AWAY = "The queue does not answer, so no worker can be called. It waits, and starts by itself once the queue is back."
UNREADABLE = "A stored secret cannot be read with the server's key. Edit the storage and enter the credentials again."
Said = tuple[int, str]  # level of a message, and the message


def action(do: Callable[..., Said]) -> Callable[..., HttpResponse]:
    """A POST to a storage that answers with a message: in the card if it is asked from an open page, else on the list."""

    @require_POST
    @page
    @wraps(do)
    def view(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
        try:
            said = do(request, find_storage(project, side, type, pk))
        except Http404:
            said = messages.ERROR, GONE
        except DecryptionFailed:
            said = messages.ERROR, UNREADABLE
        if not request.htmx:
            messages.add_message(request, *said)
            return redirect("storage-list", project=project.pk)
        found = cards.load(project)
        name = f"{side}-{pk}"
        more = {"said_to": name, "said": said[1], "tone": messages.DEFAULT_TAGS[said[0]]}
        return tell(request, project, found, [card for card in found if card.name == name], **more)

    return view


@action
def sync(request: HttpRequest, storage: Storage) -> Said:
    """Starts a sync; ``only_new`` leaves out what a target has already."""
    if not storage.synchronizable:
        return messages.ERROR, OFF
    try:
        run = starting.start_sync(storage, request.user, "page", only_new=bool(request.POST.get("only_new")))
    except StorageError:
        return messages.ERROR, UNREACHED
    if run is None:
        return messages.WARNING, "A sync of this storage is under way already. Wait for its end, or cancel it."
    return queued("The sync is queued.")


@action
def cancel(request: HttpRequest, storage: Storage) -> Said:
    """Ends the sync that is queued or running."""
    if storage.run is None or not jobs.cancel(storage.run, request.user):
        return messages.WARNING, "There is nothing to cancel: no sync of this storage is queued or running."
    return messages.SUCCESS, "The sync was cancelled. What it had saved is kept."


def queued(text: str) -> Said:
    """``text``, and a warning with it if the queue cannot hand the work to anybody now."""
    return (messages.SUCCESS, text) if queueing.is_there() else (messages.WARNING, f"{text} {AWAY}")


urlpatterns = [
    path(f"{PLACE}/sync", sync, name="storage-sync"),
    path(f"{PLACE}/cancel", cancel, name="storage-cancel"),
]
