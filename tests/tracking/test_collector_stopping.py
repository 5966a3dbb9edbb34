"""A collector that is told to stop ends, whatever it is at."""

import asyncio
import random
from pathlib import Path

import pytest
from django.conf import settings

from tracking.collector import intake as intakes
from tracking.collector.intake import Intake
from tracking.collector.spool import Spool
from tracking.collector.tasks import end_tasks

ROUNDS = 40


def test_a_task_that_drops_its_cancellation_is_ended_all_the_same():
    dropped = 0

    async def stubborn() -> None:
        nonlocal dropped
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if dropped == 3:
                    raise
                dropped += 1

    async def fails() -> None:
        raise OSError

    async def play() -> None:
        tasks = [asyncio.create_task(stubborn()), asyncio.create_task(fails())]
        await asyncio.sleep(0)
        await end_tasks(tasks)
        assert all(task.done() for task in tasks)

    asyncio.run(asyncio.wait_for(play(), 10))
    assert dropped == 3


def test_it_ends_in_the_middle_of_a_look_at_the_streams(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    # One look after the other: about half of the moments are such that one cancellation is lost.
    monkeypatch.setattr(intakes, "WATCH_S", 0.0)
    moments = random.Random(7)

    async def play(number: int) -> None:
        intake = Intake(
            url=settings.REDIS_URL,
            prefix=f"stopping-{number}",
            partitions=4,
            max_entries=100,
            spool=Spool(tmp_path, 1_048_576),
        )
        await intake.start()
        await asyncio.sleep(moments.random() * 0.01)
        await intake.stop()

    for number in range(ROUNDS):
        asyncio.run(asyncio.wait_for(play(number), 10))
