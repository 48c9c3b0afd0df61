"""Settings → Cloud Storage: all storages of a project as cards, and what has changed on them since a page was drawn.

A page asks with the tokens of its cards and gets only the parts that differ, so that an open menu and the focus stay.
"""

import hashlib
from collections.abc import Collection
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from projects.models import Project
from storages.backends import BACKENDS
from storages.pages import cards
from storages.pages.access import SOURCE, TARGET, page
from storages.pages.cards import Card

COLUMNS = (
    (SOURCE, "Source Cloud Storage", "Add Source Storage", "Objects of a source become tasks."),
    (TARGET, "Target Cloud Storage", "Add Target Storage", "Annotations are written to a target as JSON."),
)
ROOT = "projects/<int:project>/settings/storage"
PLACE = f"{ROOT}/<str:side>/<str:type>/<int:pk>"  # of one storage
UPDATE_SECONDS = {True: 2, False: 15}  # how often a page asks: while anything is active, and else


@require_safe
@never_cache
@page
def storage_list(request: HttpRequest, project: Project) -> HttpResponse:
    """The whole page. A list that cannot be read is told as such, with status 503."""
    context: dict[str, Any] = {"project": project, "section": "storage"}
    try:
        found = cards.load_placed(project)
    except DatabaseError:
        return render(request, "storages/storage_failed.html", context, status=503)
    columns = [
        {"side": side, "heading": heading, "add": add, "about": about, "cards": [c for c in found if c.side == side]}
        for side, heading, add, about in COLUMNS
    ]
    context |= {"columns": columns, "found": found, "backends": BACKENDS.values(), "poll": poll(found)}
    return render(request, "storages/storage_list.html", context)


@require_safe
@never_cache
@page
def news(request: HttpRequest, project: Project) -> HttpResponse:
    """What differs from the tokens in ``seen``; 204 if nothing does."""
    seen = dict(token.partition(":")[::2] for token in request.GET.getlist("seen"))
    try:
        found = cards.load_recent(project)
    except DatabaseError:
        return HttpResponse(status=503)
    changed = [card for card in found if card.name in seen and card.token != f"{card.name}:{seen[card.name]}"]
    asks = poll(found)
    if not changed and all(f"{name}:{seen.get(name)}" in asks["tokens"] for name in ("list", "pace")):
        return HttpResponse(status=204)
    turned = [card for card in changed if not seen[card.name].startswith(f"{card.state}:")]
    more = {"other_list": f"list:{seen.get('list')}" not in asks["tokens"]}
    return tell(request, project, found, changed, turned=turned, **more)


def tell(
    request: HttpRequest,
    project: Project,
    found: Collection[Card],
    changed: Collection[Card],
    *,
    turned: Collection[Card] = (),
    **more: Any,
) -> HttpResponse:
    """The live parts of ``changed`` cards for a page that is open; ``turned``: those whose state is another one."""
    context = {"project": project, "changed": changed, "turned": turned, "poll": poll(found)}
    return render(request, "storages/storage_news.html", context | more)


def poll(found: Collection[Card]) -> dict[str, Any]:
    """How often a page with these cards asks, and with which tokens besides those of its cards."""
    busy = any(card.active for card in found)
    named = repr([(card.name, card.own["revision"]) for card in found])
    digest = hashlib.blake2b(named.encode(), digest_size=6).hexdigest()
    return {"seconds": UPDATE_SECONDS[busy], "tokens": [f"list:{digest}", f"pace:{'busy' if busy else 'idle'}"]}


urlpatterns = [
    path(ROOT, storage_list, name="storage-list"),
    path(f"{ROOT}/news", news, name="storage-news"),
]
