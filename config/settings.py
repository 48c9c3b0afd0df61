"""All settings, read from the environment in one place; README "Settings" explains each."""

import os
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from config import capacity
from config.env import EnvError, env_bool, env_int, env_key, env_list, env_networks, env_secret, env_str, env_url
from config.valkey import remembered_url

# resolv.conf(5): a name server that does not answer costs 4 s instead of 10, so that a connection check stays within its 15 s
os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:2")

VERSION = "0.1.0"
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("DATA_DIR", str(BASE_DIR / "data"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = False
SECRET_KEY = env_key("SECRET_KEY", DATA_DIR / "secret_key")
STORAGE_ENCRYPTION_KEYS = [
    key.strip() for key in env_key("STORAGE_ENCRYPTION_KEYS", DATA_DIR / "storage_encryption_keys").split(",") if key.strip()
]
MEDIA_LINK_KEYS = [  # the first signs links to media, all verify them; taking one out ends its links
    key.strip() for key in env_key("MEDIA_LINK_KEYS", DATA_DIR / "media_link_keys").split(",") if key.strip()
]
if not MEDIA_LINK_KEYS or any(len(key) < 16 for key in MEDIA_LINK_KEYS):
    raise EnvError("MEDIA_LINK_KEYS must hold at least one key, and each at least 16 characters")
if SECRET_KEY in STORAGE_ENCRYPTION_KEYS:
    raise EnvError("SECRET_KEY and STORAGE_ENCRYPTION_KEYS must differ: one signs sessions, the other encrypts credentials")

PORT = env_int("PORT", 8080, minimum=1, maximum=65535)
BIND = env_str("BIND", "127.0.0.1")
HOST = env_url("LABEL_STUDIO_HOST")  # absolute base of the links in task data; empty: relative links
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "*")
CSRF_FAILURE_VIEW = "config.errors.forged"
CSRF_TRUSTED_ORIGINS = [HOST] if HOST else []

INSTALLED_APPS = [
    "config",
    "users",
    "projects",
    "tasks",
    "storages",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_rq",
    "django_htmx",
    "heroicons",
    "chartkick.django",
]
MIDDLEWARE = [
    "storages.media.by_link.Shortcut",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.slashes.EitherSlash",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "users.expired.SignInAgain",
]
APPEND_SLASH = False  # a redirect turns an SDK's POST into a GET; config.slashes serves both forms instead
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "users.theme.theme",
            ]
        },
    }
]

DATABASES = {"default": dj_database_url.parse(env_str("DATABASE_URL", f"sqlite:///{DATA_DIR / 'quayside.sqlite3'}"))}
DATABASES["default"]["CONN_MAX_AGE"] = env_int("CONN_MAX_AGE", 600)  # seconds
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # a restarted database costs no failed request
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a writer waits at BEGIN instead of failing at its first write
        "timeout": 60,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;",
    }
    # tests: a file, since threads of one process must see one database
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
elif env_bool("WEB_PROCESS", False):  # set by config.wsgi; elsewhere a process has few threads, and RQ's workers fork
    DATABASES["default"] |= {"ENGINE": "config.postgresql", "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False}  # it checks itself
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": env_int("DATABASE_POOL_SIZE", 16, minimum=1),
        "timeout": 5,  # seconds that a request waits for a connection
        "reconnect_timeout": 5,  # seconds; psycopg's 300 with ever longer pauses would outlast a restart of the server
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "users.User"
LOGIN_URL = "/user/login/"
LOGIN_REDIRECT_URL = "/"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HOST.startswith("https://")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
USE_TZ, TIME_ZONE, USE_I18N = True, "UTC", False
STATIC_URL = "/static/"
STATIC_ROOT = Path(env_str("STATIC_ROOT", str(DATA_DIR / "static")))
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {  # of pages; media set a stricter one of their own (storages.media.headers)
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "img-src": [SELF, "data:"],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
DATA_UPLOAD_MAX_MEMORY_SIZE = env_int("MAX_REQUEST_BYTES", 250 * 1024**2)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "users.authentication.TokenAuthentication",
        "users.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["users.permissions.IsMember"],
    "EXCEPTION_HANDLER": "config.errors.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "rest_framework.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "UNICODE_JSON": False,  # a message that quotes half a surrogate pair from the request could not be encoded otherwise
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Quayside",
    "DESCRIPTION": "Cloud storage service of a labeling platform, speaking the Label Studio storage API.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "ENFORCE_NON_BLANK_FIELDS": True,  # says minLength 1 where an empty text is refused
    "SWAGGER_UI_DIST": "SIDECAR",  # from this server, not from a CDN
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

REDIS_URL = env_str("REDIS_URL") or remembered_url(DATA_DIR) or "redis://127.0.0.1:6379/0"
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "SERIALIZER": "json", "DEFAULT_TIMEOUT": env_int("RQ_LONG_JOB_TIMEOUT", 36000)}
    for name in ("default", "low")
}
RQ = {"WORKER_CLASS": "config.worker.Worker"}

# Storages (names as in Label Studio; behaviour in README "Settings")
SSRF_PROTECTION_ENABLED = env_bool("SSRF_PROTECTION_ENABLED", True)
SSRF_ALLOWED_NETWORKS = env_networks("SSRF_ALLOWED_NETWORKS")
EXTRA_CA_CERTS = env_str("EXTRA_CA_CERTS")  # a PEM file of authorities to trust beside the system's
if EXTRA_CA_CERTS and not Path(EXTRA_CA_CERTS).is_file():
    raise EnvError(f"EXTRA_CA_CERTS={EXTRA_CA_CERTS!r} is not a file; name a PEM file of certificate authorities")
ALLOW_AMBIENT_CREDENTIALS = env_bool("ALLOW_AMBIENT_CREDENTIALS", True)
AWS_ENDPOINT_URL_STS = env_url("AWS_ENDPOINT_URL_STS")  # empty: AWS's own, of the storage's region
GCS_API_ENDPOINT = env_url("GCS_API_ENDPOINT", "https://storage.googleapis.com")
GOOGLE_OAUTH_TOKEN_URL = env_url("GOOGLE_OAUTH_TOKEN_URL", "https://oauth2.googleapis.com/token")
GOOGLE_STS_URL = env_url("GOOGLE_STS_URL", "https://sts.googleapis.com/v1/token")
GOOGLE_IAMCREDENTIALS_URL = env_url("GOOGLE_IAMCREDENTIALS_URL", "https://iamcredentials.googleapis.com")
AZURE_BLOB_ENDPOINT_TEMPLATE = env_url("AZURE_BLOB_ENDPOINT_TEMPLATE", "https://{account}.blob.core.windows.net")
AZURE_BLOB_ACCOUNT_NAME = env_str("AZURE_BLOB_ACCOUNT_NAME")  # the server's own account, where a storage names none
AZURE_BLOB_ACCOUNT_KEY = env_secret("AZURE_BLOB_ACCOUNT_KEY")
AZURE_AUTHORITY_HOST = env_url("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com")
DATABRICKS_OAUTH_SCOPE = env_str("DATABRICKS_OAUTH_SCOPE", "all-apis")
SYNC_ON_TARGET_STORAGE_CREATION = env_bool("SYNC_ON_TARGET_STORAGE_CREATION", True)
FUTURE_SAVE_TASK_TO_STORAGE = env_bool("FUTURE_SAVE_TASK_TO_STORAGE", False)
FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT = env_bool("FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT", True)
SYNC_MAX_OBJECT_MB = env_int("SYNC_MAX_OBJECT_MB", 10 * 1024)  # MiB of one task file; 0: any size
SYNC_MAX_UNPACKED_MB = env_int("SYNC_MAX_UNPACKED_MB", 10 * 1024)  # MiB that a gzip file may unpack to; 0: any size
SYNC_MAX_ROW_MB = env_int("SYNC_MAX_ROW_MB", 16, minimum=1, maximum=512)  # MiB of one task in a file, held in memory
SYNC_MAX_ROW_GROUP_MB = env_int("SYNC_MAX_ROW_GROUP_MB", 256, minimum=1)  # MiB of one Parquet row group, unpacked
SYNC_MAX_JSON_DEPTH = env_int("SYNC_MAX_JSON_DEPTH", 100, minimum=2, maximum=500)  # levels; the interpreter ends near 1000
DEFAULT_STORAGE_LIST_LIMIT = env_int("DEFAULT_STORAGE_LIST_LIMIT", 100, minimum=1)
LOCAL_FILES_SERVING_ENABLED = env_bool("LOCAL_FILES_SERVING_ENABLED", False)
LOCAL_FILES_DOCUMENT_ROOT = env_str("LOCAL_FILES_DOCUMENT_ROOT")
if LOCAL_FILES_DOCUMENT_ROOT and Path(LOCAL_FILES_DOCUMENT_ROOT).resolve() == Path("/"):
    raise EnvError(
        "LOCAL_FILES_DOCUMENT_ROOT may not be /: it would offer the whole machine; name the directory that holds the data"
    )
MEDIA_LINK_TTL = env_int("MEDIA_LINK_TTL", 12 * 3600, minimum=2)  # seconds that a signed link works
MEDIA_SIGNED_LINKS = env_bool("MEDIA_SIGNED_LINKS", False)  # whether links in task data are signed unless asked otherwise
MEDIA_AUDIT_LOG = env_str("MEDIA_AUDIT_LOG")  # a file, or "stderr": a line of JSON for each read of media
PRESIGN_MAX_TTL = env_int("PRESIGN_MAX_TTL", 7 * 24 * 60, minimum=1, maximum=7 * 24 * 60)  # minutes, whatever a storage says
RESOLVER_PROXY_BUFFER_SIZE = env_int("RESOLVER_PROXY_BUFFER_SIZE", 512 * 1024, minimum=4096)
RESOLVER_PROXY_TIMEOUT = env_int("RESOLVER_PROXY_TIMEOUT", 20, minimum=1)
RESOLVER_PROXY_MAX_RANGE_SIZE = env_int("RESOLVER_PROXY_MAX_RANGE_SIZE", 8 * 1024**2, minimum=1)
RESOLVER_PROXY_CACHE_TIMEOUT = env_int("RESOLVER_PROXY_CACHE_TIMEOUT", 3600)
RESOLVER_PROXY_OFFLOAD = env_str("RESOLVER_PROXY_OFFLOAD")  # "nginx": deploy/nginx.conf fetches what can be signed
if RESOLVER_PROXY_OFFLOAD not in ("", "nginx"):
    raise EnvError(f"RESOLVER_PROXY_OFFLOAD={RESOLVER_PROXY_OFFLOAD!r} is unknown; set it to nginx, or leave it empty")
RESOLVER_PROXY_STREAMS = capacity.STREAMS  # objects that a web process streams at once

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_str("LOG_LEVEL", "INFO").upper()},
    # at DEBUG it writes session tokens (as part of what is signed) and the bodies of credential services
    "loggers": {"botocore": {"level": "INFO"}, "storages.media.audit": {"level": "WARNING"}},
}
if MEDIA_AUDIT_LOG:
    LOGGING["formatters"]["bare"] = {"format": "%(message)s"}
    if MEDIA_AUDIT_LOG != "stderr":
        try:
            Path(MEDIA_AUDIT_LOG).parent.mkdir(parents=True, exist_ok=True)
            Path(MEDIA_AUDIT_LOG).open("a").close()
        except OSError as error:
            raise EnvError(f"MEDIA_AUDIT_LOG={MEDIA_AUDIT_LOG!r} cannot be written: {error.strerror}") from None
    to_file = {"class": "logging.handlers.WatchedFileHandler", "filename": MEDIA_AUDIT_LOG, "encoding": "utf-8", "delay": True}
    to = {"class": "logging.StreamHandler"} if MEDIA_AUDIT_LOG == "stderr" else to_file
    LOGGING["handlers"]["audit"] = to | {"formatter": "bare"}
    LOGGING["loggers"]["storages.media.audit"] = {"level": "INFO", "handlers": ["audit"], "propagate": False}
