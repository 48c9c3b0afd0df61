"""Clients that sign in over the wire, as the authentication under test sees them."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from users import legacy_tokens, personal_tokens
from users.models import User

SendWith = Callable[..., APIClient]


@pytest.fixture
def send_with() -> SendWith:
    """``send_with(Authorization="Token …")``: a client that adds these headers and checks CSRF like a real one."""

    def build(**headers: str) -> APIClient:
        client = APIClient(enforce_csrf_checks=True)
        client.credentials(**{f"HTTP_{name.upper()}": value for name, value in headers.items()})
        return client

    return build


@pytest.fixture
def key(alice: User) -> str:
    return legacy_tokens.set_key(alice)


@pytest.fixture
def refresh(alice: User) -> str:
    return personal_tokens.create_token(alice)


@pytest.fixture
def access(alice: User) -> str:
    return personal_tokens.issue_access(alice)
