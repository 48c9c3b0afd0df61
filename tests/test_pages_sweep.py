"""What must hold for every page: tokens on forms, headers, no inline code, no secret, hostile texts as text, no way elsewhere."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from storages.fields import secret_names
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture
from tests.markup import Markup
from tests.routes import Estate, is_page, routes, settle

pytestmark = pytest.mark.django_db
SIGN_IN, SIGN_OUT = "/user/login/", "/user/logout/"
PAGES = sorted(route for route, view in routes() if is_page(view))
HOSTILE = "<img src=x onerror=alert(1)>'\"\u202e"
TYPED = "typed-but-not-to-be-shown"  # in every secret field of what is posted
HTMX = {"hx-request": "true"}
ELSEWHERE = (
    "//evil.example", "https://evil.example/", "http:evil.example", "javascript:alert(1)", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "https:/\\evil.example", "http://testserver@evil.example/", "http://testserver.evil.example/", "data:text/html,x",
)  # fmt: skip


@pytest.fixture
def estate(alice, project, s3) -> Estate:
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / f"pages-{uuid.uuid4().hex[:8]}"
    directory.mkdir()
    s3.put("data", f"{HOSTILE}.json", b'{"image": "x"}')
    s3.put("data", f"{HOSTILE}.png", b"no picture", "image/png")
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
    return settle(alice, project, keys | {"bucket": "data", "s3_endpoint": s3.url}, str(directory), HOSTILE)


def signed_in(user, **options) -> Client:
    browser = Client(**options)
    browser.force_login(user)
    return browser


def paths(estate: Estate) -> list[str]:
    return [path for route in PAGES for path in estate.paths(route)]


@contextmanager
def undone() -> Iterator[None]:
    """What a request changes is there only as long as the block."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def body(answer: HttpResponse) -> str:
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode("utf-8", "replace")


def check_headers(answer: HttpResponse, said: str) -> None:
    policy = dict(rule.split(" ", 1) for rule in answer["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'", said
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'", said
    assert "unsafe" not in str(policy) and "*" not in str(policy), said
    assert answer["X-Frame-Options"] == "DENY" and answer["X-Content-Type-Options"] == "nosniff", said
    assert answer["Referrer-Policy"] in ("same-origin", "no-referrer"), said


def check_markup(answer: HttpResponse, secrets: list[str], said: str) -> Markup:
    text = body(answer)
    assert not [secret for secret in secrets if secret in text + str(dict(answer.items()))], f"{said} shows a secret"
    if not answer["Content-Type"].startswith("text/html"):
        return Markup("")
    found = Markup(text)
    assert found.faults == [], said
    assert "<img src=x" not in text, said
    return found


def leads_elsewhere(answer: HttpResponse) -> list[str]:
    """Addresses in the answer's headers by which a browser (WHATWG URL: "\\" is "/", tabs are nothing) leaves this host."""
    names = ("Location", "HX-Redirect", "HX-Location", "HX-Push-Url", "HX-Replace-Url", "Refresh")
    given = [re.sub(r"[\t\r\n]", "", answer.get(name, "")).replace("\\", "/") for name in names]
    return [url for url in given if urlsplit(urljoin("http://testserver/here/", url))[:2] != ("http", "testserver")]


def fields(estate: Estate) -> dict[str, str]:
    """One form for all pages: every setting that a storage can have, hostile where it is text, and secrets."""
    [source], [target] = (estate.owned[f"/api/storages/{place}s3/"] for place in ("", "export/"))
    columns = {column.name for one in (source, target) for column in one._meta.concrete_fields} - {"id", "type", "project"}
    texts = dict.fromkeys(columns | {"description", "label_config", "name", "email", "first_name", "which", "key"}, HOSTILE)
    right = {"type": "s3", "bucket": "data", "s3_endpoint": source.s3_endpoint, "use_blob_urls": "True"}
    return texts | right | dict.fromkeys([*secret_names(type(source)), "password"], TYPED)


def test_a_post_without_the_token_is_refused_everywhere_and_changes_nothing(alice, estate):
    unguarded, taken = signed_in(alice, enforce_csrf_checks=True), 0
    before, places = estate.snapshot(), [*paths(estate), SIGN_IN, SIGN_OUT]
    for path in places:
        for headers in ({}, HTMX, {"origin": "https://evil.example"}):
            assert unguarded.post(path, fields(estate), headers=headers).status_code in (403, 405), path
    assert estate.snapshot() == before
    for path in places:
        with undone():
            taken += signed_in(alice).post(path).status_code not in (403, 405)
    assert taken > 25  # it was the token that was missing


def test_every_page_keeps_its_headers_and_its_markup_and_shows_no_secret(alice, estate):
    client, pages, forms, shown = signed_in(alice), 0, 0, 0
    query = {
        "draft": estate.form["draft"],
        "search": HOSTILE,
        "name": HOSTILE,
        "code": HOSTILE,
        "key": f"{HOSTILE}.png",
        "uri": HOSTILE,
    }
    for path in [*paths(estate), SIGN_IN, "/nothing/here", "/projects/0/"]:
        for headers in ({}, HTMX):
            answer = client.get(path, query, headers=headers | {"accept": "text/html"})
            assert answer.status_code < 500, f"{path}: {body(answer)}"
            if not path.endswith("/thumbnail"):
                check_headers(answer, path)
            found = check_markup(answer, estate.secrets, path)
            pages, forms, shown = pages + (found.text != ""), forms + found.forms, shown + (HOSTILE in found.text)
    assert pages > 80 and forms > 80 and shown > 60


def test_what_was_typed_comes_back_as_text_and_secrets_not_at_all(alice, estate):
    client, entered, shown = signed_in(alice), fields(estate), 0
    for path in paths(estate):
        for headers in ({}, HTMX):
            with undone():
                answer = client.post(path, entered, headers=headers)
                assert answer.status_code < 500, f"{path}: {body(answer)}"
                check_headers(answer, path)
                found = check_markup(answer, [TYPED, *estate.secrets[path == "/user/account/key" :]], path)
                shown += HOSTILE in found.text
    assert shown > 20


def test_media_of_a_draft_are_refused_or_come_in_a_sandbox(alice, estate):
    client, drafts = signed_in(alice), estate.paths("/projects/<int:project>/settings/storage/drafts/<uuid:draft>/thumbnail")
    answers = [client.get(path, {"key": f"{HOSTILE}.png"}) for path in drafts]
    assert 200 in [answer.status_code for answer in answers]
    for answer in answers:
        assert answer["X-Content-Type-Options"] == "nosniff" and answer["X-Frame-Options"] == "DENY"
        assert answer.status_code != 200 or answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("address", ELSEWHERE)
def test_signing_in_leads_nowhere_else(alice, address):
    for sent in ({"data": {"next": address}}, {"query_params": {"next": address}}):
        data = {"username": alice.email, "password": "secret-pass-1"} | sent.get("data", {})
        answer = Client().post(SIGN_IN, data, query_params=sent.get("query_params"))
        assert answer.status_code == 302 and answer["Location"] == "/", answer["Location"]
        out = signed_in(alice).post(SIGN_OUT, sent.get("data"), query_params=sent.get("query_params"))
        assert out.status_code == 302 and leads_elsewhere(out) == []
    form = Client().get(SIGN_IN, {"next": address})
    assert Markup(body(form)).faults == [] and f'value="{address}"' not in body(form)


def test_no_page_takes_an_address_elsewhere_to_go_to(alice, estate):
    names = ("next", "return", "return_to", "back", "url", "redirect", "redirect_to", "continue")
    member, nobody = signed_in(alice), Client()
    for number, path in enumerate(paths(estate)):
        address = ELSEWHERE[number % len(ELSEWHERE)]
        asked = dict.fromkeys(names, address)
        headers = {"referer": "https://evil.example/", "hx-current-url": address}
        for client in (member, nobody):
            for more in ({}, HTMX):
                with undone():
                    answers = [client.get(path, asked, headers=headers | more), client.post(path, asked, headers=headers | more)]
                assert not [url for answer in answers for url in leads_elsewhere(answer)], path


@pytest.mark.parametrize("address", ELSEWHERE)
def test_the_page_that_htmx_tells_of_is_returned_to_only_if_it_is_ours(db, address):
    answer = Client().get("/projects", headers=HTMX | {"hx-current-url": address})
    assert answer["HX-Redirect"] == "/user/login/?next=/"
