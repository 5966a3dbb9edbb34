"""A worker process of an import: `python -m tracking.weblogs.worker`, told by its stdin what to do.

A process of its own instead of multiprocessing, so that imports also run inside Celery's workers,
which may have no children of that kind. When stdin ends without Order.END, because the parent was
interrupted or killed, what was received whole is stored and the worker leaves.
"""

import gc
import os
import signal
import sys
import time
import traceback
from typing import IO

import django
import msgspec

REPORT_SECONDS = 0.2


def main() -> int:
    """Work until stdin ends; the exit status is 1 after an error, which was reported."""
    orders = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    reports = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # nothing that prints may come between the reports
    # Ctrl-C reaches the whole process group; the parent decides how to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    # What is loaded by now stays, and hits hold no cycles: looking for some would cost a tenth.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    return _serve(orders, reports)


def _serve(orders: IO[bytes], reports: IO[bytes]) -> int:
    from tracking.weblogs.frames import Report, write_report
    from tracking.weblogs.tally import Tally

    try:
        _work(orders, reports)
    except BrokenPipeError:
        return 0  # the parent is gone; what was received is stored or will be read again
    except Exception as error:  # noqa: BLE001 - a message may quote a line: only the type may leave
        write_report(reports, Report(Tally(), 0, error=describe(error)))
        return 1
    return 0


def describe(error: Exception) -> str:
    """Type and place of an error, without its message, which might quote personal data."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    code = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
    state = f" (SQLSTATE {code})" if code else ""
    return f"{type(error).__name__}{state} at {os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - a frame's file name is a string


def _work(orders: IO[bytes], reports: IO[bytes]) -> None:
    from tracking.weblogs.engine import Engine, Job
    from tracking.weblogs.frames import Order, Report, read_order, write_report
    from tracking.weblogs.locks import client_of, held_as_worker

    told = read_order(orders)
    if told is None:
        return
    job = msgspec.msgpack.decode(told[1].data, type=Job)
    client = client_of(job.settings.client_id)
    with held_as_worker(job.settings.site_id):
        engine = Engine(job, client)
        reported = time.monotonic()
        ended = False
        while not ended and (told := read_order(orders)) is not None:
            order, block = told
            if order is Order.BLOCK:
                engine.take(block)
            else:
                engine.flush()
                ended = order is Order.END
            if ended or order is Order.FLUSH or time.monotonic() - reported > REPORT_SECONDS:
                write_report(reports, Report(engine.tally, engine.position))
                reported = time.monotonic()
        if not ended:
            engine.flush()
            write_report(reports, Report(engine.tally, engine.position))


if __name__ == "__main__":
    sys.exit(main())
