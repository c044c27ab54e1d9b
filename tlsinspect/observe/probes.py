"""Active probes: questions to which only somebody on the way gives the answer looked for.

They corroborate; no verdict rests on them. Each costs something, if only a line in somebody's log: COSTS says what.
"""

import secrets
from collections.abc import Iterator
from dataclasses import replace

from tlsinspect.asked import Asked
from tlsinspect.endpoints.target import is_address
from tlsinspect.model import Authority, Endpoint, Observation, Row
from tlsinspect.observe.attempt import Settings, observe
from tlsinspect.observe.handshake import LARGE, SMALL
from tlsinspect.observe.route import Ways
from tlsinspect.observe.slices import SLICES, Slice

_PROBES = (
    Slice(Asked.LARGE_HELLO, (LARGE,)),
    Slice(Asked.SMALL_HELLO, (SMALL,)),
    *SLICES["keys"],
    *SLICES["alpn"],
)
COSTS = {
    Asked.RANDOM_SNI: "one handshake with a made-up server name; it shows in the log of whoever reads names",
    Asked.NO_SUCH_HOST: "through a proxy: one CONNECT to that name, which its log and its DNS server see",
    Asked.LARGE_HELLO: "one handshake with every key exchange offered",
    Asked.SMALL_HELLO: "one handshake with the oldest one alone",
    Asked.RSA: "one handshake of TLS 1.2 that takes RSA certificates alone",
    Asked.ECDSA: "one of TLS 1.2 that takes ECDSA certificates alone, which an interceptor's log may call a failure",
    Asked.H2: "one handshake that offers HTTP/2",
}


async def probe(endpoint: Endpoint, ways: Ways, settings: Settings) -> list[tuple[Endpoint, Observation]]:
    """Ask every question once where `endpoint` answers: who was asked, and what was seen. Nothing the network does
    raises."""
    made_up = f"tlsinspect-{secrets.token_hex(16)}.invalid"  # RFC 6761 §6.4: it cannot exist
    questions = [(endpoint, asked) for asked in _questions(endpoint, made_up)]
    if ways.proxies[0] is not None:
        nowhere = replace(endpoint, host=made_up, authority=Authority.PUBLIC, rows=(Row(url=f"https://{made_up}/"),))
        questions.append((nowhere, Slice(Asked.NO_SUCH_HOST)))
    return [(where, await observe(where, ways, settings, asked=asked)) for where, asked in questions]


def _questions(endpoint: Endpoint, made_up: str) -> Iterator[Slice]:
    if not is_address(endpoint.host):
        yield Slice(Asked.RANDOM_SNI, server_name=made_up)
    yield from _PROBES
