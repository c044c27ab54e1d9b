"""Which sync tool wrote a log, and where logs lie on Windows, told on any system."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.logs.products import folders, product_of, products, title

TABLE: dict[str, Any] = tomllib.loads(files("tlsinspect.logs").joinpath("products.toml").read_text(encoding="utf-8"))
LOCAL = r"C:\Users\Zoë\AppData\Local"
WINDOWS = {"LOCALAPPDATA": LOCAL, "SystemRoot": r"C:\WINDOWS", "PATH": r"C:\WINDOWS\system32"}


def test_every_row_has_its_source() -> None:
    assert all(row["source"] for table in ("product", "place") for row in TABLE[table])
    assert all(row["update"].startswith("https://") for row in TABLE["product"])


def test_the_products_are_those_of_the_schema() -> None:
    assert tuple(products()) == ("gwsmo", "gwmmo", "gwmme", "password-sync")
    assert len({product.title for product in products().values()}) == len(products())
    names = [name for product in products().values() for name in product.former]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("module", "product"),
    [
        ("ClientMigration", "gwmmo"),
        ("clientmigration", "gwmmo"),
        ("ExchangeMigration", "gwmme"),
        ("gsync32", "gwsmo"),
        ("password_sync_service", "password-sync"),
        ("password_sync_dll", "password-sync"),
        ("ClientMigration2", ""),
        ("", ""),
        ("*", ""),
    ],
)
def test_a_module_tells_the_product(module: str, product: str) -> None:
    assert product_of(module=module) == product


@pytest.mark.parametrize(
    ("path", "product"),
    [
        (r"C:\Program Files\Google\Google Apps Migration\ClientMigration.exe", "gwmmo"),
        (r"C:\Program Files\Google\Google Apps Migration\ExchangeMigration.exe", "gwmme"),
        (r"C:\PROGRA~2\MICROS~1\Office16\OUTLOOK.EXE", "gwsmo"),
        (r"C:\Program Files\Google\Google Apps Password Sync\password_sync_service.exe", "password-sync"),
        (LOCAL + r"\Google\Google Apps Migration\Tracing\ClientMigration\Trace-2020-05-03-11-33-17-p732.log", "gwmmo"),
        (LOCAL + r"\Google\Google Apps Migration\Tracing\ExchangeMigration\Trace-1.log", "gwmme"),
        (LOCAL + r"\Google\Google Apps Sync\Tracing\OUTLOOK\Trace-1.log", "gwsmo"),
        ("/evidence/case 7/google/google apps password sync/tracing/lsass/Trace-1.log.gz", "password-sync"),
        (r"Google Apps Migration\Tracing/ClientMigration", "gwmmo"),
        (LOCAL + r"\Google\Identity\log.txt", ""),  # of any of them
        (r"C:\Program Files\Google\Google Apps Migration", ""),  # of two of them
        (r"C:\Google Apps SyncX\Tracing\Trace-1.log", ""),
        ("Trace-2020-05-03-11-33-17-p732.log", ""),
        ("-", ""),
        ("", ""),
        ("\\\\\\///", ""),
    ],
)
def test_a_path_tells_the_product(path: str, product: str) -> None:
    assert product_of(path=path) == product


def test_a_line_tells_more_than_where_the_file_was_put() -> None:
    path = r"Google\Google Apps Sync\Tracing\Trace-1.log"
    assert product_of("ClientMigration", path) == "gwmmo"
    assert product_of("somethingelse", path) == "gwsmo"


def test_titles() -> None:
    assert title("gwsmo") == "Google Workspace Sync for Microsoft Outlook"
    assert all(title(product) for product in products())
    assert title("") == title("unknown") == ""


def test_folders_of_a_machine() -> None:
    service = r"C:\WINDOWS\ServiceProfiles\NetworkService\AppData\Local\Google"
    assert folders(WINDOWS) == (
        LOCAL + r"\Google\Google Apps Sync\Tracing",
        LOCAL + r"\Google\Google Apps Migration\Tracing",
        LOCAL + r"\Google\Google Apps Password Sync\Tracing",
        LOCAL + r"\Google\Identity",
        service + r"\Google Apps Password Sync\Tracing",
        service + r"\Identity",
        r"C:\WINDOWS\System32\config\systemprofile\AppData\Local\Google\Google Apps Password Sync\Tracing",
    )


def test_another_variable_gives_the_same_folders() -> None:
    assert folders({"USERPROFILE": r"C:\Users\Zoë", "windir": r"C:\WINDOWS"}) == folders(WINDOWS)
    assert folders({**WINDOWS, "USERPROFILE": r"D:\elsewhere"}) == folders(WINDOWS)


@pytest.mark.parametrize("value", ["", "relative", r"\no drive", "C:relative", "/home/zoe", "C:\\with\0zero"])
def test_what_is_no_whole_path_is_no_folder(value: str) -> None:
    assert folders({"LOCALAPPDATA": value, "USERPROFILE": value, "SYSTEMROOT": value, "WINDIR": value}) == ()


def test_a_profile_on_a_share() -> None:
    assert folders({"LOCALAPPDATA": r"\\server\profiles\zoë"})[-1] == r"\\server\profiles\zoë\Google\Identity"


def test_a_machine_that_is_not_windows_has_none() -> None:
    assert folders({"HOME": "/home/zoe", "PATH": "/usr/bin"}) == ()


@given(st.text(), st.text())
def test_whatever_is_asked_is_answered(module: str, path: str) -> None:
    assert product_of(module, path) in {"", *products()}
    assert isinstance(folders({"LOCALAPPDATA": path, "SYSTEMROOT": module}), tuple)
