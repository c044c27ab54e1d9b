"""Whether this machine's own trust covers a chain: asked only before something secret is sent, never to judge."""

import asyncio
import ssl
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache, partial

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto

from tlsinspect.certificate import Certificate, UnreadableError, extension
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
        usage = extension(x509.load_der_x509_certificate(chain[0]), x509.ExtendedKeyUsage)
    except (UnreadableError, crypto.Error, ValueError):
        return "its certificate cannot be read"
    if not claims(leaf, host):
        return f"its certificate does not name {host}"
    if usage is not None and not any(purpose in _FOR_SERVERS for purpose in usage):
        return "its certificate is not for servers"
    return _unsigned(shown)


def _unsigned(chain: Sequence[crypto.X509]) -> str:
    context = _context()  # its store lives as long as it does
    store = context.get_cert_store()
    try:
        if store is not None:
            _add_windows(store)
            crypto.X509StoreContext(store, chain[0], chain[1:]).verify_certificate()
            return ""
    except crypto.X509StoreContextError as error:
        return f"its certificate is not trusted here ({error})"
    return "this machine's roots cannot be read"


def _context() -> SSL.Context:
    """With the system's roots as OpenSSL finds them, SSL_CERT_FILE and SSL_CERT_DIR included."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
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
