"""Files as blocks of lines: compression, encodings, bounds."""

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tracking.weblogs.blocks import BLOCK_BYTES, Block, blocks_of, lines_of
from tracking.weblogs.formats.entry import MAX_LINE_BYTES
from tracking.weblogs.occurrences import Occurrences
from tracking.weblogs.sources import DamagedFileError, Source, opened

TEXT = b"".join(b"line %d \xc3\xa9\n" % number for number in range(20_000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": zstandard.ZstdCompressor().compress,
}


def source_of(data: bytes) -> Source:
    return Source(io.BytesIO(data), len(data))


def read_all(data: bytes) -> bytes:
    source = source_of(data)
    pieces = []
    while piece := source.read():
        pieces.append(piece)
    return b"".join(pieces)


def blocks(data: bytes, piece: int = 1 << 16, cuts: tuple[int, ...] = ()) -> list[Block]:
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)] + [b""]
    return list(blocks_of(iter(pieces).__next__, key=b"k", cuts=cuts))


@pytest.mark.parametrize("name", PACKERS)
def test_every_compression_is_told_by_its_first_bytes(name: str):
    packed = PACKERS[name](TEXT)
    assert read_all(packed) == TEXT
    assert source_of(packed).compression == name


@pytest.mark.parametrize("name", PACKERS)
def test_files_of_several_members_are_read_to_the_end(name: str):
    packed = PACKERS[name](TEXT) + PACKERS[name](b"last\n")
    assert read_all(packed) == TEXT + b"last\n"


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"])
def test_a_cut_off_file_gives_what_it_has_and_says_so(name: str):
    packed = PACKERS[name](TEXT * 20)
    source = source_of(packed[: len(packed) // 2])
    got = b""

    def read_on() -> None:
        nonlocal got
        while piece := source.read():
            got += piece

    with pytest.raises(DamagedFileError, match=name):
        read_on()
    assert 0 <= len(got) < len(TEXT) * 20
    assert (TEXT * 20).startswith(got)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-16-le"),
    ],
)
def test_byte_order_marks_and_utf16_become_plain_utf8(mark: bytes, encoding: str):
    assert read_all(mark + TEXT.decode().encode(encoding)) == TEXT


def test_a_byte_order_mark_inside_a_joined_file_costs_no_line():
    data = b"one\n" + codecs.BOM_UTF8 + b"two\n"
    assert [lines_of(block.data) for block in blocks(data)] == [[b"one", b"two"]]


def test_line_ends_of_both_kinds_and_none_at_the_end():
    assert lines_of(b"a\r\nb\n\nc") == [b"a", b"b", b"", b"c"]


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=60),
    st.integers(1, 50),
    st.booleans(),
)
def test_blocks_hold_every_line_once_with_its_number(
    lines: list[bytes], piece: int, ends_with_line_end: bool
):
    data = b"\n".join(lines) + (b"\n" if ends_with_line_end and lines else b"")
    found = blocks(data, piece)
    numbered = [
        (block.first_line + offset, line)
        for block in found
        for offset, line in enumerate(block.data.removesuffix(b"\n").split(b"\n"))
    ]
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    bare = [line.removeprefix(codecs.BOM_UTF8) for line in expected]
    assert [line.removeprefix(codecs.BOM_UTF8) for _, line in numbered] == bare
    assert [number for number, _ in numbered] == list(range(1, len(expected) + 1))
    assert (found[-1].ends_at if found else 0) == len(data)


def test_blocks_end_where_a_worker_resumes_with_the_same_hash():
    data = TEXT * 4
    cut = data.index(b"\n", len(data) // 3) + 1
    whole, cut_up = blocks(data), blocks(data, cuts=(cut,))
    assert cut in {block.ends_at for block in cut_up}
    assert b"".join(block.data for block in cut_up) == data
    assert whole[-1].digest == cut_up[-1].digest
    assert blocks(data[:cut])[-1].digest == next(
        block.digest for block in cut_up if block.ends_at == cut
    )


def test_a_line_without_end_is_one_bounded_line():
    data = b"first\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nlast\n"
    found = blocks(data)
    lines = [line for block in found for line in lines_of(block.data)]
    assert [len(line) for line in lines] == [5, MAX_LINE_BYTES + 1, 4]
    assert found[-1].first_line == 3
    assert found[-1].ends_at == len(data)
    assert max(len(block.data) for block in found) <= MAX_LINE_BYTES + BLOCK_BYTES


def test_a_folder_is_refused_by_name(tmp_path: Path):
    with pytest.raises(IsADirectoryError, match="name the files"), opened(str(tmp_path)):
        pass


@given(st.lists(st.integers(0, 5), max_size=200))
def test_equal_lines_are_numbered_in_their_order(lines: list[int]):
    occurrences = Occurrences()
    seen: dict[int, int] = {}
    for line in lines:
        assert occurrences.next(b"%d" % line) == seen.get(line, 0)
        seen[line] = seen.get(line, 0) + 1


def test_equal_lines_are_remembered_over_a_generation_at_least():
    occurrences = Occurrences(generation=100)
    occurrences.next(b"equal")
    for number in range(100):
        occurrences.next(b"%d" % number)
    assert occurrences.next(b"equal") == 1
    assert len(occurrences._young) + len(occurrences._old) <= 200
