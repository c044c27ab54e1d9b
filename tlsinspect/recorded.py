"""Judging a chain that somebody recorded: no network, one moment in time."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tlsinspect.endpoints.target import normal_host
from tlsinspect.errors import UsageError
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.evidence.clock import Bounds
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.gathered import Evidence
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.establish import Context
from tlsinspect.model import Assessment, Authority, Basis, Endpoint, Observation, Route, Row, Stage, Tls
from tlsinspect.trust import Trust


def classify(
    chain: Sequence[bytes],
    hostname: str,
    *,
    at: datetime,
    trust: Trust | None = None,
    interceptors: str | Path | None = None,
    authority: str | None = None,
    possession_proven: bool = False,
    crls: Sequence[bytes] = (),
    ocsp: Sequence[bytes] = (),
    witness: bool = False,
) -> Assessment:
    """Say who signed a recorded chain and what that means for `hostname`.

    chain: DER certificates as presented, leaf first.
    at: an aware datetime, taken for both the true time and the local clock.
    trust: what to judge by; None is the data of this release.
    interceptors: a file with interceptors of your own, in the form of trust/interceptors.toml; its rows come first.
    authority: ``google`` or ``public``: who must have signed; None goes by the name.
    possession_proven: whether the caller saw a handshake completed with the leaf's key. Without it the answer is at
        most `strong`, for anybody can replay a chain.
    crls, ocsp: DER revocation lists and OCSP answers about any certificate of the chain.
    witness: ask OpenSSL and certvalidator for a second opinion on the path: findings, never a vote.

    Pure but for that file: opens no socket and reads no clock. Raises UsageError where an argument makes no sense, and
    TrustDataError where the file does not.
    """
    if at.tzinfo is None:
        raise UsageError("at must be an aware datetime: 12:00 in which time zone?")
    if not chain or not all(isinstance(der, bytes) for der in chain):
        raise UsageError("chain must hold the DER of at least one certificate, leaf first")
    if not all(isinstance(der, bytes) for der in (*crls, *ocsp)):
        raise UsageError("crls and ocsp must hold DER")
    trust = trust or Trust.default()
    if interceptors is not None:
        trust = with_interceptors(trust, interceptors)
    endpoint = _endpoint(normal_host(hostname), authority, trust)
    seen = Observation(
        host=endpoint.host,
        port=endpoint.port,
        route=Route(),
        started=at,
        stage=Stage.TLS,
        tls=Tls(hello="recorded", completed=False, chain=tuple(chain)),
    )
    context = Context(
        trust,
        Bounds(at, trust.released, exact=True),
        basis=Basis.RECORDED,
        vouched=possession_proven,
        witness=witness,
        evidence=Evidence(given_crls=tuple(map(Crl, crls)), given_ocsp=tuple(ocsp)),
    )
    return judge_run([Observed(endpoint, (seen,))], context).assessments[0]


def _endpoint(host: str, authority: str | None, trust: Trust) -> Endpoint:
    if authority is None:
        authority = Authority.GOOGLE if trust.is_google_name(host) else Authority.PUBLIC
    elif authority not in (Authority.GOOGLE, Authority.PUBLIC):
        raise UsageError("authority must be google or public")
    return Endpoint(host, 443, True, Authority(authority), (Row(url=f"https://{host}/", source="given"),))
