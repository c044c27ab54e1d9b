"""From the names that people give to blocks of whole lines: files, folders, patterns, packed, encoded and damaged."""

import gzip
import io
import os
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsinspect.errors import UsageError
from tlsinspect.logs import needles
from tlsinspect.logs.blocks import MAX_LINE, Lines, Told, blocks
from tlsinspect.logs.grammar import complains
from tlsinspect.logs.sources import Source, find, follows

TEXT = "".join(f"line {n}, é and 字\r\n" for n in range(5000))


def names(*given: str | Path) -> list[str]:
    return [source.name for source in find([str(name) for name in given])]


def made(folder: Path, *files: str) -> None:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n", encoding="utf-8")


# -- which files ------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_through_for_logs_alone(tmp_path: Path) -> None:
    made(tmp_path, "a/Trace-1.log", "a/b/auth.LOG", "a/mail.pst", "a/notes.txt", "a/log", "a/x.log.gz", "a/y.log.12")
    found = {Path(name).name for name in names(tmp_path)}
    assert found == {"Trace-1.log", "auth.LOG", "notes.txt", "x.log.gz", "y.log.12"}


def test_rotated_predecessors_come_first_and_are_of_one_family(tmp_path: Path) -> None:
    made(tmp_path, "T.log", "T.log.1", "T.log.2.gz", "T.log.10", "U.log", "U.log.old", "S.log")
    sources = find([str(tmp_path)])
    order = [Path(source.name).name for source in sources]
    assert order == ["S.log", "T.log.10", "T.log.2.gz", "T.log.1", "T.log", "U.log.old", "U.log"]
    later = [follows(one.name, before.name) for before, one in pairwise(sources)]
    assert later == [False, False, True, True, False, True]  # from the tenth to the second some are missing
    assert not follows("T.log.1", "T.log")  # as shells put them in order


def test_the_same_file_counts_once(tmp_path: Path) -> None:
    made(tmp_path, "a.log")
    os.link(tmp_path / "a.log", tmp_path / "b.log")
    assert len(names(tmp_path / "a.log", tmp_path / "a.log", tmp_path, tmp_path / "*.log")) == 1


def test_patterns(tmp_path: Path) -> None:
    made(tmp_path, "a/Trace-1.log", "a/b/Trace-2.log", "a/other.log", "[1].log", "1.log")
    assert len(names(tmp_path / "**" / "Trace-*.log")) == 2
    assert [Path(name).name for name in names(tmp_path / "[1].log")] == ["[1].log"]  # a file of that very name
    with pytest.raises(UsageError, match="no file fits"):
        find([str(tmp_path / "Nothing*.log")])


def test_links_lead_nowhere_twice(tmp_path: Path) -> None:
    made(tmp_path, "a/x.log")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a", target_is_directory=True)
    assert len(names(tmp_path)) == 1


def test_a_pattern_follows_no_links_in_circles(tmp_path: Path) -> None:
    # Three of them are 3 ** 40 ways to the same file before the system refuses.
    made(tmp_path, "a/b/x.log", "a/.hidden/y.log", "c.log")
    for name in ("one", "two", "three"):
        (tmp_path / "a" / name).symlink_to(tmp_path, target_is_directory=True)
    below = [Path(name).relative_to(tmp_path) for name in names(tmp_path / "**" / "*.log")]
    assert below == [Path("a/b/x.log"), Path("c.log")]
    assert names(tmp_path / "a" / ".h*" / "*.log") == [str(tmp_path / "a" / ".hidden" / "y.log")]


def test_a_pattern_without_a_folder_is_looked_for_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "x.log", "a/y.log")
    monkeypatch.chdir(tmp_path)
    assert names("*.log") == ["x.log"]
    assert names("**/*.log") == [os.path.join("a", "y.log"), "x.log"]
    assert names(os.path.join("?", "**")) == [os.path.join("a", "y.log")]


@pytest.mark.parametrize("name", ["missing.log", "a\0b", "x" * 5000, ""])
def test_what_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find([name])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="this user may read everything")
def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path: Path) -> None:
    made(tmp_path, "a/x.log", "b/y.log")
    (tmp_path / "b").chmod(0)
    try:
        found = find([str(tmp_path)])
        assert [Path(source.name).name for source in found] == ["x.log", "b"]
        with pytest.raises(PermissionError):
            found[1].open()
    finally:
        (tmp_path / "b").chmod(0o700)


@pytest.mark.parametrize("given", ["", "*.log"])
def test_one_name_in_a_folder_that_leads_nowhere_costs_no_other(tmp_path: Path, given: str) -> None:
    made(tmp_path, "a.log")
    (tmp_path / "b.log").symlink_to("b.log")
    found = find([str(tmp_path / given)])
    assert [Path(source.name).name for source in found] == ["a.log", "b.log"]


def test_a_folder_without_a_log(tmp_path: Path) -> None:
    made(tmp_path, "mail.pst")
    with pytest.raises(UsageError, match="holds no log"):
        find([str(tmp_path)])


def test_a_pipe_that_is_named_is_read_and_one_in_a_folder_is_not(tmp_path: Path) -> None:
    pipe = tmp_path / "p.log"
    os.mkfifo(pipe)
    made(tmp_path, "a.log")
    assert [Path(name).name for name in names(tmp_path)] == ["a.log"]
    (source,) = find([str(pipe)])
    assert source.size is None
    writer = threading.Thread(target=pipe.write_bytes, args=(TEXT.encode(),))
    writer.start()
    with source.open() as stream:
        assert b"".join(blocks(stream, Told())) == TEXT.encode()
    writer.join()


def test_standard_input_is_a_source_of_its_own() -> None:
    assert find(["-", "-"]) == (Source("-"),)


# -- blocks -----------------------------------------------------------------------------------------------------------


def read(octets: bytes) -> tuple[bytes, Told]:
    told = Told()
    found = list(blocks(io.BytesIO(octets), told))
    assert all(block.endswith(b"\n") for block in found[:-1])
    assert told.on_disk <= len(octets)
    return b"".join(found), told


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16-le"), ("utf-16-be", "utf-16-be"),
     ("utf-16-le", "utf-16-le")],
)  # fmt: skip
def test_encodings(encoding: str, told: str, *, packed: bool) -> None:
    octets = TEXT.encode(encoding)
    found, said = read(gzip.compress(octets) if packed else octets)
    assert found.decode() == TEXT
    assert (said.encoding, said.problem, said.octets) == (told, "", len(octets))


def test_eight_bits_pass_unchanged() -> None:
    octets = TEXT.encode("cp1252", errors="replace")
    assert read(octets)[0] == octets


def test_broken_utf_16_is_replaced() -> None:
    octets = TEXT.encode("utf-16") + b"\x00\xd8" + "end\n".encode("utf-16-le") + b"x"
    found, told = read(octets)
    assert found.decode().startswith(TEXT)
    assert "end\n" in found.decode()
    assert told.problem == ""


def test_several_members_and_what_follows_them() -> None:
    members = gzip.compress(b"one\n") + gzip.compress(b"") + gzip.compress(b"two\n")
    assert read(members)[0] == b"one\ntwo\n"
    assert read(members + bytes(700) + gzip.compress(b"three\n") + bytes(9))[0] == b"one\ntwo\nthree\n"
    found, told = read(members + b"garbage\n")
    assert (found, told.problem) == (b"one\ntwo\n", "is followed by something else (gzip)")


@pytest.mark.parametrize("from_end", [8, 5, 1])  # of the checksum, and of the length
def test_a_wrong_checksum_costs_nothing_that_was_unpacked(from_end: int) -> None:
    packed = bytearray(gzip.compress(TEXT.encode()))
    packed[-from_end] ^= 0xFF
    found, told = read(bytes(packed))
    assert (found.decode(), told.problem) == (TEXT, "is damaged from here on (gzip)")


def test_what_stands_before_the_damage_is_read() -> None:
    octets = "".join(f"{line}\n" for line in os.urandom(60_000).hex("\n", 32).split()).encode()
    packed = bytearray(gzip.compress(octets))
    middle = len(packed) // 2
    packed[middle : middle + 1000] = b"\xff" * 1000
    found, told = read(bytes(packed))
    third = len(octets) // 3
    assert found[:third] == octets[:third]
    assert told.problem == "is damaged from here on (gzip)"


@pytest.mark.parametrize("cut", [3, 12, 100, 5000, -9, -1])
def test_what_was_read_of_a_damaged_file_stays(cut: int) -> None:
    found, told = read(gzip.compress(TEXT.encode())[:cut])
    assert TEXT.encode().startswith(found)
    assert told.problem == "ends too early (gzip)"
    broken = bytearray(gzip.compress(os.urandom(100_000).hex().encode()))
    broken[cut] ^= 0xFF
    read(bytes(broken))  # whatever it says, it is no exception


def test_a_file_that_cannot_be_read_any_further() -> None:
    class Failing(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            chunk = super().read1(size)
            if not chunk:
                raise OSError(5, "Input/output error")
            return chunk

    told = Told()
    assert list(blocks(Failing(b"one\n"), told)) == [b"one\n"]
    assert told.problem == "cannot be read to its end (Input/output error)"


@pytest.mark.slow
def test_a_bomb_is_read_in_little_memory() -> None:
    """300 MB of zeros without an end of a line, packed to 300 kB, are one line."""
    import tracemalloc

    packed = gzip.compress(bytes(300_000_000), 1)
    told = Told()
    tracemalloc.start()
    found = list(blocks(io.BytesIO(packed), told))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(block) for block in found] == [MAX_LINE]
    assert told.octets == 300_000_000
    assert most < 8_000_000


@settings(deadline=None)
@given(
    lines=st.lists(st.one_of(st.binary(max_size=40), st.integers(MAX_LINE - 2, MAX_LINE + 2)), max_size=12),
    cuts=st.lists(st.integers(1, 2 * MAX_LINE), min_size=1, max_size=30),
    ended=st.booleans(),
)
def test_the_lines_that_come_out_are_those_that_went_in(
    lines: list[bytes | int], cuts: list[int], *, ended: bool
) -> None:
    whole = [b"x" * line if isinstance(line, int) else line.replace(b"\n", b" ") for line in lines]
    octets = b"\n".join(whole) + (b"\n" if ended and whole else b"")
    reader, at = Lines(), 0
    found: list[bytes] = []
    while at < len(octets):
        cut = cuts[len(found) % len(cuts)]
        found.append(reader.feed(octets[at : at + cut]))
        at += cut
    assert all(not block or block.endswith(b"\n") for block in found)
    found.append(reader.flush())
    came = b"".join(found)
    assert came.split(b"\n") == [line[:MAX_LINE] for line in octets.split(b"\n")]
    assert sum(map(needles.line_count, found)) == len(octets.removesuffix(b"\n").split(b"\n")) * bool(octets)


# -- what is worth reading --------------------------------------------------------------------------------------------


COMPLAINTS = (
    b"\n2026-03-02T09:00:00.250+00:00 1a20 E:Network m!p @ 7 ()> ",
    b"\n[2026-03-02T09:00:00:WARNING:h.cc(7)] ",
)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from((*needles.NEEDLES, *COMPLAINTS)), st.binary(max_size=6), st.just(b"\n")), max_size=40
    )
)
def test_both_ways_of_looking_find_the_same_complaints(parts: list[bytes]) -> None:
    block = b"".join(parts)
    quick, plain = (
        {begin for hit in search(block) if complains(block, begin := block.rfind(b"\n", 0, hit) + 1)}
        for search in (needles.hits, needles.one_by_one)
    )
    assert quick == plain
    assert list(needles.one_by_one(block)) == sorted(needles.one_by_one(block))


def test_the_quick_way_is_the_one_that_is_tested() -> None:
    assert needles._search() is not needles.one_by_one
