"""The operating system's own stores: one way a platform."""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable
from glob import iglob
from importlib import import_module
from pathlib import Path
from typing import Any

from tlsinspect.files import exists, reason_of
from tlsinspect.stores.reading import Held, from_der, from_pem, read_file, read_files, read_folders
from tlsinspect.stores.table import table

SECURITY = "/usr/bin/security"  # of macOS
SECONDS = 10.0
MAX_OUTPUT = 32 * 1024 * 1024
_SERVER_AUTH = "1.3.6.1.5.5.7.3.1"

# What ssl.enum_certificates gives on Windows: DER, its encoding, and the purposes it is trusted for, True for all.
Rows = Iterable[tuple[bytes, str, Any]]


def system_store(platform: str) -> Held | None:
    """The store that "this machine trusts" means."""
    if platform == "win32":
        return from_windows("ROOT")
    if platform == "darwin":
        return from_keychains(table(platform).keychains)
    return from_bundles(table(platform).bundles)


def from_bundles(places: Iterable[str]) -> Held | None:
    """The first of the bundles that is there; None where only a folder is, which is a store of its own."""
    paths = ssl.get_default_verify_paths()
    found = next((place for place in (*places, paths.openssl_cafile) if exists(Path(place))), None)
    if found is not None:
        return read_file(found)
    return None if openssl_folder() else Held(problem="none is where such systems keep it")


def openssl_folder() -> Held | None:
    """The folder OpenSSL looks into unless it is told otherwise; None where it holds nothing OpenSSL would find."""
    held = read_folders(ssl.get_default_verify_paths().openssl_capath)
    return held if held.certificates else None


def libcurl_folder(platform: str, root: Path) -> Held | None:
    """The folder that libcurl reads beside a file, where it was built to read one."""
    for mark, folder in table(platform).libcurl.items():
        if exists(root / mark.removeprefix("/")):
            return read_folders(str(root / folder.removeprefix("/")))
    return None


def from_windows(store: str, enumerate_: Callable[[str], Rows] | None = None) -> Held:
    """A store of Windows, the machine's and the user's together."""
    ask = enumerate_ or getattr(ssl, "enum_certificates", None)
    place = f"Windows' store {store}"
    if ask is None:
        return Held(problem="there is none on this platform", place=place)
    try:
        ders = [der for der, encoding, trust in ask(store) if encoding == "x509_asn" and _for_servers(trust)]
    except OSError as error:
        return Held(problem=reason_of(error), place=place)
    held = from_der(ders)
    return Held(held.certificates, held.problem, place)


def _for_servers(trust: Any) -> bool:
    return trust is True or (trust is not False and _SERVER_AUTH in trust)


def from_keychains(keychains: tuple[str, ...], program: str = SECURITY) -> Held:
    """What stands in keychains of macOS. Whether macOS trusts each of them is another question, not asked here."""
    place = ", ".join(keychains)
    try:
        output = _output([program, "find-certificate", "-a", "-p", *keychains])
    except (OSError, ValueError) as error:
        return Held(problem=reason_of(error), place=place)
    held = from_pem(output)
    return Held(held.certificates, held.problem or ("" if held.certificates else "holds no certificate"), place)


def shipped(platform: str) -> frozenset[str]:
    """The keys that the system's makers put into its store (SPKI SHA-256), as far as that can be told."""
    rows = table(platform).shipped
    if not rows:
        return frozenset()
    if platform == "darwin":
        held = from_keychains(rows)
    else:
        held = read_files(place for pattern in rows for place in iglob(pattern))
    return frozenset(c.spki_sha256 for c in held.certificates)


def _output(argv: list[str]) -> bytes:
    """What a program writes, within bounds of time and size. Raises OSError or ValueError."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            output = process.stdout.read(MAX_OUTPUT + 1)
        finally:
            timer.cancel()
            process.kill()
    if len(output) > MAX_OUTPUT:
        raise ValueError("its answer does not end")
    return output


def certifi() -> Held | None:
    """The file of the certifi package beside this program, to which companies append; None where there is none."""
    try:
        place = str(import_module("certifi").where())
    except (ImportError, OSError, AttributeError):
        return None
    return read_file(place)
