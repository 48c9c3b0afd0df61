"""Azure with an account key: what settings are refused, how errors read, what the connection check does."""

import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest

from storages import budget
from storages.doctor import examine, prescribe
from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, NotFound, StorageError, Throttled, Unavailable
from tests.backends.boxes.azure import AzureHarness

PAGE = "https://label.example"


@pytest.fixture
def account() -> Iterator[AzureHarness]:
    with closing(AzureHarness()) as box:
        yield box


def failure(box: AzureHarness, **settings: object) -> StorageError:
    return examine(lambda: box.client(**settings), {"list"}).error


ACCOUNTS = ["evil.com/", "a@b", "a#bc", "ab", "a" * 25, "Upper", "evil.com", "evil:80", "abc\nHost: x", "..", "ünïcode", "a?b"]
CONTAINERS = ["ab", "a" * 64, "Upper", "a--b", "-abc", "abc-", "a_b_c", "../abc", "abc/def", "abc?x", "$rooty", "abc\n"]


@pytest.mark.parametrize(
    ("change", "field"),
    [*(({"account_name": name}, "account_name") for name in ACCOUNTS), *(({"container": name}, "container") for name in CONTAINERS[:-1]),
     ({"container": None}, "container"), ({"prefix": "a/../b"}, "prefix"), ({"account_key": None}, "account_key"),
     ({"account_key": "  "}, "account_key"), ({"account_name": ""}, "account_name")],
)  # fmt: skip
def test_a_malformed_setting_is_named_and_nothing_is_sent(account, change, field):
    error = failure(account, **change)
    assert isinstance(error, ConfigInvalid) and error.field == field
    assert account.fake.requests == []


@pytest.mark.parametrize("key", ["not base64!", "abc", "ключ", "a" * 87])
def test_a_key_that_is_no_base64_is_bad_credentials_of_its_field(account, key):
    error = failure(account, account_key=key)
    assert isinstance(error, BadCredentials) and error.field == "account_key" and key not in str(error)
    assert account.fake.requests == []


@pytest.mark.parametrize("container", ["$root", "$web", "abc", "a" * 63, "a-b-c", "0-9"])
def test_every_name_that_azure_allows_is_accepted(account, container):
    assert account.client(container=container).container == container


@pytest.mark.parametrize(
    ("template", "url"),
    [("https://{account}.blob.core.windows.net", "https://harbour.blob.core.windows.net/ships/a%20b.png"),
     ("https://{account}.blob.core.chinacloudapi.cn", "https://harbour.blob.core.chinacloudapi.cn/ships/a%20b.png"),
     ("https://127.0.0.1:1/{account}", "https://127.0.0.1:1/harbour/ships/a%20b.png")],
)  # fmt: skip
def test_the_operator_chooses_the_cloud_and_its_signed_urls_are_https_only(account, settings, template, url):
    settings.AZURE_BLOB_ENDPOINT_TEMPLATE = template
    client = account.client(account_name="harbour", container="ships")
    assert client.url("a b.png") == url
    signed = client.presign("a b.png", 60)
    assert signed.startswith(url + "?") and parse_qs(urlsplit(signed).query)["spr"] == ["https"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "AuthenticationFailed", BadCredentials), (401, "InvalidAuthenticationInfo", BadCredentials),
     (401, "NoAuthenticationInformation", BadCredentials), (409, "PublicAccessNotPermitted", BadCredentials),
     (403, "AuthorizationFailure", AccessDenied), (403, "AuthorizationPermissionMismatch", AccessDenied),
     (403, "AuthorizationResourceTypeMismatch", AccessDenied), (403, "InsufficientAccountPermissions", AccessDenied),
     (403, "KeyBasedAuthenticationNotPermitted", AccessDenied), (403, "AccountIsDisabled", AccessDenied),
     (409, "BlobImmutableDueToPolicy", AccessDenied), (409, "BlobArchived", AccessDenied), (412, "LeaseIdMissing", AccessDenied),
     (404, "ContainerNotFound", NotFound), (404, "ResourceNotFound", NotFound), (409, "ContainerBeingDeleted", NotFound),
     (429, "TooManyRequests", Throttled), (503, "ServerBusy", Throttled), (500, "OperationTimedOut", Throttled),
     (400, "InvalidResourceName", ConfigInvalid), (400, "OutOfRangeInput", ConfigInvalid), (400, "InvalidUri", ConfigInvalid),
     (400, "InvalidHeaderValue", ConfigInvalid), (500, "InternalError", Unavailable), (307, "Somewhere", ConfigInvalid)],
)  # fmt: skip
def test_each_error_code_has_its_class_also_in_the_answer_to_head(account, status, code, kind):
    account.fake.fail_next(9, status, code)
    error = failure(account)
    assert type(error) is kind and error.verb == "list"
    assert f"HTTP {status}" in str(error) and "on demand of the test" not in str(error)
    assert code in str(error) or code in ("InternalError", "Somewhere")
    account.fake.heal()
    account.fake.fail_next(9, status, code)
    with budget.limited(5), pytest.raises(kind):  # inside a budget nothing is tried again
        account.client().stat("a.txt")


def test_a_wrong_key_an_old_clock_and_a_refused_key_are_told_apart(account):
    assert isinstance(failure(account, account_key="d3Jvbmc="), BadCredentials)
    account.fake.advance(16 * 60)
    assert isinstance(failure(account), BadCredentials)
    account.fake.advance(-16 * 60)
    account.fake.allow_key(False)
    error = failure(account)
    assert isinstance(error, AccessDenied) and "service principal" in str(error) and "key access" in error.grant


def test_the_firewall_is_named_where_it_is_the_likely_cause(account):
    account.fake.fail_next(1, 403, "AuthorizationFailure")
    assert "firewall" in str(failure(account))


def test_a_missing_container_is_not_found(account):
    assert isinstance(failure(account, container="no-such-container"), NotFound)


def test_a_host_without_address_means_a_wrong_account_name(account, settings, monkeypatch):
    def nowhere(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    settings.AZURE_BLOB_ENDPOINT_TEMPLATE = "https://{account}.blob.core.windows.net"
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    error = failure(account, account_name="mispelled")
    assert type(error) is Unavailable and error.field == "account_name" and "no storage account of this name" in str(error)
    assert "mispelled" not in str(error), "the name is as secret as the key"


def test_a_host_that_is_down_is_no_matter_of_the_account_name(account):
    account.fake.refuse_all()
    error = failure(account)
    assert type(error) is Unavailable and error.field is None


def test_a_busy_account_is_asked_again(account):
    account.put("a.txt", b"1")
    account.fake.fail_next(2, 503, "ServerBusy")
    assert account.client().stat("a.txt").size == 1


def test_the_write_probe_writes_nothing_and_a_store_that_ignores_its_condition_is_tidied(account):
    assert examine(account.client, {"list", "write"}).error is None
    put = account.fake.requests[-1]
    assert (put.method, put.status, account.fake.names(account.container)) == ("PUT", 412, [])
    account.fake.fail_next(1, 201, "Ignored", match="quayside-probe")
    assert examine(account.client, {"list", "write"}).error is None
    assert account.fake.requests[-1].method == "DELETE"


def test_a_missing_cors_rule_is_found_and_the_rule_to_paste_is_given(account):
    verbs = {"list", "read", "sign"}
    account.put("a.png", b"x")
    warned = prescribe(examine(account.client, verbs), verbs, PAGE)
    assert [warning["code"] for warning in warned["warnings"]] == ["cors_missing"]
    assert warned["cors"]["corsRules"][0]["allowedOrigins"] == [PAGE]
    account.fake.set_cors([PAGE])
    assert prescribe(examine(account.client, verbs), verbs, PAGE)["warnings"] == []
    assert account.client().allows_origin("https://other.example", "a.png") is False


def test_the_servers_own_account_is_lent_only_where_the_operator_allows_it(account, settings):
    nobody = {"account_name": None, "account_key": ""}
    assert isinstance(failure(account, **nobody), BadCredentials)
    settings.AZURE_BLOB_ACCOUNT_NAME = account.fake.account
    assert isinstance(failure(account, **nobody), BadCredentials)
    settings.AZURE_BLOB_ACCOUNT_KEY = account.fake.key
    assert failure(account, **nobody) is None
    settings.ALLOW_AMBIENT_CREDENTIALS = False
    assert isinstance(failure(account, **nobody), BadCredentials)
    assert failure(account) is None


def test_neither_the_key_nor_a_signature_is_logged(account, caplog):
    account.put("a.png", b"x")
    caplog.set_level(logging.DEBUG)
    report = examine(account.client, {"list", "read", "sign", "write", "delete"})
    prescribe(report, {"list", "read", "sign"}, PAGE)
    account.fake.fail_next(1, 503, "ServerBusy")
    account.client().stat("a.png")
    assert report.error is None and "urllib3.connectionpool" in caplog.text
    assert account.fake.key not in caplog.text and "sig=" not in caplog.text and "SharedKey" not in caplog.text
