"""How S3 is asked to encrypt what is written, and what is said when KMS refuses."""

import pytest

from storages.errors import AccessDenied, ConfigInvalid
from tests.backends.boxes.s3 import S3Harness

KMS = "arn:aws:kms:us-east-1:123456789012:key/labels"
ASKED = "x-amz-server-side-encryption"


@pytest.mark.parametrize(
    ("key", "wanted"),
    [(None, {}), ("", {}), ("AES256", {ASKED: "AES256"}), (KMS, {ASKED: "aws:kms", f"{ASKED}-aws-kms-key-id": KMS})],
)
def test_a_write_asks_for_the_key_that_was_set_and_else_leaves_it_to_the_bucket(s3, key, wanted):
    S3Harness.client_of(s3, aws_sse_kms_key_id=key).write("1.json", b"{}")
    sent = s3.headers_of_last_put("data", "1.json")
    assert {name: value for name, value in sent.items() if name.startswith(ASKED)} == wanted
    assert sent["content-type"] == "application/json"


@pytest.mark.parametrize("code", ["KMS.AccessDeniedException", "AccessDenied"])
def test_a_key_that_may_not_be_used_is_named_with_the_permission(s3, code):
    client = S3Harness.client_of(s3, aws_sse_kms_key_id=KMS)
    s3.fail_next(1, status=403, code=code)
    with pytest.raises(AccessDenied) as refused:
        client.write("1.json", b"{}")
    assert refused.value.grant == f"s3:PutObject on arn:aws:s3:::data/* and kms:GenerateDataKey on {KMS}"


@pytest.mark.parametrize(("key", "field"), [(KMS, "aws_sse_kms_key_id"), ("", None)])
def test_a_key_that_no_permission_helps_with_is_a_matter_of_the_settings_or_of_the_bucket(s3, key, field):
    client = S3Harness.client_of(s3, aws_sse_kms_key_id=key)
    s3.fail_next(1, status=400, code="KMS.DisabledException")
    with pytest.raises(ConfigInvalid, match="the KMS key is disabled; enable it") as refused:
        client.write("1.json", b"{}")
    assert (refused.value.field, refused.value.grant) == (field, "")


@pytest.mark.parametrize(("key", "kms"), [("", False), ("AES256", False), (KMS, True)])
def test_the_policy_to_paste_names_the_key_where_there_is_one(s3, key, kms):
    statements = S3Harness.client_of(s3, aws_sse_kms_key_id=key).policy({"list", "write"})["Statement"]
    assert ({"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": [KMS]} in statements) is kms
    assert len(statements) == 2 + kms
