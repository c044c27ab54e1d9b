"""What is to be said of a machine by itself: the authorities in its stores, its clock, what its settings take away.

The same rule holds as for hosts: a name is a hint, a key is proof.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from tlsinspect.certificate import Certificate, text_of
from tlsinspect.evidence.attribution import attribute, interceptor, listed
from tlsinspect.evidence.truststores import Store, Stores
from tlsinspect.judge.findings import old_data, store_problems
from tlsinspect.judge.words import day, enumerated, finding
from tlsinspect.model import Finding, InstalledAuthority, Severity
from tlsinspect.trust import Trust

MOST_NAMES = 12  # in one sentence
ACTED_ON = (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)  # of a finding that calls for a person


def strangers(stores: Stores, trust: Trust, shipped: frozenset[str]) -> list[Certificate]:
    """Every certificate of the stores that is no public root and did not come with the system, each once; whatever
    came with the system counts when its key is listed."""
    public = trust.public.keys | trust.google.keys | trust.alternate.keys | trust.historical.keys
    found = {c.sha256: c for store in stores.stores for c in store.certificates if c.spki_sha256 not in public}
    return [c for c in found.values() if c.spki_sha256 not in shipped or listed((c,), trust) is not None]


def authorities(certificates: Sequence[Certificate], stores: Stores, trust: Trust) -> tuple[InstalledAuthority, ...]:
    """The same as nouns, with what is known of them."""
    held = [(store, {c.sha256 for c in store.certificates}) for store in stores.stores]
    return tuple(_authority(c, [store for store, hashes in held if c.sha256 in hashes], trust) for c in certificates)


def _authority(certificate: Certificate, stores: Sequence[Store], trust: Trust) -> InstalledAuthority:
    found = listed((certificate,), trust)
    return InstalledAuthority(
        title=certificate.title,
        subject=text_of(certificate.subject),
        sha256=certificate.sha256,
        spki_sha256=certificate.spki_sha256,
        not_after=certificate.not_after,
        stores=tuple(store.facts.id for store in stores),
        system=any(store.facts.system for store in stores),
        product=interceptor(attribute((certificate,), trust)),
        listed=found.code if found else "",
    )


def findings(
    certificates: Sequence[Certificate],
    installed: Sequence[InstalledAuthority],
    stores: Stores,
    trust: Trust,
    now: datetime,
) -> Iterator[Finding]:
    """What the stores, the clock and the trust data give to say; `installed` are the certificates' `authorities`."""
    titles = {store.facts.id: store.facts.title for store in stores.stores}
    for certificate, authority in zip(certificates, installed, strict=True):
        yield from _about(certificate, authority, enumerated([titles[i] for i in authority.stores], 20), trust)
    yield from store_problems(stores)
    yield from _others(installed, trust)
    yield from _lacking(stores, trust)
    if now < trust.released:
        yield finding("clock-before-data", {"local": day(now), "released": day(trust.released)})
    yield from old_data(trust, now)


def _about(certificate: Certificate, authority: InstalledAuthority, stores: str, trust: Trust) -> Iterator[Finding]:
    values = {"authority": authority.title, "sha256": authority.sha256, "stores": stores}
    found, product = listed((certificate,), trust), authority.product
    if found is not None:
        yield finding("listed-authority-installed", {**values, "listed": found.code, "name": found.name})
    elif product is not None:
        said = {"id": product.id, "product": product.product, "confidence": product.confidence}
        yield finding("interceptor-installed", {**values, **said})


def _others(installed: Sequence[InstalledAuthority], trust: Trust) -> Iterator[Finding]:
    """What else somebody put into stores that hold the public roots."""
    own = [a for a in installed if a.system]
    if own:
        yield finding("other-authorities", _counted(own))
    appended = [a for a in installed if "certifi" in a.stores]
    if appended:
        yield finding("certifi-appended", {**_counted(appended), "date": trust.facts.date})


def _counted(found: Sequence[InstalledAuthority]) -> dict[str, str]:
    return {"n": str(len(found)), "names": enumerated([f'"{a.title}"' for a in found], MOST_NAMES)}


def _lacking(stores: Stores, trust: Trust) -> Iterator[Finding]:
    """Roots of Google that the system's store, where it is known whole, does not hold."""
    system = [store for store in stores.stores if store.facts.system]
    if trust.stand_in or not system or any(store.facts.problem or not store.whole for store in system):
        return
    keys = {key for store in system for key in store.by_key}
    lacking = [root.title for root in trust.google.certificates if root.spki_sha256 not in keys]
    if lacking:
        yield finding("os-store-lacks-google", {"names": enumerated(lacking, MOST_NAMES)})
