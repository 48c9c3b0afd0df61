"""moto's S3 as a plain store of objects, one per fake: dispatches decoded requests, checks no credentials."""

import io
import itertools
import os
import threading

from moto.core.request import Request as MotoRequest
from moto.s3.models import FakeBucket, FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response

from tests.fakes.wire import Request, Response

ACCOUNTS = itertools.count(100_000_000_000 + os.getpid() % 1000 * 1_000_000)
NAMESPACE = threading.Lock()  # guards moto's process-wide map of bucket names


class Objects:
    """The buckets of one fake. Calls are serialized: moto's dictionaries are not made for threads."""

    def __init__(self) -> None:
        self.account = str(next(ACCOUNTS))
        self.backend: S3Backend = s3_backends[self.account]["aws"]
        self.lock = threading.RLock()
        self.hidden: dict[str, FakeBucket] = {}

    def create_bucket(self, name: str, region: str) -> None:
        """moto shares bucket names between accounts; taking the name out again lets every fake have its own "data"."""
        with NAMESPACE:
            self.backend.create_bucket(name, region)
            s3_backends.bucket_accounts.pop(name, None)

    def hide_bucket(self, name: str, hidden: bool) -> None:
        with self.lock:
            source, target = (self.backend.buckets, self.hidden) if hidden else (self.hidden, self.backend.buckets)
            target[name] = source.pop(name)

    def bucket(self, name: str) -> FakeBucket | None:
        return self.backend.buckets.get(name)

    def region_of(self, name: str) -> str | None:
        """The region of the bucket, None if there is no such bucket."""
        bucket = self.bucket(name)
        return None if bucket is None else bucket.region_name

    def put(self, bucket: str, key: str, body: bytes, content_type: str, encoding: str = "") -> None:
        with self.lock:
            stored = self.backend.put_object(bucket, key, body)
            stored.set_metadata({"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {}))

    def get(self, bucket: str, key: str) -> bytes | None:
        with self.lock:
            stored = self.backend.get_object(bucket, key)
            return stored.value if isinstance(stored, FakeKey) else None

    def delete(self, bucket: str, key: str) -> None:
        with self.lock:
            self.backend.delete_object(bucket, key)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        with self.lock:
            return sorted(key for key in self.backend.buckets[bucket].keys if key.startswith(prefix))

    def answer(self, request: Request, *, on_bucket: bool) -> Response:
        """moto's answer to a request on a bucket or object."""
        moto_request = MotoRequest(self.environ(request))
        dispatch = S3Response.bucket_dispatch if on_bucket else S3Response.key_dispatch
        with self.lock:
            status, headers, body = dispatch(moto_request, moto_request.raw_url, moto_request.headers)
        body = body.encode() if isinstance(body, str) else bytes(body or b"")
        plain = {str(name).lower(): str(value) for name, value in headers.items()}
        return Response(int(status), plain, body)

    def environ(self, request: Request) -> dict[str, object]:
        """A WSGI environ; RAW_URI carries the path that moto takes keys from."""
        environ: dict[str, object] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": request.query,
            "RAW_URI": f"{request.path}?{request.query}",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
            "CONTENT_LENGTH": str(len(request.body)),
        }
        for name in {name for name, _ in request.headers} - {"content-length"}:
            wsgi_name = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
            environ[wsgi_name] = request.header(name)
        return environ | {"HTTP_X_MOTO_ACCOUNT_ID": self.account}
