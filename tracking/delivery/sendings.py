"""How one sending goes: claimed, handed over, settled; each step a conditional update.

What is promised, for scheduled mails and for alerts alike:

- two workers never send the same message: a claim is one UPDATE, and its row count says who won;
- a refusal is tried again later, with growing pauses, and then shown as failed;
- a worker that dies between handing a mail over and writing so down leaves it *uncertain*: it is
  shown, and a person may send it again, but it never goes out twice by itself. A webhook in that
  state is sent again instead, with the same id, by which the receiver knows it.
"""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import F, Q, QuerySet

from tracking.models.delivery import AlertNotice, DeliveryState, ReportDelivery

Sending = type[ReportDelivery] | type[AlertNotice]
"""Which kind of sending."""

PAUSES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360))
"""Before the second, third … attempt; after the last one there is none."""
ATTEMPTS = len(PAUSES) + 1
STALE_AFTER = dt.timedelta(minutes=15)
"""A claim that is older belongs to a worker that died; every sending has shorter timeouts."""

ROUND_S = 20.0
"""How long one client's sendings may go on in a round; what is left waits for the next one."""


def for_a_round(ids: Sequence[int], *, seconds: float = ROUND_S) -> Iterator[int]:
    """The ids, as long as the round lasts; the first one in any case."""
    ends_at = time.monotonic() + seconds
    for number, sending_id in enumerate(ids):
        if number and time.monotonic() >= ends_at:
            return
        yield sending_id


def due_ids(model: Sending, now: dt.datetime, *, limit: int = 200) -> list[int]:
    """Waiting sendings whose time has come, the oldest first. One query."""
    rows = model.objects.filter(state=DeliveryState.WAITING, next_try_at__lte=now)
    return list(rows.order_by("next_try_at", "pk").values_list("pk", flat=True)[:limit])


def claim(model: Sending, sending_id: int, now: dt.datetime) -> bool:
    """Take a waiting sending for oneself; False when somebody else has it. One query."""
    return bool(
        model.objects.filter(pk=sending_id, state=DeliveryState.WAITING).update(
            state=DeliveryState.SENDING, claimed_at=now, attempts=F("attempts") + 1
        )
    )


def record_sent(model: Sending, sending_id: int, now: dt.datetime, **more: Any) -> None:
    """Write down that it was handed over."""
    _claimed(model, sending_id).update(state=DeliveryState.SENT, sent_at=now, problem="", **more)


def record_failure(
    model: Sending, sending_id: int, now: dt.datetime, problem: str, **more: Any
) -> None:
    """Write down why it failed; it waits for its next attempt, or has failed for good."""
    attempts = _claimed(model, sending_id).values_list("attempts", flat=True).first()
    if attempts is None:
        return
    state: dict[str, Any] = {"state": DeliveryState.FAILED}
    if attempts < ATTEMPTS:
        state = {"state": DeliveryState.WAITING, "next_try_at": now + PAUSES[attempts - 1]}
    _claimed(model, sending_id).update(problem=problem[:200], **state, **more)


def record_dropped(model: Sending, sending_id: int, problem: str) -> None:
    """Write down that it will not be sent, and why."""
    _claimed(model, sending_id).update(state=DeliveryState.DROPPED, problem=problem[:200])


def settle_stale(model: Sending, now: dt.datetime, *, repeat: Q | None = None) -> int:
    """Settle what dead workers left: uncertain, or waiting again where `repeat` holds.

    Returns how many. Two queries at most.
    """
    stale = Q(state=DeliveryState.SENDING, claimed_at__lt=now - STALE_AFTER)
    count = 0
    if repeat is not None:
        again: QuerySet[Any] = model.objects.filter(stale & repeat)
        count += again.update(state=DeliveryState.WAITING, next_try_at=now)
    return count + model.objects.filter(stale).update(
        state=DeliveryState.UNCERTAIN,
        problem="The process ended while it was being sent.",
    )


def send_again(model: Sending, sending_id: int, now: dt.datetime) -> bool:
    """Let a failed or uncertain sending start anew, as a person asked; False: it is not one."""
    return bool(
        model.objects.filter(
            pk=sending_id, state__in=(DeliveryState.FAILED, DeliveryState.UNCERTAIN)
        ).update(state=DeliveryState.WAITING, next_try_at=now, attempts=0, problem="")
    )


def _claimed(model: Sending, sending_id: int) -> QuerySet[Any]:
    return model.objects.filter(pk=sending_id, state=DeliveryState.SENDING)
