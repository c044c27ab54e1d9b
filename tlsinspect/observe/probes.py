"""Active probes: questions to which only somebody on the way gives the answer looked for.

They corroborate; no verdict rests on them. Each costs something, if only a line in somebody's log: COSTS says what.
"""

import secrets
from collections.abc import Iterator
from dataclasses import replace

from tlsinspect.endpoints.target import is_address
from tlsinspect.model import Authority, Endpoint, Observation, Row
from tlsinspect.observe.attempt import Settings, observe
from tlsinspect.observe.handshake import ECDSA, H2, LARGE, RSA, SMALL
from tlsinspect.observe.route import Ways
from tlsinspect.observe.slices import Slice

RANDOM_SNI, NO_SUCH_HOST = "random-sni", "no-such-host"
_PROBES = (
    Slice("large-hello", (LARGE,)),
    Slice("small-hello", (SMALL,)),
    Slice("rsa", (RSA,)),
    Slice("ecdsa", (ECDSA,)),
    Slice("h2", (H2,)),
)
COSTS = {
    RANDOM_SNI: "one handshake with a made-up server name; it shows in the log of whoever reads names",
    NO_SUCH_HOST: "through a proxy: one CONNECT to that name, which its log and its DNS server see",
    "large-hello": "one handshake with every key exchange offered",
    "small-hello": "one handshake with the oldest one alone",
    "rsa": "one handshake of TLS 1.2 that takes RSA certificates alone",
    "ecdsa": "one of TLS 1.2 that takes ECDSA certificates alone, which an interceptor's log may call a failure",
    "h2": "one handshake that offers HTTP/2",
}


async def probe(endpoint: Endpoint, ways: Ways, settings: Settings) -> list[Observation]:
    """Ask every question once where `endpoint` answers. Nothing the network does raises."""
    made_up = f"tlsinspect-{secrets.token_hex(16)}.invalid"  # RFC 6761 §6.4: it cannot exist
    found = [await observe(endpoint, ways, settings, asked=asked) for asked in _questions(endpoint, made_up)]
    if ways.proxies[0] is not None:
        nowhere = replace(endpoint, host=made_up, authority=Authority.PUBLIC, rows=(Row(url=f"https://{made_up}/"),))
        found.append(await observe(nowhere, ways, settings, asked=Slice(NO_SUCH_HOST)))
    return found


def _questions(endpoint: Endpoint, made_up: str) -> Iterator[Slice]:
    if not is_address(endpoint.host):
        yield Slice(RANDOM_SNI, server_name=made_up)
    yield from _PROBES
