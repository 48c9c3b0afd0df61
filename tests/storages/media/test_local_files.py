"""GET /data/local-files/: hostile names load, and nothing outside a storage's directory does."""

import os
from urllib.parse import quote

import pytest

from projects.models import Project
from tests.storages.media.conftest import PICTURE

ROUTE = "/data/local-files/"


def link(documents, name: str) -> str:
    return f"{ROUTE}?d={quote(f'{documents.name}/{name}')}"


def content(response) -> bytes:
    return b"".join(response.streaming_content)


def assert_refused(response, status: int = 404) -> None:
    assert response.status_code == status
    assert response.json()["status_code"] == status


@pytest.fixture
def dataset(directory, documents):
    """A storage over "ds" with a picture beside a private sibling and a file that belongs to nobody."""
    storage = directory("ds")
    (documents / "ds" / "1.png").write_bytes(PICTURE)
    (documents / "ds-private").mkdir()
    (documents / "ds-private" / "1.png").write_bytes(b"private")
    (documents / "loose.png").write_bytes(b"loose")
    return storage


NAMES = [
    "1.png",
    "a b.png",
    "a?b.png",
    "a#b.png",
    "100%.png",
    "a%20b.png",
    "a+b&c=d.png",
    "größe.png",
    "日本.png",
    'it\'s "q".png',
    "..x",
    "a\\b",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_a_file_can_have_loads(api, dataset, documents, name):
    (documents / "ds" / name).write_bytes(PICTURE)
    assert content(api.get(link(documents, f"ds/{name}"))) == PICTURE


@pytest.mark.parametrize("name", ["/{0}/ds/1.png", "//{0}//ds/./1.png", "{0}/other/../ds/1.png"])
def test_a_path_is_normalised_before_it_is_looked_up(api, dataset, documents, name):
    assert content(api.get(f"{ROUTE}?d={quote(name.format(documents.name))}")) == PICTURE


def test_the_uri_that_a_sync_writes_loads(api, dataset, documents):
    (documents / "ds" / "sub dir").mkdir()
    (documents / "ds" / "sub dir" / "a b#?%.png").write_bytes(PICTURE)
    client = dataset.client()
    uri = client.uri(client.root + "sub dir/a b#?%.png")
    assert content(api.get(uri)) == PICTURE


def test_ranges_head_and_validators_work_as_for_any_storage(api, dataset, documents):
    address = link(documents, "ds/1.png")
    whole = api.get(address)
    assert (whole["Content-Length"], whole["Content-Type"], content(whole)) == (str(len(PICTURE)), "image/png", PICTURE)
    part = api.get(address, headers={"Range": "bytes=5-9"})
    assert (part.status_code, content(part)) == (206, PICTURE[5:10])
    assert content(api.get(address, headers={"Range": "bytes=-3"})) == PICTURE[-3:]
    assert api.head(address)["Content-Length"] == str(len(PICTURE))
    assert api.get(address, headers={"If-None-Match": whole["ETag"]}).status_code == 304
    beyond = api.get(address, headers={"Range": "bytes=999999-"})
    assert_refused(beyond, 416)
    assert beyond["Content-Range"] == f"bytes */{len(PICTURE)}"
    os.utime(documents / "ds" / "1.png", (1, 1))
    assert api.get(address, headers={"If-None-Match": whole["ETag"]}).status_code == 200


def test_active_content_is_saved_and_not_run(api, dataset, documents):
    (documents / "ds" / "evil.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    response = api.get(link(documents, "ds/evil.svg"))
    assert response["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response["Content-Security-Policy"]


@pytest.mark.parametrize(
    "name",
    [
        "ds-private/1.png",
        "loose.png",
        "ds/../loose.png",
        "ds/../ds-private/1.png",
        "ds/../../../../../../../etc/passwd",
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "ds",
        "ds/",
        "ds/.",
        "ds/none.png",
        "ds/1.png/x",
        "ds/1.png\0.txt",
        "ds/" + "x" * 5000,
        "DS/1.png",
    ],
)
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-1"}])
def test_whatever_lies_outside_the_directory_or_is_no_file_is_404(api, dataset, documents, name, headers):
    assert_refused(api.get(link(documents, name), headers=headers))


@pytest.mark.parametrize("d", ["/etc/passwd", "//etc/passwd", "../../etc/passwd", "..", ".", "/", "%2e%2e/etc/passwd", "\0"])
def test_absolute_and_climbing_paths_are_404(api, dataset, d):
    assert_refused(api.get(f"{ROUTE}?d={quote(d)}"))


def test_a_symbolic_link_out_of_the_directory_is_404(api, dataset, documents):
    (documents / "ds" / "passwd").symlink_to("/etc/passwd")
    (documents / "ds" / "sibling").symlink_to(documents / "ds-private", target_is_directory=True)
    (documents / "ds" / "loop").symlink_to(documents / "ds" / "loop")
    for name in ("ds/passwd", "ds/sibling/1.png", "ds/loop"):
        assert_refused(api.get(link(documents, name)))


def test_a_symbolic_link_inside_the_directory_loads(api, dataset, documents):
    (documents / "ds" / "alias.png").symlink_to(documents / "ds" / "1.png")
    assert content(api.get(link(documents, "ds/alias.png"))) == PICTURE


def test_a_device_or_pipe_in_the_directory_is_404_and_blocks_nothing(api, dataset, documents):
    os.mkfifo(documents / "ds" / "pipe")
    assert_refused(api.get(link(documents, "ds/pipe")))


def test_another_organizations_storage_grants_nothing(api, stranger, charlie, dataset, directory, documents):
    directory("theirs", project=Project.objects.create(title="Theirs", organization=charlie.active_organization))
    (documents / "theirs" / "1.png").write_bytes(PICTURE)
    assert content(stranger.get(link(documents, "theirs/1.png"))) == PICTURE
    assert_refused(api.get(link(documents, "theirs/1.png")))
    assert_refused(stranger.get(link(documents, "ds/1.png")))


def test_each_file_is_served_by_the_storage_that_holds_it(api, dataset, directory, documents):
    directory("ds/inner")
    directory("second")
    for name in ("ds/inner", "second"):
        (documents / name / "2.png").write_bytes(PICTURE)
        assert content(api.get(link(documents, f"{name}/2.png"))) == PICTURE


def test_an_export_storage_grants_nothing(api, project, documents):
    from storages.backends import BACKENDS

    (documents / "out").mkdir()
    (documents / "out" / "1.png").write_bytes(PICTURE)
    BACKENDS["localfiles"].export_model.objects.create(project=project, path=str(documents / "out"))
    assert_refused(api.get(link(documents, "out/1.png")))


def test_without_signing_in_it_is_401(client, dataset, documents):
    assert_refused(client.get(link(documents, "ds/1.png")), 401)


@pytest.mark.parametrize("query", ["", "?d=", "?path=x"])
def test_a_missing_path_is_403(api, dataset, query):
    assert_refused(api.get(ROUTE + query), 403)


def test_when_serving_is_switched_off_it_is_403_and_says_how_to_switch_it_on(api, dataset, documents, settings):
    settings.LOCAL_FILES_SERVING_ENABLED = False
    response = api.get(link(documents, "ds/1.png"))
    assert_refused(response, 403)
    assert "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED" in response.json()["detail"]
