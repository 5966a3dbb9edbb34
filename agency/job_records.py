"""What became of each kind of job: last run, duration, result, failures by type of error.

Kept in one Valkey hash per job, written by the worker at a job's end. A failure is kept as the
name of its error only: a message may quote a value. Importing this module connects the signals.
"""

import contextlib
import datetime as dt
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from celery.signals import task_failure, task_postrun, task_prerun
from django.conf import settings

FAILURES_KEPT_S = 30 * 86_400
"""Failures are counted until there was none for so long."""
_WORD = re.compile(r"[a-z][a-z_-]{0,23}")
_FAILED = "failed:"


@dataclass(frozen=True)
class JobRecord:
    """The last run of a job, and its failures."""

    name: str
    ended_at: dt.datetime | None
    """UTC; None when it has never run."""
    duration_s: float | None
    state: str
    """SUCCESS, FAILURE, RETRY and so on, as Celery names them; empty when it has never run."""
    result: str
    """What it returned, where that is a number or a plain word."""
    runs: int
    failures: Mapping[str, int]
    """By the name of the error, of the last 30 days or longer."""
    failed_at: dt.datetime | None


def _key(name: str) -> str:
    return f"{settings.STREAM_PREFIX}:job:{name}"


def _failures_key(name: str) -> str:
    return f"{settings.STREAM_PREFIX}:job-failures:{name}"


@lru_cache(maxsize=1)
def _valkey() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


_started: dict[str, float] = {}
"""Of the jobs that run in this process, by their ids."""


@task_prerun.connect
def _note_start(task_id: str = "", **_signal: Any) -> None:
    _started[task_id] = time.monotonic()


@task_postrun.connect
def _note_end(
    task_id: str = "", task: Any = None, retval: Any = None, state: str | None = "", **_signal: Any
) -> None:
    began = _started.pop(task_id, None)
    fields: dict[Any, Any] = {  # as wide as redis-py's own type, which is invariant
        "ended_at": str(time.time()),
        "duration_s": "" if began is None else f"{time.monotonic() - began:.3f}",
        "state": state or "",
        "result": _plain(retval) if state == "SUCCESS" else "",
    }
    # A job has ended, whether Valkey takes the record of it or not.
    with contextlib.suppress(redis.RedisError):
        pipe = _valkey().pipeline(transaction=True)
        pipe.hset(_key(task.name), mapping=fields)
        pipe.hincrby(_key(task.name), "runs", 1)
        pipe.execute()


@task_failure.connect
def _note_failure(
    sender: Any = None, exception: BaseException | None = None, **_signal: Any
) -> None:
    key = _failures_key(sender.name)
    with contextlib.suppress(redis.RedisError):
        pipe = _valkey().pipeline(transaction=True)
        pipe.hincrby(key, _FAILED + type(exception).__name__, 1)
        pipe.hset(key, "failed_at", str(time.time()))
        pipe.expire(key, FAILURES_KEPT_S)
        pipe.execute()


def _plain(result: Any) -> str:
    """Numbers and plain words; anything else might hold what is nobody's to read."""
    if isinstance(result, int | float):
        return str(result)
    return result if isinstance(result, str) and _WORD.fullmatch(result) else ""


def read_job(name: str) -> JobRecord:
    """The record of a job. One round trip; raises redis.RedisError."""
    pipe = _valkey().pipeline(transaction=False)
    pipe.hgetall(_key(name))
    pipe.hgetall(_failures_key(name))
    run, failed = (_texts(answer) for answer in pipe.execute())
    return JobRecord(
        name=name,
        ended_at=_time(run.get("ended_at")),
        duration_s=float(run["duration_s"]) if run.get("duration_s") else None,
        state=run.get("state", ""),
        result=run.get("result", ""),
        runs=int(run.get("runs", 0)),
        failures={
            field.removeprefix(_FAILED): int(number)
            for field, number in sorted(failed.items())
            if field.startswith(_FAILED)
        },
        failed_at=_time(failed.get("failed_at")),
    )


def _texts(answer: dict[bytes, bytes]) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in answer.items()}


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(float(text), dt.UTC) if text else None
