"""The Azure fake honours a SAS of the account's key or of a delegation key, untouched and in time; refuses all others."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from azure.storage.blob import ContainerClient, generate_container_sas

from tests.fakes.azure import AzureFake
from tests.fakes.azure_clients import TOKEN, Token, authority, code_of, delegation_key, fetch, refusal, service, signed_url

SIGNERS = {
    "key": lambda fake: {"account_key": fake.key},
    "delegation": lambda fake: {"user_delegation_key": delegation_key(fake)},
}


@pytest.fixture
def account() -> Iterator[AzureFake]:
    with AzureFake(verify=lambda token: token == TOKEN, page_cap=2) as fake:
        yield fake


@pytest.fixture
def hold(account: AzureFake) -> str:
    """A container with two blobs, a.txt and b.txt."""
    name = account.create_container()
    account.put(name, "a.txt", b"0123456789", "text/plain")
    account.put(name, "b.txt", b"secret")
    return name


@pytest.fixture(params=SIGNERS.values(), ids=SIGNERS)
def signer(request: pytest.FixtureRequest, account: AzureFake) -> dict[str, object]:
    return request.param(account)


def test_a_signed_url_reads_its_blob(account, hold, signer):
    url = signed_url(account, hold, **signer)
    assert fetch("GET", url).data == b"0123456789"
    assert fetch("HEAD", url).headers["content-length"] == "10"
    ranged = fetch("GET", url, {"Range": "bytes=2-4"})
    assert (ranged.status, ranged.data, ranged.headers["content-range"]) == (206, b"234", "bytes 2-4/10")


def test_a_signed_url_may_name_the_type_of_the_answer(account, hold, signer):
    url = signed_url(account, hold, content_type="image/x-own", **signer)
    assert fetch("GET", url).headers["content-type"] == "image/x-own"
    assert code_of(fetch("GET", url.replace("x-own", "x-other"))) == (403, "AuthenticationFailed")


TAMPERED = {
    "other blob": lambda url: url.replace("/a.txt", "/b.txt"),
    "longer life": lambda url: re.sub(r"([?&]se=)\d{4}", r"\g<1>2099", url),
    "more permissions": lambda url: re.sub("([?&]sp=)r", r"\1rwd", url),
    "other version": lambda url: re.sub(r"([?&]sv=)[\d-]+", r"\g<1>2023-11-03", url),
    "other signature": lambda url: re.sub("([?&]sig=).", r"\1_", url),
    "no signature": lambda url: re.sub("([?&]sig=)[^&]+", r"\1", url),
    "whole container": lambda url: re.sub("([?&]sr=)b", r"\1c", url),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_url_is_refused(account, hold, signer, change):
    url = signed_url(account, hold, **signer)
    assert change(url) != url
    assert code_of(fetch("GET", change(url))) == (403, "AuthenticationFailed")


def test_a_url_for_reading_does_nothing_else(account, hold, signer):
    url = signed_url(account, hold, **signer)
    assert code_of(fetch("DELETE", url)) == (403, "AuthorizationPermissionMismatch")
    assert code_of(fetch("PUT", url, {"x-ms-blob-type": "BlockBlob"})) == (403, "AuthorizationPermissionMismatch")
    assert account.get(hold, "a.txt") == b"0123456789"


def test_a_signed_url_expires(account, hold, signer):
    url = signed_url(account, hold, **signer)
    account.advance(58)
    assert fetch("GET", url).status == 200
    account.advance(4)
    assert code_of(fetch("GET", url)) == (403, "AuthenticationFailed")


def test_a_signature_over_a_container_serves_all_its_blobs_and_lists_what_it_may(account, hold, signer):
    expiry = account.now() + timedelta(minutes=1)
    sas = generate_container_sas(account.account, hold, permission="rl", expiry=expiry, **signer)
    container = ContainerClient.from_container_url(f"{account.url}/{hold}?{sas}", connection_verify=authority(), retry_total=0)
    assert [blob.name for blob in container.list_blobs()] == ["a.txt", "b.txt"]
    assert container.download_blob("b.txt").readall() == b"secret"
    other = account.create_container()
    assert code_of(fetch("GET", f"{account.url}/{other}/a.txt?{sas}")) == (403, "AuthenticationFailed")


def test_an_account_that_refuses_its_key_refuses_what_the_key_signed(account, hold):
    url = signed_url(account, hold)
    account.allow_key(False)
    assert code_of(fetch("GET", url)) == (403, "KeyBasedAuthenticationNotPermitted")
    assert fetch("GET", signed_url(account, hold, **SIGNERS["delegation"](account))).status == 200


KEY_CHANGES = {
    "other principal": lambda url: re.sub("([?&]skoid=).", r"\1_", url),
    "other tenant": lambda url: re.sub("([?&]sktid=).", r"\1_", url),
    "longer key life": lambda url: re.sub(r"([?&]ske=)\d{4}", r"\g<1>2099", url),
    "earlier key": lambda url: re.sub(r"([?&]skt=)\d{4}", r"\g<1>2001", url),
    "other key version": lambda url: re.sub(r"([?&]skv=)[\d-]+", r"\g<1>2023-11-03", url),
    "another agent": lambda url: url + "&saoid=someone",
}


@pytest.mark.parametrize("change", KEY_CHANGES.values(), ids=KEY_CHANGES)
def test_a_delegation_holds_for_the_very_key_it_names(account, hold, change):
    url = signed_url(account, hold, user_delegation_key=delegation_key(account))
    assert change(url) != url
    assert code_of(fetch("GET", change(url))) == (403, "AuthenticationFailed")


def test_a_delegation_key_of_another_account_signs_nothing_here(account, hold):
    with AzureFake(verify=lambda token: token == TOKEN) as other:
        foreign = delegation_key(other)
    assert code_of(fetch("GET", signed_url(account, hold, user_delegation_key=foreign))) == (403, "AuthenticationFailed")


def test_a_delegation_ends_with_its_key_at_the_latest(account, hold):
    key = delegation_key(account, hours=0.1)
    url = signed_url(account, hold, expiry=account.now() + timedelta(hours=1), user_delegation_key=key)
    assert fetch("GET", url).status == 200
    account.advance(0.1 * 3600 + 1)
    assert code_of(fetch("GET", url)) == (403, "AuthenticationFailed")


def test_a_delegation_is_worth_no_more_than_the_roles_of_its_principal(account, hold):
    url = signed_url(account, hold, user_delegation_key=delegation_key(account))
    account.deny("read")
    assert code_of(fetch("GET", url)) == (403, "AuthorizationPermissionMismatch")


def test_a_role_on_the_container_alone_gets_no_delegation_key(account, hold):
    account.deny("delegate")
    assert refusal(delegation_key, account) == (403, "AuthorizationPermissionMismatch")
    assert service(account, Token()).get_blob_client(hold, "a.txt").download_blob().readall() == b"0123456789"


def test_the_accounts_key_gets_no_delegation_key(account):
    now = account.now()
    assert refusal(service(account).get_user_delegation_key, now, now + timedelta(hours=1)) == (403, "AuthenticationFailed")


@pytest.mark.parametrize("hours", [-1, 0, 7 * 24 + 1])
def test_a_delegation_key_lives_seven_days_at_most(account, hours):
    assert refusal(delegation_key, account, hours=hours) == (400, "InvalidXmlNodeValue")
