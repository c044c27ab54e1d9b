"""Asking for what the handshakes could not show: revocation lists and answers, a missing authority, the signed time.

Only certificates that are proven already say where to ask; a missing authority is asked for at hosts of the allow-list
alone. What comes back is verified before it is kept for later runs, and again by the judge.
"""

import contextlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tlsinspect.certificate import Certificate
from tlsinspect.endpoints.target import read_target
from tlsinspect.errors import UsageError
from tlsinspect.evidence.clock import Bounds, service_witness
from tlsinspect.evidence.gathered import learn, staples_of
from tlsinspect.evidence.moment import bounds_of
from tlsinspect.evidence.ocsp import ocsp_answers, ocsp_url
from tlsinspect.evidence.path import Signer, readable
from tlsinspect.evidence.revocation import sources
from tlsinspect.evidence.sighting import Known, Observed, Sighting, sight
from tlsinspect.evidence.signature import signed
from tlsinspect.evidence.timeservice import NotSignedError, query, signed_time
from tlsinspect.gather.shelf import Shelf
from tlsinspect.gather.together import together
from tlsinspect.model import Authority, Revocation
from tlsinspect.trust import Anchors, Trust, certificates_in

MISSING_LINKS = 2  # authorities to ask for above one another


@dataclass
class Gatherer:
    """What one run asks for outside the handshakes."""

    trust: Trust
    shelf: Shelf
    start: Bounds  # the local clock at one moment of the run, or the time the caller chose
    files: Mapping[str, Anchors] = field(default_factory=dict)

    def sightings(self, observed: Sequence[Observed]) -> list[Sighting]:
        """Who signed what was seen. What makes that fail is for the judge to say."""
        known, found = self._known(), []
        for endpoint, seen in ((o.endpoint, seen) for o in observed for seen in o.observations):
            with contextlib.suppress(Exception):
                found.append(sight(endpoint, seen, known))
        return found

    def bounds(self, sightings: Sequence[Sighting]) -> Bounds:
        return bounds_of(sightings, self._known())

    def _known(self) -> Known:
        return Known(self.trust, self.start, files=self.files, evidence=self.shelf.evidence())

    async def gather(self, observed: Sequence[Observed]) -> list[Sighting]:
        """Ask for everything the observations call for; returns them as they are seen with missing authorities."""
        self.shelf.staples = staples_of(seen for o in observed for seen in o.observations)
        sightings = await self._completed(observed)
        at = self.bounds(sightings).best
        pairs = {(child.der, parent.der): (child, parent) for s in sightings for child, parent in s.pairs}
        jobs = [self._revocation(*pair, at) for pair in pairs.values()]
        google = any(s.endpoint.authority is Authority.GOOGLE for s in sightings) and not self.start.exact
        if google and self.shelf.service is None and not any(s.google for s in sightings):
            jobs += [self._root_crl(url) for url in self.trust.root_crls]
        await together(jobs, self.shelf.defects)
        return sightings

    # -- the time ---------------------------------------------------------------------------------------------------

    async def ask_time(self) -> None:
        """Ask Google's signed time service. A version of its key that is not known here is no time, and no attack."""
        version, nonce = max(self.trust.time_keys), secrets.token_urlsafe(32)
        url = f"{self.trust.time_url}?{query(version, nonce)}"
        fetched = await self.shelf.fetch(url, "time", proven=False)
        if fetched.body is None or fetched.head is None:
            return
        try:
            proof = fetched.head.get("x-cup-server-proof")
            told = signed_time(bytes(fetched.body), proof, version, nonce, self.trust.time_keys)
        except NotSignedError as refusal:
            self.shelf.remark(url, f"not signed: {refusal}")
            return
        self.shelf.service = service_witness(told, fetched.sent, fetched.received)

    async def _root_crl(self, url: str) -> None:
        """A list that one of Google's roots signs, from an address shipped as data: a time that has passed."""
        fetched = await self.shelf.fetch(url, "crl", proven=False)
        if fetched.body is not None:
            self.shelf.put_crl(url, fetched.body)

    def lacks_second(self, sightings: Sequence[Sighting]) -> bool:
        """Whether a single Google leaf tells the time, and a certificate is valid by that and not by this clock."""
        bounds = self.bounds(sightings)
        keys = {w.leaf_key for w in bounds.witnesses if w.google}
        paths = [s.path for s in sightings if s.path is not None and s.google]
        outside = any(not path.not_before <= bounds.local <= path.not_after for path in paths)
        return not bounds.exact and bounds.service is None and len(keys) == 1 and outside

    # -- authorities that were not presented ------------------------------------------------------------------------

    async def _completed(self, observed: Sequence[Observed]) -> list[Sighting]:
        """The sightings, with missing authorities asked for."""
        sightings = self.sightings(observed)
        for _ in range(MISSING_LINKS):
            found = (self._above(top) for top in map(_top_without_issuer, sightings) if top is not None)
            tops = {top.der: top for top in found}
            had = len(self.shelf.issuers)
            await together((self._ask_issuer(top) for top in tops.values()), self.shelf.defects)
            if len(self.shelf.issuers) == had:
                break
            sightings = self.sightings(observed)
        for s in sightings:
            self._keep_issuers(s)
        return sightings

    def _above(self, top: Certificate) -> Certificate:
        """As far up from `top` as the authorities had so far lead."""
        had = readable(tuple(self.shelf.issuers))
        for _ in range(MISSING_LINKS):
            issuers = (c for c in had if c.subject_der == top.issuer_der and signed(top, c))
            top = next(issuers, top)
        return top

    async def _ask_issuer(self, top: Certificate) -> None:
        """Ask for the authority above `top` at hosts of the allow-list, for nobody has proven `top`."""
        for url in sources(top).issuers:
            if not self._may_fetch(url):
                continue
            bodies: list[bytes] = [bytes(body) for body in self.shelf.recall(url, "issuer", _key_id(top))]
            if not bodies:
                fetched = await self.shelf.fetch(url, "issuer", proven=False)
                bodies = _certificates(bytes(fetched.body)) if fetched.body is not None else []
            fitting = [c for c in readable(bodies) if c.subject_der == top.issuer_der]
            if fitting:
                self.shelf.put_issuer(url, fitting[0].der)
                return

    def _may_fetch(self, url: str) -> bool:
        try:
            return self.trust.may_fetch_from(read_target(url).host)
        except UsageError:
            return False

    def _keep_issuers(self, sighting: Sighting) -> None:
        """Keep the authorities that completed a proven path for later runs."""
        if sighting.path is None or not sighting.path.completed:
            return
        for child, parent in sighting.pairs:
            url = self.shelf.issuer_from(parent)
            if url is not None:
                self.shelf.keep(
                    url, "issuer", parent.der, _key_id(child), parent.title, parent.not_before, parent.not_after
                )

    # -- revocation -------------------------------------------------------------------------------------------------

    async def _revocation(self, certificate: Certificate, issuer: Certificate, at: datetime) -> None:
        """Staple, cache, CRL, OCSP: whatever answers first is enough."""
        named = sources(certificate)
        requests = [ocsp_url(base, certificate, issuer) for base in named.ocsp]

        def known() -> bool:
            learnt = learn(certificate, issuer, self.shelf.evidence())
            return learnt.at(at).state is not Revocation.UNKNOWN

        if certificate.der in self.shelf.staples and known():
            return
        if self._recall(named.crl, requests, issuer) and known():
            return
        for url in named.crl:
            if await self._ask_crl(url, issuer) and known():
                return
        for url in requests:
            if await self._ask_ocsp(url, certificate, issuer) and known():
                return

    def _recall(self, crls: Iterable[str], requests: Iterable[str], issuer: Certificate) -> bool:
        """Take from the cache what is there; whether anything was."""
        lists = [(url, body) for url in crls for body in self.shelf.recall(url, "crl", issuer.spki_sha256)]
        said = [(url, bytes(body)) for url in requests for body in self.shelf.recall(url, "ocsp", issuer.spki_sha256)]
        for url, listed in lists:
            self.shelf.put_crl(url, listed)
        for url, body in said:
            self.shelf.put_ocsp(url, body)
        return bool(lists or said)

    async def _ask_crl(self, url: str, issuer: Certificate) -> bool:
        """Ask for a list, and keep it where its signature holds; whether anything came."""
        fetched = await self.shelf.fetch(url, "crl", proven=True)
        if fetched.body is None:
            return False
        crl = self.shelf.put_crl(url, fetched.body)
        if crl.signed_by(issuer) and crl.this_update is not None:
            self.shelf.keep(
                url, "crl", fetched.body, issuer.spki_sha256, issuer.title, crl.this_update, crl.next_update
            )
        return True

    async def _ask_ocsp(self, url: str, certificate: Certificate, issuer: Certificate) -> bool:
        """The same for an OCSP answer."""
        fetched = await self.shelf.fetch(url, "ocsp", proven=True)
        if fetched.body is None:
            return False
        body = bytes(fetched.body)
        self.shelf.put_ocsp(url, body)
        made = ocsp_answers(body, certificate, issuer)
        said = next((answer for answer in made if answer.authentic and answer.problem is None), None)
        if said is not None and said.this_update is not None:
            self.shelf.keep(url, "ocsp", body, issuer.spki_sha256, issuer.title, said.this_update, said.next_update)
        return True


def _top_without_issuer(sighting: Sighting) -> Certificate | None:
    """The certificate whose issuer was not presented, of a chain that may be Google's all the same."""
    path = sighting.readable_path
    if path is None or sighting.endpoint.authority is not Authority.GOOGLE:
        return None
    if path.signer is Signer.GOOGLE_INTERMEDIATE:
        return path.leaf
    top = path.certificates[-1]
    return None if sighting.proven or top.self_issued else top


def _certificates(body: bytes) -> list[bytes]:
    """DER, or PEM whoever serves it that way."""
    try:
        return list(certificates_in(body)) or [body]
    except ValueError:
        return [body]


def _key_id(certificate: Certificate) -> str:
    """Whose key signed, as far as the certificate says."""
    return (certificate.authority_key_id or b"").hex()
