"""The Celery application: `celery -A agency worker`, `celery -A agency beat`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agency.settings")

from tenant_schemas_celery.app import CeleryApp

from agency import celery_heartbeat, job_records  # noqa: F401 - importing connects their signals

app = CeleryApp("agency")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect  # type: ignore[untyped-decorator]  # the tenant app ships no types
def _schedule(sender: CeleryApp, **kwargs: object) -> None:
    """Put every package's jobs on the beat."""
    from agency.tasks import BEAT_SCHEDULE as AGENCY
    from tenants.tasks import BEAT_SCHEDULE as KEYS
    from tracking.tasks import BEAT_SCHEDULE as TRACKING

    sender.conf.beat_schedule = {**KEYS, **TRACKING, **AGENCY}
