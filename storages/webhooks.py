"""Tells a URL that a sync has ended: signed, through the egress guard, again until it was taken.

The columns ``webhook_due`` and ``webhook_attempts`` of the run are the whole state; knows no queue and no job.
"""

import logging
import re
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import models
from django.utils import timezone

from config.crypto import DecryptionFailed
from storages import budget, checks, egress
from storages.errors import ConfigInvalid, EgressDenied, StorageError, Unavailable
from storages.fields import SecretField
from storages.notice import body, headers

log = logging.getLogger(__name__)
FIELD = "webhook_url"
LONGEST_URL = 2048
NUMBER = re.compile(r"(^|\.)(0x[0-9a-f]*|[0-9]+)$", re.IGNORECASE)  # the last part of a host that is an address
PATIENCE = 8  # seconds for one attempt as a whole, less than the shortest pause, so that attempts never overlap
PAUSES = [timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200)]  # after the first attempt, the second, …
AT_ONCE = 500  # runs handed out per round


class Notified(models.Model):
    """Columns of every storage."""

    webhook_url = models.TextField(
        "Webhook URL", null=True, blank=True, help_text="Gets a POST when a sync has ended, well or badly"
    )
    webhook_secret = SecretField(
        "Webhook secret", null=True, blank=True, help_text="Signs the POST (HMAC-SHA256), so that the receiver can trust it"
    )

    class Meta:
        abstract = True


def check(url: str) -> None:
    """Raises ConfigInvalid naming ``webhook_url`` for what is no http(s) URL, EgressDenied for a reserved address.

    Looks no name up: names are vetted at each POST. "" is no webhook and right. Messages quote no part of the URL but
    its host, since path and query may hold a token.
    """
    if not url:
        return
    if len(url) > LONGEST_URL or not (url.isascii() and url.isprintable()) or set(' \\"<>') & set(url):
        raise ConfigInvalid(f"a URL has at most {LONGEST_URL} characters, all of them ASCII and no blanks", field=FIELD)
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("http", "https") or not rest:
        raise ConfigInvalid("must be an http:// or https:// URL", field=FIELD)
    if "#" in url:
        raise ConfigInvalid("leave out the part from '#' on: it is never sent", field=FIELD)
    host = rest.partition("?")[0].partition("/")[0]
    if "@" in host:
        raise ConfigInvalid("leave user name and password out of the URL; requests are signed with webhook_secret", field=FIELD)
    parts = checks.parse_base_url(f"{scheme}://{host}", field=FIELD)
    _vet_number(parts.hostname or "")


def _vet_number(host: str) -> None:
    """Refuses a reserved address however it is written; what ends in a number is looked up nowhere (inet_aton(3))."""
    if ":" not in host and not NUMBER.search(host):
        return
    try:
        egress.resolve(host, 443)
    except EgressDenied as error:
        raise EgressDenied(str(error), field=FIELD) from None
    except Unavailable:
        raise ConfigInvalid(f"{host!r} is no address", field=FIELD) from None


def waiting(model: type[models.Model], now: datetime | None = None) -> list[int]:
    """Ids of the ended runs (of ImportRun or ExportRun) whose storage is to be told now, at most 500, longest due first.

    One query; runs whose storage has no URL are taken out of the waiting with a second one, all at once.
    """
    due = model.objects.filter(webhook_due__lte=now or timezone.now()).order_by("webhook_due")
    rows = list(due.values_list("pk", "storage__webhook_url")[:AT_ONCE])
    if nobody := [pk for pk, url in rows if not url]:
        model.objects.filter(pk__in=nobody).update(webhook_due=None)
    return [pk for pk, url in rows if url]


def deliver(model: type[models.Model], run_id: int) -> None:
    """One attempt to POST the end of a run, if it is due and nobody else makes it; never raises but for the database.

    Any 2xx counts as taken. Anything else is tried again after 10 s, 1 min, 5 min, 30 min and 2 h, then given up. The next
    attempt is written down before this one is made: a worker that dies meanwhile loses nothing, so a receiver may get
    the same delivery twice and tells it by X-Quayside-Delivery.
    """
    attempt = _claim(model, run_id)
    if attempt is None:
        return
    try:
        run = model.objects.select_related("storage").get(pk=run_id)
    except model.DoesNotExist:
        return
    except DecryptionFailed as error:
        return _put_off(model, run_id, attempt, "the storage", str(error))
    mine = model.objects.filter(pk=run_id, webhook_attempts=attempt)
    if not run.storage.webhook_url:
        mine.update(webhook_due=None)
    elif failure := _post(run):
        _put_off(model, run_id, attempt, _host(run.storage.webhook_url), failure)
    else:
        mine.update(webhook_due=None)


def _claim(model: type[models.Model], run_id: int) -> int | None:
    """The number of the attempt that is ours now, from 1; None if nothing is due or another worker was faster."""
    now = timezone.now()
    due = model.objects.filter(pk=run_id, webhook_due__lte=now)
    made = due.values_list("webhook_attempts", flat=True).first()
    if made is None:
        return None
    again = now + PAUSES[min(made, len(PAUSES) - 1)]
    return made + 1 if due.filter(webhook_attempts=made).update(webhook_attempts=made + 1, webhook_due=again) else None


def _put_off(model: type[models.Model], run_id: int, attempt: int, host: str, failure: str) -> None:
    """The pause was written by the claim; only the last attempt leaves nothing to wait for."""
    log.warning("webhook of %s %s: attempt %s at %s failed: %s", model.__name__, run_id, attempt, host, failure)
    if attempt > len(PAUSES):
        log.warning("webhook of %s %s: given up, %s does not take it", model.__name__, run_id, host)
        model.objects.filter(pk=run_id, webhook_attempts=attempt).update(webhook_due=None)


def _post(run: Any) -> str:
    """Why the receiver did not take it, "" if it did; nothing of the answer is read but its head."""
    url, content = run.storage.webhook_url, body(run, run.storage)
    sent = headers(run, content, run.storage.webhook_secret or "", int(time.time()))
    try:
        check(url)
        with budget.limited(PATIENCE) as limit, egress.session() as session:
            session.get_redirect_target = lambda answer: None  # else the body of a redirect is read to its end
            try:
                answer = session.post(url, data=content, headers=sent, allow_redirects=False, stream=True)
            except (OSError, ValueError) as error:  # those of requests among them; their texts quote path and query
                return f"no answer within {PATIENCE} s" if limit.spent else type(error).__name__
            answer.close()
    except StorageError as error:
        return str(error)
    if 300 <= answer.status_code < 400:
        return f"it answered {answer.status_code}, and redirects are not followed"
    return "" if 200 <= answer.status_code < 300 else f"it answered {answer.status_code}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"
