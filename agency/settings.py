"""Settings of the one project, read from the environment (see README for the list)."""

import os
from pathlib import Path

from agency.embedded_urls import KEYS_DATABASE, postgres_url, valkey_url
from agency.environment import (
    SettingError,
    broker_url,
    database_config,
    email_config,
    env_bool,
    env_int,
    env_list,
    env_networks,
    env_path,
    env_text,
    oidc_apps,
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
    # Before the admin, whose templates it replaces. Neither makes a site of its own.
    "unfold.apps.BasicAppConfig",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "agency.static_apps.HouseStaticFilesConfig",
    "django.contrib.humanize",
    "chartjs",
    "axes",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "drf_spectacular",
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

# --- uploaded weblogs, sealed until they are imported
UPLOAD_PATH = env_path("OUTWARD_UPLOAD_PATH", VAR / "uploads")
UPLOAD_BYTES = env_int("OUTWARD_UPLOAD_MB", 2_048, minimum=1, maximum=1_048_576) * 1_048_576

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
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "agency.hosts.SessionHostMiddleware",
    "agency.accounts_guard.SeenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "agency.accounts_guard.SecondFactorMiddleware",
    "agency.accounts_guard.StaffVisitMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
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
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "log_in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
SESSION_ENGINE = "tenants.session_store"
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
# --- log-in: guesses are counted in the cache, per account and network and per account; neither the
# guesser's address nor the browser is kept (axes' own tables would hold both)
AXES_HANDLER = "agency.accounts_guesses.GuessHandler"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25
"""Hours."""
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username"]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "agency.hosts.account_of"
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_CLIENT_IP_CALLABLE = "agency.accounts_guesses.network_of"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
ACCOUNT_ADAPTER = "agency.accounts_adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
# Who was invited has shown that the address is theirs: the link was sent there.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PRODUCTION else "http"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_FORMS = {
    "login": "agency.forms.accounts.LogInForm",
    "change_password": "agency.forms.accounts.NewPasswordForm",
    "set_password": "agency.forms.accounts.FirstPasswordForm",
    "reauthenticate": "agency.forms.accounts.StillYouForm",
    "reset_password": "agency.forms.accounts.AskForLinkForm",
    "reset_password_from_key": "agency.forms.accounts.ForgottenPasswordForm",
}
# axes counts wrong passwords per account; `login` and `password` hold back floods. `ip` is a keyed
# hash of the address that changes every hour (agency.accounts_guesses), so the cache never
# holds one. `login_failed` is allauth's name for a wrong code or passkey of one account, from
# whatever address; AccountAdapter.pre_authenticate keeps passwords out of it.
ACCOUNT_RATE_LIMITS = {
    "login": "240/m/ip",
    "password": "120/m/ip",
    "login_failed": "5/5m/key",
}
MFA_ADAPTER = "agency.accounts_adapter.SecondFactorAdapter"
MFA_FORMS = {"add_webauthn": "agency.forms.accounts.AddPasskeyForm"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = AGENCY_NAME
# Codes of the step before and after too: for one typed in its last second, or a phone whose clock
# is half a minute off.
MFA_TOTP_TOLERANCE = 1
STAFF_2FA = env_bool("OUTWARD_STAFF_2FA", PRODUCTION)
"""Whether the agency's staff must have a second factor before they see anything."""
STAFF_SESSION_DAYS = env_int("OUTWARD_STAFF_SESSION_DAYS", 14, minimum=1, maximum=365)
"""After so many days the agency's staff log in again, however often they were here."""
OIDC_APPS = oidc_apps()
SOCIALACCOUNT_ADAPTER = "agency.accounts_adapter.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": OIDC_APPS}}
SOCIALACCOUNT_AUTO_SIGNUP = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = ""
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "base-uri": ["'none'"],
        # The button of a provider posts here and is sent on there, which this directive judges too.
        "form-action": ["'self'", *(app["settings"]["server_url"] for app in OIDC_APPS)],
        "frame-ancestors": ["'none'"],
    }
}

# --- static files
STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [
    ("demo", ROOT / "static/demo"),
    ("img", ROOT / "static/img"),
    ("admin_house", ROOT / "static/admin_house"),
]
# Styles and scripts are bundled from static/css and static/js, under front/.
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "agency.static_files.AppFinder",
    "agency.front_end.FrontEndFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "agency.static_files.StaticStorage"},
}
WHITENOISE_USE_FINDERS = False
WHITENOISE_MANIFEST_STRICT = True
# Named by the manifest, or by esbuild (pieces that are loaded when a page needs them).
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/(.+\.[0-9a-f]{12}\..+|front/[a-z]+-[0-9A-Z]{8}\.js)$"

# --- the admin site (agency/admin.py); its colours are in static/admin_house/look.css
UNFOLD = {
    "SITE_TITLE": f"{AGENCY_NAME} admin",
    "SITE_HEADER": AGENCY_NAME,
    "SITE_SUBHEADER": "Admin",
    "SITE_ICON": "agency.admin.mark",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "agency.admin.mark"}],
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": ["agency.admin.stylesheet"],
    "SCRIPTS": ["agency.admin.theme_script", "agency.admin.keyboard_script"],
    "SIDEBAR": {"navigation": "agency.admin.navigation"},
}

# --- the statistics API
REST_FRAMEWORK = {
    # Closed: a view that does not say who may come in lets nobody in.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tracking.api.problems.handle_problem",
}
SPECTACULAR_SETTINGS = {
    "TITLE": f"{AGENCY_NAME} statistics",
    "DESCRIPTION": "Read-only statistics of one client's websites.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
}

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
EMAIL_FILE_PATH = VAR / "mail"
MAIL = email_config("OUTWARD_EMAIL_URL")
EMAIL_BACKEND = MAIL.backend
EMAIL_HOST, EMAIL_PORT = MAIL.host, MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.user, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = MAIL.starttls, MAIL.tls, 20
DEFAULT_FROM_EMAIL = env_text("OUTWARD_FROM_EMAIL", f"reports@{AGENCY_HOST}")
LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = "agency.formats"

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
        "allauth": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
        "weasyprint": {"level": "ERROR"},
        "fontTools": {"level": "ERROR"},
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
