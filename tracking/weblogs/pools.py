"""Where blocks go: to one engine in this process, or to several worker processes."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Protocol

import msgspec
from django.conf import settings

from tenants.models import Client
from tracking.weblogs.blocks import Block
from tracking.weblogs.engine import Engine, Job
from tracking.weblogs.frames import Order, read_report, write_order
from tracking.weblogs.tally import Tally, united

_QUEUED_BLOCKS = 16
_POLL_SECONDS = 0.2


class WorkerFailedError(Exception):
    """A worker ended with an error; what was stored before stays, and the import resumes."""

    code = "weblog-worker-failed"


class Pool(Protocol):
    """Takes a file's blocks in order."""

    def send(self, block: Block) -> None:
        """Give a block to every share; waits while they are busy."""

    def flush(self) -> None:
        """Have stored what is pending, soon."""

    def finish(self) -> Tally:
        """Store everything; the final account."""

    def stop(self) -> Tally:
        """Store what was sent and leave, after an interruption."""

    def tally(self) -> Tally:
        """The account as last heard of."""


class InlinePool:
    """One engine in this process: for small files, whose import is over before a worker is up."""

    def __init__(self, job: Job, client: Client) -> None:
        self._engine = Engine(job, client)

    def send(self, block: Block) -> None:
        """See Pool."""
        self._engine.take(block)

    def flush(self) -> None:
        """See Pool."""
        self._engine.flush()

    def finish(self) -> Tally:
        """See Pool."""
        self._engine.flush()
        return self._engine.tally

    stop = finish

    def tally(self) -> Tally:
        """See Pool."""
        return self._engine.tally


class _Worker:
    """One process with a thread that feeds it and a thread that hears it."""

    def __init__(self, job: Job) -> None:
        paths = [str(settings.ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tracking.weblogs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._orders: queue.Queue[tuple[Order, Block | None] | None] = queue.Queue(_QUEUED_BLOCKS)
        self.last = job.start.tally
        self.error = ""
        self._job = msgspec.msgpack.encode(job)
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._feeder.start()
        self._listener.start()

    def _feed(self) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            write_order(pipe, Order.JOB, data=self._job)
            while (told := self._orders.get()) is not None:
                write_order(pipe, told[0], told[1])
            pipe.close()
        except (BrokenPipeError, OSError):
            # The listener hears why.
            with contextlib.suppress(OSError):
                pipe.close()
            while self._orders.get() is not None:
                pass

    def _listen(self) -> None:
        pipe = self._process.stdout
        if pipe is None:
            return
        while (report := read_report(pipe)) is not None:
            if report.error:
                self.error = report.error
            else:
                self.last = report.tally
        pipe.close()

    def put(self, told: tuple[Order, Block | None] | None) -> None:
        """Queue an order; raises WorkerFailedError instead of waiting for a dead worker."""
        while True:
            self.check()
            try:
                self._orders.put(told, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return

    def check(self) -> None:
        """Raises WorkerFailedError when the worker has ended early."""
        code = self._process.poll()
        if self.error or code:
            self._listener.join(timeout=5)
            raise WorkerFailedError(self.error or f"a worker was killed (exit status {code})")

    def join(self) -> None:
        """Wait for the end of the worker, all of whose orders are queued."""
        self._feeder.join()
        self._listener.join()
        self._process.wait()
        self.check()

    def abandon(self) -> None:
        """Leave no process behind after another worker's failure."""
        self._process.terminate()
        try:
            self._orders.put_nowait(None)
        except queue.Full:
            # The feeder empties the queue once its pipe is broken; then there is room.
            self._orders.put(None)
        self._process.wait()
        self._feeder.join()
        self._listener.join()


class ProcessPool:
    """Worker processes, one for each share."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._workers = [_Worker(job) for job in jobs]

    def _all(self, *orders: tuple[Order, Block | None] | None) -> None:
        try:
            for order in orders:
                for worker in self._workers:
                    worker.put(order)
        except WorkerFailedError:
            for worker in self._workers:
                worker.abandon()
            raise

    def send(self, block: Block) -> None:
        """See Pool."""
        self._all((Order.BLOCK, block))

    def flush(self) -> None:
        """See Pool."""
        self._all((Order.FLUSH, None))

    def finish(self) -> Tally:
        """See Pool."""
        return self._leave((Order.END, None), None)

    def stop(self) -> Tally:
        """See Pool."""
        return self._leave(None)

    def _leave(self, *orders: tuple[Order, Block | None] | None) -> Tally:
        self._all(*orders)
        try:
            for worker in self._workers:
                worker.join()
        except WorkerFailedError:
            for worker in self._workers:
                worker.abandon()
            raise
        return self.tally()

    def tally(self) -> Tally:
        """See Pool."""
        return united([worker.last for worker in self._workers])
