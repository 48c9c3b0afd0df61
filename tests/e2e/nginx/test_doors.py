"""What nobody reaches from outside, whatever is asked for and whatever headers come along."""

import pytest

from tests.e2e.nginx.site import PICTURE
from tests.fakes.wire import Response


@pytest.mark.parametrize(
    "path",
    ["/_media", "/_media/", "/_media?x=1", "//_media", "/%5fmedia", "/%5Fmedi%61", "/static/../_media", "/./_media", "/x/%2e%2e/_media",
     "/_MEDIA", "/_media/http/127.0.0.1/80/x", "/_media%00", "/tasks/1/resolve/../../../_media", "/@media_failed"],
)  # fmt: skip
def test_the_internal_location_cannot_be_reached_from_outside(site, endpoint, path):
    url, seen = endpoint(Response(200, {"content-length": "6"}, b"theirs"))
    forged = {"X-Accel-Redirect": "/_media", "X-Media-URL": f"{url}/?X-Amz-Signature=1", "X-Media-Host": "localhost"}
    status, body = site.raw(path, **forged)
    assert status in (400, 404) and b"theirs" not in body
    assert not seen


def test_a_browsers_own_orders_have_no_effect(site, store, project, endpoint):
    url, seen = endpoint(Response(200, {"content-length": "6"}, b"theirs"))
    forged = {
        "X-Accel-Redirect": "/_media",
        "X-Media-URL": url + "/?X-Amz-Signature=1",
        "X-Media-Host": "h",
        "X-Media-Range": "bytes=0-1",
    }
    assert site.get(site.link(project), **forged).data == PICTURE
    assert site.get("/api/version/", **forged | {"X-Offload": "nginx"}).status == 200
    assert not seen


def test_the_application_asked_directly_sends_the_bytes_itself_and_no_orders(site, store, project):
    answer = site.get(site.link(project), direct=True)
    assert answer.data == PICTURE
    assert not [name for name in answer.headers if name.lower().startswith(("x-accel", "x-media"))]


@pytest.mark.parametrize("path", ["/static../manage.py", "/data../manage.py", "/static../config/settings.py", "/static/../manage.py",
                                  "/static/%2e%2e/manage.py", "/data/../data/secret_key", "/data/local-files../manage.py"])  # fmt: skip
def test_no_file_of_the_server_is_served_by_a_missing_slash(site, path):
    status, body = site.raw(path)
    assert status in (400, 404) and b"django" not in body.lower()
