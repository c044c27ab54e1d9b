"""Whether this machine's own trust covers a chain: asked only before something secret is sent, never to judge."""

import asyncio
import os
import ssl
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto

from tlsinspect.certificate import REFUSALS, Certificate, UnreadableError, extension
from tlsinspect.evidence.names import claims
from tlsinspect.observe.apart import apart

SECONDS = 2.0  # for the roots to be read
_FOR_SERVERS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)


async def distrusted(chain: tuple[bytes, ...], host: str) -> str:
    """As `distrust`, without holding anybody up: where the roots are said to be may be a place that is never read to
    its end."""
    try:
        async with asyncio.timeout(SECONDS):
            return await apart(partial(distrust, chain, host), "system trust")
    except TimeoutError:
        return f"this machine's roots cannot be read within {SECONDS:g} s"


@lru_cache(maxsize=256)
def distrust(chain: tuple[bytes, ...], host: str) -> str:
    """Why this machine does not trust `chain` for `host`, on one line; the empty string where it does."""
    if not chain:
        return "it shows no certificate"
    try:
        leaf = Certificate(chain[0])
        shown = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]
    except (UnreadableError, crypto.Error, ValueError):
        return "its certificate cannot be read"
    if not claims(leaf, host):
        return f"its certificate does not name {host}"
    return _unsigned(shown)


def _unsigned(chain: Sequence[crypto.X509]) -> str:
    """Why no root of this machine stands for `chain`, each certificate of the way being one for servers."""
    context = _context()  # its store lives as long as it does
    store = context.get_cert_store()
    try:
        if store is not None:
            _add_windows(store)
            way = crypto.X509StoreContext(store, chain[0], chain[1:]).get_verified_chain()
            return "" if all(map(_for_servers, way)) else "its certificate is not for servers"
    except crypto.X509StoreContextError as error:
        return f"its certificate is not trusted here ({error})"
    except REFUSALS:
        return "its certificate cannot be read"
    return "this machine's roots cannot be read"


def _for_servers(certificate: crypto.X509) -> bool:
    usage = extension(certificate.to_cryptography(), x509.ExtendedKeyUsage)
    return usage is None or any(purpose in _FOR_SERVERS for purpose in usage)


def _context() -> SSL.Context:
    """With the system's roots as OpenSSL finds them, SSL_CERT_FILE and SSL_CERT_DIR included."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    named = os.environ.get("SSL_CERT_FILE")
    if named is None or Path(named).is_file():  # another thing, such as a pipe, may never be read to its end
        context.set_default_verify_paths()
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        # A broken file is no reason to trust anybody, nor to fail.
        with suppress(SSL.Error):
            context.load_verify_locations(paths.cafile, paths.capath)
    return context


def _add_windows(store: crypto.X509Store) -> None:
    if sys.platform == "win32":
        for der, encoding, purposes in ssl.enum_certificates("ROOT"):
            named = ExtendedKeyUsageOID.SERVER_AUTH.dotted_string
            for_servers = purposes if isinstance(purposes, bool) else named in purposes
            if encoding == "x509_asn" and for_servers:
                store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
