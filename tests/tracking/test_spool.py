"""The spool: in order, bounded, whole after a kill, taken over from the dead."""

import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.hit_maker import make_hit
from tracking.collector.spool import MAX_FILE_BYTES, Spool, SpoolFullError
from tracking.hits import Hit

PLENTY = 1_000_000_000


def _hits(count: int, path: str = "/p") -> list[Hit]:
    """Equal each time they are made."""
    return [
        msgspec.structs.replace(
            make_hit(number, path=f"{path}{number}"), id=number.to_bytes(16, "big")
        )
        for number in range(count)
    ]


def _drain(spool: Spool) -> list[Hit]:
    found: list[Hit] = []
    while not spool.is_empty:
        found += spool.read()
        spool.advance()
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


@pytest.fixture
def spool(tmp_path: Path):
    made = Spool(tmp_path, PLENTY)
    yield made
    made.close()


def test_hits_come_back_in_order_and_the_files_go(spool: Spool, tmp_path: Path) -> None:
    sent = _hits(100)
    for start in range(0, 100, 10):
        spool.append(sent[start : start + 10])
    assert _drain(spool) == sent
    assert (spool.size, _files(tmp_path)) == (0, [])


def test_hits_that_arrive_while_it_is_read_come_after(spool: Spool) -> None:
    first, second = _hits(5, "/a"), _hits(5, "/b")
    spool.append(first)
    assert spool.read() == first
    spool.append(second)
    spool.advance()
    assert _drain(spool) == second


def test_what_was_read_but_not_advanced_over_is_read_again(spool: Spool) -> None:
    spool.append(_hits(3))
    assert spool.read() == spool.read() == _hits(3)


def test_a_small_read_gives_whole_records_even_when_one_is_larger(spool: Spool) -> None:
    big = [make_hit(path="/" + "x" * 900, props={"k": "v" * 400}) for _ in range(20)]
    spool.append(big)
    spool.append(_hits(1))
    assert spool.read(max_bytes=100) == big
    spool.advance()
    assert spool.read(max_bytes=100) == _hits(1)


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 2_000)
    kept = []
    with contextlib.suppress(SpoolFullError):
        while True:
            spool.append(_hits(5))
            kept += _hits(5)
    assert kept
    assert spool.size <= 2_000
    with pytest.raises(SpoolFullError):
        spool.append(_hits(5))
    assert _drain(spool) == kept
    spool.append(_hits(5))
    spool.close()


def test_files_are_rotated_and_private(spool: Spool, tmp_path: Path) -> None:
    batch = [make_hit(path="/" + "x" * 900) for _ in range(1_000)]
    for _ in range(6):
        spool.append(batch)
    assert len(_files(tmp_path)) >= 2
    for path in _files(tmp_path):
        assert path.stat().st_size <= MAX_FILE_BYTES
        assert path.stat().st_mode & 0o077 == 0
    assert _drain(spool) == batch * 6


@given(cut=st.integers(0, 2_000), flip=st.booleans())
def test_a_torn_end_costs_only_the_torn_record(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: bool
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    spool = Spool(folder, PLENTY)
    spool.append(_hits(3, "/whole"))
    whole = spool.size
    spool.append(_hits(3, "/torn"))
    total = spool.size
    spool.close()
    (path,) = _files(folder)
    ends = whole + cut % (total - whole)
    data = bytearray(path.read_bytes())
    if flip:
        data[ends] ^= 0x5A
    else:
        del data[ends:]
    path.write_bytes(data)
    again = Spool(folder, PLENTY)
    again.adopt()
    again.append(_hits(2, "/after"))
    assert _drain(again) == _hits(3, "/whole") + _hits(2, "/after")
    again.close()


def test_a_file_of_noise_is_left_behind_and_nothing_blocks(tmp_path: Path) -> None:
    (tmp_path / "00000000000000000001-1.spool").write_bytes(os.urandom(5_000))
    (tmp_path / "00000000000000000002-1.spool").write_bytes(b"")
    spool = Spool(tmp_path, PLENTY)
    assert spool.adopt() == 2
    spool.append(_hits(2))
    assert _drain(spool) == _hits(2)
    assert _files(tmp_path) == []


def test_files_of_the_living_are_left_alone(spool: Spool, tmp_path: Path) -> None:
    spool.append(_hits(2))
    other = Spool(tmp_path, PLENTY)
    assert other.adopt() == 0
    assert other.read() == []
    spool.close()
    assert other.adopt() == 1
    assert other.adopt() == 0
    assert _drain(other) == _hits(2)


def _append_forever(folder: Path, connection) -> None:
    spool = Spool(folder, PLENTY)
    for number in range(1_000_000):
        spool.append(_hits(7, f"/{number}-"))
        connection.send(number)


def test_what_a_killed_process_had_synced_is_all_there(tmp_path: Path) -> None:
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_append_forever, args=(tmp_path, sender), daemon=True
    )
    process.start()
    sender.close()
    time.sleep(0.4)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    confirmed = -1
    with contextlib.suppress(EOFError):
        while True:
            confirmed = receiver.recv()
    assert confirmed >= 0
    spool = Spool(tmp_path, PLENTY)
    assert spool.adopt() >= 1
    found = _drain(spool)
    expected = [hit.path for number in range(confirmed + 1) for hit in _hits(7, f"/{number}-")]
    assert [hit.path for hit in found][: len(expected)] == expected
    assert len(found) - len(expected) in (0, 7)  # the last one may have been synced unheard


def test_a_disk_that_refuses_a_write_leaves_the_records_before_legible(tmp_path: Path) -> None:
    """A file size limit of the process stands for the full disk."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_meet_the_limit, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    spool = Spool(tmp_path, PLENTY)
    spool.adopt()
    assert _drain(spool) == _hits(3, "/before") + _hits(1, "/small")


def _meet_the_limit(folder: Path) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(folder, PLENTY)
    spool.append(_hits(3, "/before"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size + 500, resource.RLIM_INFINITY))
    with pytest.raises(OSError, match="too large"):
        spool.append(_hits(50, "/lost"))
    spool.append(_hits(1, "/small"))
    os._exit(0)
