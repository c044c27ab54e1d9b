"""Which trust stores hold an authority that intercepts, and which programs go by them. Pure: the stores are read by
`tlsinspect.stores` and come in as data.

By key: a store holds an authority where it has a certificate with the key of one of those that signed the leaf, or one
whose key signed the uppermost of them. That a store holds an authority is a fact about this machine; it moves no
verdict. Whether a program would accept the chain in every other respect is not asked here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tlsinspect.certificate import Certificate, Name, folded, text_of, title_of
from tlsinspect.evidence.path import Path
from tlsinspect.evidence.signature import signed
from tlsinspect.model import InterceptingRoot, TrustStore

BUILT_IN = "built-in"  # a program's own roots, as it was shipped
MAX_CANDIDATES = 16  # authorities of one name in one store whose key is tried

MAX_LENGTH = 10  # of a path that is completed with what other hosts sent

Unions = Mapping[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True)
class Store:
    """A trust store that was read."""

    facts: TrustStore
    certificates: tuple[Certificate, ...] = ()
    whole: bool = True  # everything that would be trusted is in it: Windows adds public roots when they are first met

    @cached_property
    def by_key(self) -> dict[str, Certificate]:
        return {c.spki_sha256: c for c in reversed(self.certificates)}

    @cached_property
    def by_subject(self) -> dict[Name, list[Certificate]]:
        found: dict[Name, list[Certificate]] = {}
        for certificate in self.certificates:
            found.setdefault(folded(certificate.subject), []).append(certificate)
        return found

    def holds(self, path: Path) -> Certificate | None:
        """The certificate by which who goes by this store would accept the signer of `path`."""
        same = (self.by_key.get(c.spki_sha256) for c in signers(path))
        return next(filter(None, same), None) or self.issuer_of(path.certificates[-1])

    def issuer_of(self, certificate: Certificate) -> Certificate | None:
        named = self.by_subject.get(folded(certificate.issuer), ())[:MAX_CANDIDATES]
        return next((c for c in named if signed(certificate, c)), None)


def signers(path: Path) -> tuple[Certificate, ...]:
    """The presented certificates that signed: all above the leaf, or a leaf that signed itself."""
    above = path.certificates[1:]
    return above or (path.certificates if path.complete else ())


@dataclass(frozen=True)
class Client:
    """A program, and the stores it goes by: the first that is there counts. Of a union that is not the last resort the
    first choice must be there."""

    title: str
    reads: tuple[str, ...]
    unread: str = ""  # what it goes by where none of them is there, which is not read


@dataclass(frozen=True)
class Stores:
    """The trust stores of this machine, as this process finds them."""

    stores: tuple[Store, ...] = ()
    clients: tuple[Client, ...] = ()
    unions: Unions = field(default_factory=dict)

    @cached_property
    def _by_id(self) -> dict[str, Store]:
        return {store.facts.id: store for store in self.stores}

    @cached_property
    def used(self) -> dict[str, tuple[str, ...]]:
        """The stores each client really goes by; none where that is not known."""
        return {client.title: self._used(client) for client in self.clients}

    def _used(self, client: Client) -> tuple[str, ...]:
        for choice in client.reads:
            groups = self.unions.get(choice, ((choice,),))
            first = [next((i for i in group if i in self._by_id or i == BUILT_IN), None) for group in groups]
            found = tuple(i for i in first if i is not None)
            if found and (first[0] is not None or choice == client.reads[-1]):
                return found
        return ()

    @property
    def unread(self) -> dict[str, str]:
        """The clients whose store is not known, and what it is."""
        return {client.title: client.unread for client in self.clients if not self.used[client.title]}

    def facts(self) -> tuple[TrustStore, ...]:
        """Every store, with the clients that go by it."""
        by = {i: tuple(title for title, used in self.used.items() if i in used) for i in self._by_id}
        return tuple(replace(store.facts, clients=by[store.facts.id]) for store in self.stores)

    def holding(self, path: Path) -> tuple[str, ...]:
        """The ids of the stores that hold who signed."""
        return tuple(store.facts.id for store in self.stores if store.holds(path) is not None)

    def system_holds(self, path: Path) -> bool | None:
        """Whether the operating system's own store does; None where it could not be read."""
        system = [store for store in self.stores if store.facts.system]
        if any(store.holds(path) is not None for store in system):
            return True
        return None if not system or any(store.facts.problem for store in system) else False

    def system_lacks(self, path: Path, presented: Sequence[Certificate]) -> bool:
        """Whether the operating system's store surely knows no key of a path, nor of anything else that was presented:
        a root may be there under another one's signature."""
        if self.system_holds(path) is not False:
            return False
        system = [store for store in self.stores if store.facts.system]
        helped = any(store.issuer_of(c) is not None for store in system for c in presented)
        return not helped and all(store.whole for store in system)

    def trusts(self, client: str, held: Sequence[str]) -> bool | None:
        """Whether `client` trusts what the stores `held` hold; None where that is not known."""
        used = self.used[client]
        if any(i in held for i in used):
            return True
        unsure = any(self._by_id[i].facts.problem for i in used if i in self._by_id)
        return None if not used or unsure else False


# What the hosts of a run sent, looked through as a store is.
_OF_THE_RUN = TrustStore("run", "what was presented", "", "adds", system=False)


def intercepting_roots(
    found: Iterable[tuple[str, Path, str | None]], stores: Stores | None, paths: Iterable[Path] = ()
) -> tuple[InterceptingRoot, ...]:
    """The authorities behind intercepted hosts, each once, from (host, path, product).

    `paths` are all of the run: an authority that one host sends along is known for the others it signed for.
    """
    stores, found = stores or Stores(), tuple(found)
    sent = Store(_OF_THE_RUN, _presented((*paths, *(path for _, path, _ in found))))
    roots: dict[str, InterceptingRoot] = {}
    hosts: dict[str, dict[str, None]] = {}
    for host, as_sent, product in found:
        path = _completed(as_sent, sent)
        above = signers(path)
        key = above[-1].spki_sha256 if above else ""
        if key not in roots:
            root = _root(path, product, stores)
            key = root.spki_sha256 or root.subject
            roots.setdefault(key, root)
        hosts.setdefault(key, {})[host] = None
    return tuple(replace(root, hosts=tuple(hosts[key])) for key, root in roots.items())


def _presented(paths: Iterable[Path]) -> tuple[Certificate, ...]:
    return tuple({c.sha256: c for path in paths if path.certificates for c in signers(path)}.values())


def _completed(path: Path, sent: Store) -> Path:
    """`path` with what signed its uppermost certificate, as far as the run has seen it."""
    certificates = path.certificates
    while len(certificates) < MAX_LENGTH:
        above = sent.issuer_of(certificates[-1])
        if above is None or above.spki_sha256 in {c.spki_sha256 for c in certificates}:
            break
        certificates = (*certificates, above)
    return replace(path, certificates=certificates)


def _root(path: Path, product: str | None, stores: Stores) -> InterceptingRoot:
    presented = signers(path)
    top = presented[-1] if presented else next(filter(None, (s.holds(path) for s in stores.stores)), None)
    held = stores.holding(path)
    said = {client.title: stores.trusts(client.title, held) for client in stores.clients}
    name = top.subject if top is not None else path.certificates[-1].issuer
    return InterceptingRoot(
        title=title_of(name),
        subject=text_of(name),
        sha256=top.sha256 if top is not None else "",
        spki_sha256=top.spki_sha256 if top is not None else "",
        presented=bool(presented),
        authority=top is None or top != path.leaf,
        hosts=(),
        product=product,
        held_by=held,
        trusting=tuple(title for title, trusts in said.items() if trusts),
        failing=tuple(title for title, trusts in said.items() if trusts is False),
        unknown=tuple(title for title, trusts in said.items() if trusts is None),
        certificate=top.der if top is not None else None,
    )
