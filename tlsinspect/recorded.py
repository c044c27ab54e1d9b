"""Judging a chain that somebody recorded: no network, one moment in time."""

from collections.abc import Sequence
from datetime import datetime

from tlsinspect.endpoints.target import normal_host
from tlsinspect.errors import UsageError
from tlsinspect.judge import Observed, judge_run
from tlsinspect.model import Assessment, Authority, Basis, Endpoint, Observation, Route, Row, Stage, Tls
from tlsinspect.trust import Trust


def classify(
    chain: Sequence[bytes],
    hostname: str,
    *,
    at: datetime,
    trust: Trust | None = None,
    authority: str | None = None,
    possession_proven: bool = False,
    witness: bool = False,
) -> Assessment:
    """Say who signed a recorded chain and what that means for `hostname`.

    chain: DER certificates as presented, leaf first.
    at: an aware datetime, taken for both the true time and the local clock.
    trust: what to judge by; None is the data of this release.
    authority: ``google`` or ``public``: who must have signed; None goes by the name.
    possession_proven: whether the caller saw a handshake completed with the leaf's key. Without it the answer is at
        most `strong`, for anybody can replay a chain.
    witness: ask OpenSSL and certvalidator for a second opinion on the path: findings, never a vote.

    Pure: opens no socket and reads no clock. Raises UsageError where an argument makes no sense.
    """
    if at.tzinfo is None:
        raise UsageError("at must be an aware datetime: 12:00 in which time zone?")
    if not chain or not all(isinstance(der, bytes) for der in chain):
        raise UsageError("chain must hold the DER of at least one certificate, leaf first")
    trust = trust or Trust.default()
    endpoint = _endpoint(normal_host(hostname), authority, trust)
    seen = Observation(
        host=endpoint.host,
        port=endpoint.port,
        route=Route(),
        started=at,
        stage=Stage.TLS,
        tls=Tls(hello="recorded", completed=False, chain=tuple(chain)),
    )
    assessments, _ = judge_run(
        [Observed(endpoint, (seen,))],
        trust,
        at,
        basis=Basis.RECORDED,
        vouched=possession_proven,
        witness=witness,
    )
    return assessments[0]


def _endpoint(host: str, authority: str | None, trust: Trust) -> Endpoint:
    if authority is None:
        authority = Authority.GOOGLE if trust.is_google_name(host) else Authority.PUBLIC
    elif authority not in (Authority.GOOGLE, Authority.PUBLIC):
        raise UsageError("authority must be google or public")
    return Endpoint(host, 443, True, Authority(authority), (Row(url=f"https://{host}/", source="given"),))
