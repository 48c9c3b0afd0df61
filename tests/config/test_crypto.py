"""Keys come and go; what was stored stays readable as long as one key that opens it is configured."""

import pytest

from config import crypto

OLD, NEW = "old-key-of-the-tests", "new-key-of-the-tests"


@pytest.mark.parametrize("text", ["secret", "ünï-✓", "a" * 10_000, "with\nnewline", "=/+"])
def test_what_was_encrypted_comes_back_and_never_looks_the_same_twice(settings, text):
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    first, second = crypto.encrypt(text), crypto.encrypt(text)
    assert first != second and text not in first
    assert crypto.decrypt(first) == crypto.decrypt(second) == text


def test_the_first_key_encrypts_and_every_key_decrypts(settings):
    settings.STORAGE_ENCRYPTION_KEYS = [OLD]
    old = crypto.encrypt("secret")
    settings.STORAGE_ENCRYPTION_KEYS = [NEW, OLD]
    new = crypto.encrypt("secret")
    assert crypto.decrypt(old) == crypto.decrypt(new) == "secret"
    assert (crypto.is_newest(old), crypto.is_newest(new)) == (False, True)
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    assert crypto.decrypt(new) == "secret"
    with pytest.raises(crypto.DecryptionFailed):
        crypto.decrypt(old)


def test_rotation_moves_a_value_to_the_newest_key(settings):
    settings.STORAGE_ENCRYPTION_KEYS = [OLD]
    old = crypto.encrypt("secret")
    settings.STORAGE_ENCRYPTION_KEYS = [NEW, OLD]
    rotated = crypto.rotate(old)
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    assert crypto.decrypt(rotated) == "secret"


@pytest.mark.parametrize("damage", ["", "plain text", "gAAAA", "ünï", "x{}"])
def test_a_damaged_value_is_reported_without_being_quoted(settings, damage):
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    value = damage.format(crypto.encrypt("secret"))
    with pytest.raises(crypto.DecryptionFailed) as failure:
        crypto.decrypt(value)
    assert "STORAGE_ENCRYPTION_KEYS" in str(failure.value) and "rotate_secrets" in str(failure.value)
    assert not value or value not in str(failure.value)
    assert failure.value.__suppress_context__, "the cause would show up in tracebacks"
