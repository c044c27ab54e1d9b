"""The numbers of Windows in logs: each has a source and one meaning, and any number has an answer."""

import tomllib
from importlib.resources import files
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.logs import codes, needles
from tlsinspect.logs.codes import Means

TABLES: dict[str, Any] = tomllib.loads(files("tlsinspect.logs").joinpath("codes.toml").read_text(encoding="utf-8"))
NAMES = ("flag", "api", "error", "http")
HRESULT = 0x80070000
ANY = st.one_of(st.integers(), st.integers(-(2**33), 2**33), st.sampled_from((10**5000, -(10**5000))))


def rows(table: str) -> list[dict[str, Any]]:
    return [row for group in TABLES[table] for row in group["rows"]]


ERRORS = rows("error")


def test_the_tables_are_those_that_are_read() -> None:
    assert set(TABLES) == {"schema_version", "unknown", *NAMES}


@pytest.mark.parametrize("table", NAMES)
def test_every_row_has_a_source_and_stands_once(table: str) -> None:
    assert all(group["source"] and group["rows"] for group in TABLES[table])
    assert all(set(group) <= {"source", "rows", "only"} for group in TABLES[table])
    values = [row["value"] for row in rows(table)]
    assert len(values) == len(set(values))
    names = [row["name"] for row in rows(table)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("table", ["flag", "error", "http"])
def test_every_row_says_something_in_a_sentence_of_a_known_kind(table: str) -> None:
    for row in rows(table):
        assert row["sentence"][0].isupper(), row
        assert row["sentence"].endswith("."), row
        assert row["sentence"].isprintable(), row
        Means(row["means"])


def test_every_meaning_is_that_of_some_number() -> None:
    assert {row["means"] for table in ("flag", "error", "http") for row in rows(table)} == set(Means)


def test_the_head_of_the_table_tells_every_meaning() -> None:
    head = files("tlsinspect.logs").joinpath("codes.toml").read_text(encoding="utf-8").partition("schema_version")[0]
    told = set(head.replace("·", " ").split())
    assert set(Means) <= told


def test_bits_are_single() -> None:
    assert all(row["value"].bit_count() == 1 for table in ("flag",) for row in rows(table))


@pytest.mark.parametrize("row", [row for row in ERRORS if row["value"] < 0x10000], ids=lambda row: row["name"])
def test_an_error_of_win32_is_the_same_however_it_is_written(row: dict[str, Any]) -> None:
    raw = codes.error(row["value"])
    assert raw is not None
    assert (raw.value, raw.name, raw.sentence, raw.means) == tuple(
        row[key] for key in ("value", "name", "sentence", "means")
    )
    assert codes.error(HRESULT | row["value"]) == raw
    assert codes.error((HRESULT | row["value"]) - 2**32) == raw  # a signed long


@pytest.mark.parametrize("row", [row for row in ERRORS if row["value"] >= 0x10000], ids=lambda row: row["name"])
def test_an_hresult_is_found_signed_and_unsigned(row: dict[str, Any]) -> None:
    found = codes.error(row["value"])
    assert found is not None
    assert found.name == row["name"]
    assert codes.error(row["value"] - 2**32) == found
    assert row["value"] & 0xFFFF0000 != HRESULT  # else it would be one of Win32


@pytest.mark.parametrize(
    ("value", "name", "means"),
    [
        # What the vendor's page shows, and what is met most.
        (0x00002F8F, "ERROR_WINHTTP_SECURE_FAILURE", "see-flags"),
        (0x80072F8F, "ERROR_WINHTTP_SECURE_FAILURE", "see-flags"),
        (0x80072EE2, "ERROR_WINHTTP_TIMEOUT", "timeout"),
        (0x80072EE7, "ERROR_WINHTTP_NAME_NOT_RESOLVED", "dns"),
        (0x80072EFD, "ERROR_WINHTTP_CANNOT_CONNECT", "tcp"),
        (0x80072EFE, "ERROR_WINHTTP_CONNECTION_ERROR", "reset"),
        (0x80072F00, "ERROR_WINHTTP_RESEND_REQUEST", "none"),
        (0x80072EF1, "ERROR_WINHTTP_OPERATION_CANCELLED", "none"),
        (0x80072F94, "ERROR_WINHTTP_AUTODETECTION_FAILED", "none"),
        (0x8007274C, "WSAETIMEDOUT", "timeout"),
        (0x8007274D, "WSAECONNREFUSED", "refused"),
        (0x80072746, "WSAECONNRESET", "reset"),
        (0x80072AF9, "WSAHOST_NOT_FOUND", "dns"),
        (0x800B0109, "CERT_E_UNTRUSTEDROOT", "untrusted"),
        (0x800B010F, "CERT_E_CN_NO_MATCH", "name-mismatch"),
        (0x80090331, "SEC_E_ALGORITHM_MISMATCH", "tls"),
        (0x80092013, "CRYPT_E_REVOCATION_OFFLINE", "revocation-unavailable"),
    ],
)
def test_codes_that_are_met(value: int, name: str, means: str) -> None:
    found = codes.error(value)
    assert found is not None
    assert (found.name, found.means) == (name, means)


def test_every_combination_of_flags_is_taken_apart_and_put_together() -> None:
    known = sorted(row["value"] for row in rows("flag"))
    for count in range(len(known) + 1):
        for chosen in combinations(known, count):
            found = codes.flags(sum(chosen))
            assert tuple(flag.value for flag in found) == chosen
            assert codes.flag_values(flag.name for flag in found) == sum(chosen)


def test_flags_that_are_not_known_are_kept_together_and_last() -> None:
    found = codes.flags(0x00001109)
    assert [flag.value for flag in found] == [0x1, 0x8, 0x1100]
    assert found[-1].name == "0x00001100"
    assert "0x00001100" in found[-1].sentence
    assert found[-1].means == "none"


def test_a_name_that_is_no_flag_adds_nothing() -> None:
    assert codes.flag_values(["", "WINHTTP_CALLBACK_STATUS_FLAG_", "WINHTTP_CALLBACK_STATUS_FLAG_INVALID_CA"]) == 8
    assert codes.flag_values([]) == 0


@given(ANY)
def test_any_number_has_an_answer(value: int) -> None:
    found = codes.flags(value)
    assert sum(flag.value for flag in found) == (value if 0 < value < 2**32 else 0)
    error = codes.error(value)
    assert error is None or error.value in {value % 2**32, value % 2**16}
    for text in (codes.api(value),):
        assert len(text) < 100
        assert bool(text) or not 0 <= value < 2**32
    for proxy in (False, True):
        answer = codes.http_status(value, proxy=proxy)
        assert answer is None or answer.value == value


def test_calls() -> None:
    assert codes.api(5) == "WinHttpSendRequest"
    assert codes.api(99) == "API 99"


def test_what_a_server_says_counts_only_on_the_way_through_a_proxy() -> None:
    of_proxies = {row["value"] for row in rows("http") if row["proxy"]}
    assert of_proxies == {301, 302, 303, 307, 403, 502, 503, 504}
    for row in rows("http"):
        found = codes.http_status(row["value"], proxy=True)
        assert found is not None
        assert found.means == row["means"]
        assert (codes.http_status(row["value"], proxy=False) is None) == (row["value"] in of_proxies)
    for number in (200, 401, 404, 429, 500):
        assert codes.http_status(number, proxy=True) is None


def test_no_code_is_passed_over() -> None:
    for value in (value for value, code in codes._errors().items() if code.means is not Means.NONE):
        for written in {value, 0x80070000 | value if value < 0x10000 else value}:
            assert needles.hits(f"hr = 0x{written:08x}".encode()), hex(written)
            assert needles.hits(f"hr = 0x{written:08X}".encode()), hex(written)
