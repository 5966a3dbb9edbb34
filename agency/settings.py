"""Settings of the one project, read from the environment (see README for the list)."""

import os
from pathlib import Path

from agency.embedded_urls import KEYS_DATABASE, postgres_url, valkey_url
from agency.environment import (
    SettingError,
    broker_url,
    database_config,
    env_bool,
    env_int,
    env_list,
    env_networks,
    env_path,
    env_text,
)

ROOT = Path(__file__).resolve().parent.parent
VAR = env_path("OUTWARD_VAR", ROOT / "var")
PRODUCTION = env_bool("OUTWARD_PRODUCTION", False)
DEBUG = False

PORT = env_int("OUTWARD_PORT", 8000, minimum=1, maximum=65535)
BASE_DOMAIN = env_text("OUTWARD_BASE_DOMAIN", "localhost")
AGENCY_HOST = env_text("OUTWARD_AGENCY_HOST", f"agency.{BASE_DOMAIN}")
AGENCY_NAME = env_text("OUTWARD_AGENCY_NAME", "Outward")

DEVELOPMENT_SECRET = "only-for-the-embedded-default-never-in-production"  # noqa: S105 - refused in production by tenants.E001
SECRET_KEY = env_text("OUTWARD_SECRET_KEY", DEVELOPMENT_SECRET)
# Hosts are checked against the table of domains: agency.hosts.HostMiddleware serves no other.
ALLOWED_HOSTS = env_list("OUTWARD_ALLOWED_HOSTS", "*")

# --- apps: shared ones live in the public schema, the client's in each client's schema
SHARED_APPS = [
    "django_tenants",
    "tenants",
    "tenants.keystore",
    "agency",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "chartjs",
    "axes",
    "rest_framework",
    "csp",
]
TENANT_APPS = ["consent", "tracking"]
INSTALLED_APPS = SHARED_APPS + [app for app in TENANT_APPS if app not in SHARED_APPS]
TENANT_MODEL = "tenants.Client"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_LIMIT_SET_CALLS = True
PUBLIC_SCHEMA_NAME = "public"
AUTH_USER_MODEL = "tenants.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- databases
ORIGINAL_BACKEND = "django.db.backends.postgresql"
DATABASE_ROUTERS = ["tenants.routers.KeysRouter", "django_tenants.routers.TenantSyncRouter"]
DATABASE_URL = env_text("OUTWARD_DATABASE_URL")
KEYS_DATABASE_URL = env_text("OUTWARD_KEYS_DATABASE_URL")
REDIS_URL = env_text("OUTWARD_REDIS_URL", "" if PRODUCTION else valkey_url(VAR))
# What the environment does not name is the embedded server of `make run`, whether it runs or not.
DATABASES = {
    "default": database_config(
        "OUTWARD_DATABASE_URL", DATABASE_URL or postgres_url(VAR), "tenants.backend"
    ),
    "keys": database_config(
        "OUTWARD_KEYS_DATABASE_URL",
        KEYS_DATABASE_URL or postgres_url(VAR, KEYS_DATABASE),
        "django.db.backends.postgresql",
    ),
}

# --- stream, broker, cache: one Valkey
STREAM_PREFIX = env_text("OUTWARD_STREAM_PREFIX", "outward")
PARTITIONS = env_int("OUTWARD_PARTITIONS", 4, minimum=1, maximum=256)
SPOOL_PATH = env_path("OUTWARD_SPOOL_PATH", VAR / "spool")
SPOOL_BYTES = env_int("OUTWARD_SPOOL_MB", 64, minimum=1, maximum=1_048_576) * 1_048_576
STREAM_MAX_ENTRIES = env_int(
    "OUTWARD_STREAM_MAX_ENTRIES", 2_000_000, minimum=1_000, maximum=1_000_000_000
)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL or valkey_url(VAR),
        "KEY_PREFIX": f"{STREAM_PREFIX}:cache",
    }
}

# --- keys
ROOT_KEY_PATH = env_path("OUTWARD_ROOT_KEY_PATH", VAR / "root.key")
ROOT_KEY = env_text("OUTWARD_ROOT_KEY")
"""Base64 of 32 bytes; when set, the environment is the key provider and no file is read."""

# --- the collector
TRUSTED_PROXIES = env_networks("OUTWARD_TRUSTED_PROXIES")
GEO_PATH = env_path(
    "OUTWARD_GEO_PATH",
    ROOT / "node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb",
)
SCRIPT_PATH = VAR / "build" / "outward.js"
RATE_LIMIT_HITS = env_int("OUTWARD_RATE_LIMIT_HITS", 120, minimum=1, maximum=1_000_000)
"""Hits a visitor may send in a minute."""

# --- the web edge
ROOT_URLCONF = "agency.urls_client"
PUBLIC_SCHEMA_URLCONF = "agency.urls_agency"
ASGI_APPLICATION = "agency.asgi.application"
MIDDLEWARE = [
    "agency.hosts.HostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "agency.hosts.SessionHostMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "agency.context.house",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "log_in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
SESSION_COOKIE_NAME = "outward_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_NAME = "outward_csrf"
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25
"""Hours."""
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_USERNAME_FORM_FIELD = "username"
# An attempt is counted per account; the guesser's address and agent are nobody's to keep here.
AXES_CLIENT_IP_CALLABLE = "agency.hosts.no_address"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# W006 wants the guesser's address beside the account: it is what must not be kept.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- static files
STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [
    ROOT / "static",
    *(
        [("vendor/chart.js", ROOT / "node_modules/chart.js/dist")]
        if (ROOT / "node_modules/chart.js/dist").is_dir()
        else []
    ),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False
WHITENOISE_MANIFEST_STRICT = True

# --- jobs
CELERY_BROKER_URL = broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = f"{STREAM_PREFIX}-jobs"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "beat-schedule")

# --- mail, words, time
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR / "mail"
DEFAULT_FROM_EMAIL = env_text("OUTWARD_FROM_EMAIL", f"reports@{AGENCY_HOST}")
LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "agency.logs.PlaceFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env_text("OUTWARD_LOG_LEVEL", "INFO")},
    "loggers": {
        # A wrong address is no event; axes' log holds names of accounts.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},
        "axes": {"level": "CRITICAL"},
        "celery": {"level": "WARNING"},
    },
}

if PRODUCTION and not (DATABASE_URL and KEYS_DATABASE_URL and REDIS_URL):
    raise SettingError(
        "OUTWARD_PRODUCTION=1 needs OUTWARD_DATABASE_URL, OUTWARD_KEYS_DATABASE_URL and "
        "OUTWARD_REDIS_URL."
    )
if PRODUCTION and SECRET_KEY == DEVELOPMENT_SECRET:
    raise SettingError(
        "OUTWARD_PRODUCTION=1 needs OUTWARD_SECRET_KEY: 50 random characters or more, kept secret."
    )
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agency.settings")
