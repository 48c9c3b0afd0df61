"""The Azure fake serves the right client, with its key or a token, and refuses every wrong one."""

from collections.abc import Iterator

import pytest

from tests.fakes.azure import AzureFake
from tests.fakes.azure_clients import TOKEN, Token, code_of, fetch, refusal, service

ODD_NAMES = ["a b?#%+&=.txt", "folder//double", "ünïcode/🚢 ship.jpg", "100%25", "tilde~*'()!$,;:@", "x" * 1024]
CREDENTIALS = {"key": lambda: None, "token": Token}
PAGE = "https://label.example"


@pytest.fixture
def account() -> Iterator[AzureFake]:
    """An account over TLS that takes one token, in pages of two."""
    with AzureFake(verify=lambda token: token == TOKEN, page_cap=2) as fake:
        yield fake


@pytest.fixture
def hold(account: AzureFake) -> str:
    """A container with one blob, a.txt."""
    name = account.create_container()
    account.put(name, "a.txt", b"0123456789", "text/plain")
    return name


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
def test_the_right_client_can_list_read_write_and_delete(account, hold, credential):
    container = service(account, credential()).get_container_client(hold)
    container.upload_blob("b.txt", b"hello")
    assert account.get(hold, "b.txt") == b"hello"
    assert [blob.name for blob in container.list_blobs()] == account.names(hold) == ["a.txt", "b.txt"]
    assert container.download_blob("a.txt", offset=2, length=3).readall() == b"234"
    assert container.get_blob_client("a.txt").get_blob_properties().content_settings.content_type == "text/plain"
    container.delete_blob("b.txt")
    assert account.get(hold, "b.txt") is None


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_survives_the_round_trip(account, hold, credential, name):
    container = service(account, credential()).get_container_client(hold)
    container.upload_blob(name, b"odd")
    assert name in account.names(hold)
    assert container.download_blob(name).readall() == b"odd"
    assert [blob.name for blob in container.list_blobs(name_starts_with=name)] == [name]


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
def test_few_blobs_give_several_pages(account, hold, credential):
    for name in ("b.txt", "c/1.txt", "c/2.txt", "d.txt"):
        account.put(hold, name, b"")
    container = service(account, credential()).get_container_client(hold)
    assert [len(list(page)) for page in container.list_blobs(results_per_page=1000).by_page()] == [2, 2, 1]
    assert [len(list(page)) for page in container.list_blobs(results_per_page=1).by_page()] == [1] * 5
    assert [blob.name for blob in container.walk_blobs(delimiter="/")] == ["a.txt", "b.txt", "c/", "d.txt"]


def test_an_account_without_tls_takes_its_key_and_no_token():
    with AzureFake() as fake:
        name = fake.create_container()
        fake.put(name, "a.txt", b"0123456789")
        assert service(fake).get_blob_client(name, "a.txt").download_blob().readall() == b"0123456789"
        headers = {"Authorization": f"Bearer {TOKEN}", "x-ms-version": "2025-11-05"}
        assert code_of(fetch("GET", f"{fake.url}/{name}/a.txt", headers)) == (401, "InvalidAuthenticationInfo")


def test_a_wrong_key_is_refused(account, hold):
    wrong = service(account, key="d3Jvbmc=").get_container_client(hold)
    assert refusal(lambda: list(wrong.list_blobs())) == (403, "AuthenticationFailed")
    assert refusal(wrong.upload_blob, "b.txt", b"x") == (403, "AuthenticationFailed")
    assert account.names(hold) == ["a.txt"]


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_more_than_15_minutes_off_is_refused(account, hold, minutes):
    account.advance(minutes * 60)
    container = service(account).get_container_client(hold)
    assert refusal(container.download_blob, "a.txt") == (403, "AuthenticationFailed")
    account.advance(-minutes * 60 + 14 * 60)
    assert container.download_blob("a.txt").readall() == b"0123456789"


def test_a_signed_request_serves_no_other_target_and_no_other_header(account, hold):
    sent: dict[str, str] = {}
    account.put(hold, "b.txt", b"secret")
    blob = service(account).get_blob_client(hold, "a.txt")
    blob.get_blob_properties(raw_response_hook=lambda answer: sent.update(answer.http_request.headers))
    url = f"{account.url}/{hold}"
    assert fetch("HEAD", f"{url}/a.txt", sent).status == 200
    assert code_of(fetch("HEAD", f"{url}/b.txt", sent)) == (403, "AuthenticationFailed")
    assert code_of(fetch("DELETE", f"{url}/a.txt", sent)) == (403, "AuthenticationFailed")
    assert code_of(fetch("HEAD", f"{url}/a.txt", sent | {"x-ms-sneaky": "1"})) == (403, "AuthenticationFailed")
    assert code_of(fetch("HEAD", f"{url}/a.txt?comp=metadata", sent)) == (403, "AuthenticationFailed")


def test_a_bad_token_is_challenged_and_the_client_asks_once_more(account, hold):
    credential = Token("forged")
    container = service(account, credential).get_container_client(hold)
    assert refusal(container.download_blob, "a.txt") == (401, "InvalidAuthenticationInfo")
    assert credential.asked == [None, "11111111-2222-3333-4444-555555555555"]


def test_nobody_reads_without_credentials(account, hold):
    url = f"{account.url}/{hold}/a.txt"
    challenged = fetch("GET", url, {"x-ms-version": "2025-11-05"})
    assert code_of(challenged) == (401, "NoAuthenticationInformation")
    assert challenged.headers["www-authenticate"].startswith("Bearer authorization_uri=https://login.microsoftonline.com/1111")
    assert code_of(fetch("GET", url)) == (409, "PublicAccessNotPermitted")
    assert code_of(fetch("GET", url, {"Authorization": f"Bearer {TOKEN}"})) == (400, "MissingRequiredHeader")


CALLS = {
    "list": lambda container: list(container.list_blobs()),
    "read": lambda container: container.download_blob("a.txt"),
    "write": lambda container: container.upload_blob("a.txt", b"new", overwrite=True),
    "delete": lambda container: container.delete_blob("a.txt"),
}


@pytest.mark.parametrize("verb", CALLS)
def test_a_principal_without_the_role_is_refused_that_verb_only(account, hold, verb):
    container = service(account, Token()).get_container_client(hold)
    account.deny(verb)
    assert refusal(CALLS[verb], container) == (403, "AuthorizationPermissionMismatch")
    for other in sorted(set(CALLS) - {verb, "delete"}):
        CALLS[other](container)
    CALLS[verb](service(account).get_container_client(hold))  # roles do not bind the account's key


def test_an_unknown_verb_is_no_order(account):
    with pytest.raises(ValueError, match="unknown verbs"):
        account.deny("sail")


def test_an_account_may_refuse_its_key(account, hold):
    account.allow_key(False)
    container = service(account).get_container_client(hold)
    assert refusal(container.download_blob, "a.txt") == (403, "KeyBasedAuthenticationNotPermitted")
    assert service(account, Token()).get_blob_client(hold, "a.txt").download_blob().readall() == b"0123456789"


def test_what_does_not_exist_is_not_found(account, hold):
    assert refusal(service(account).get_blob_client(hold, "none").download_blob) == (404, "BlobNotFound")
    assert refusal(service(account).get_blob_client("no-such", "none").download_blob) == (404, "ContainerNotFound")


@pytest.mark.parametrize("size", ["0", "-1", "many"])
def test_a_page_size_that_is_none_is_refused(account, hold, size):
    url = f"{account.url}/{hold}?restype=container&comp=list&maxresults={size}"
    headers = {"Authorization": f"Bearer {TOKEN}", "x-ms-version": "2025-11-05"}
    assert code_of(fetch("GET", url, headers)) == (400, "OutOfRangeQueryParameterValue")


def test_trouble_comes_in_azures_words_and_requests_are_logged(account, hold):
    account.fail_next(headers={"retry-after": "1"})
    blob = service(account).get_blob_client(hold, "a.txt")
    assert refusal(blob.download_blob) == (503, "ServerBusy")
    assert blob.download_blob().readall() == b"0123456789"
    assert [(entry.method, entry.status) for entry in account.requests] == [("GET", 503), ("GET", 206)]


def test_a_page_may_read_once_its_origin_has_a_rule(account, hold):
    url, asked = f"{account.url}/{hold}/a.txt", {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    assert code_of(fetch("OPTIONS", url, asked)) == (403, "CorsPreflightFailure")
    account.set_cors([PAGE])
    assert fetch("OPTIONS", url, asked).headers["access-control-allow-origin"] == PAGE
    assert fetch("OPTIONS", url, asked | {"Origin": "https://evil.example"}).status == 403
    credentials = {"Authorization": f"Bearer {TOKEN}", "x-ms-version": "2025-11-05"}
    assert fetch("GET", url, credentials | {"Origin": PAGE}).headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-origin" not in fetch("GET", url, credentials | {"Origin": "https://evil.example"}).headers
    account.set_cors([])
    assert fetch("OPTIONS", url, asked).status == 403


def test_a_closed_account_leaves_nothing_behind():
    with AzureFake() as first:
        name = first.create_container("kept-name")
        first.put(name, "a.txt", b"old")
    with AzureFake() as second:
        assert second.names(second.create_container("kept-name")) == []
