"""Who signed whom among several certificates: another of them, a root we know, or nobody to be found. Dates are
ignored: whether a certificate is expired is for whoever shows it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tlsinspect.certificate import Certificate, folded, quietly, title_of
from tlsinspect.evidence.described import Details, Edge, Link
from tlsinspect.evidence.keys import CHECKABLE
from tlsinspect.evidence.path import Signer, find_path
from tlsinspect.evidence.signature import algorithm_on, signed
from tlsinspect.model import Authority
from tlsinspect.trust import Trust

MAX_LINKED = 16  # certificates that are put into a tree
MAX_SIGNATURES = 64  # verified for one tree


def linked(details: Sequence[Details], certificates: Sequence[Certificate], trust: Trust) -> list[Details]:
    """`details` with the link of each to whoever signed it, among `certificates` (of which they are, in order) and the
    roots we know. Beyond the first MAX_LINKED nothing is looked for.
    """
    tree = _Tree(details[:MAX_LINKED], certificates[:MAX_LINKED], trust)
    return [tree.linked(i) for i in range(len(tree.details))] + list(details[MAX_LINKED:])


class _Tree:
    """The certificates given, the roots we know, and a budget of signatures."""

    def __init__(self, details: Sequence[Details], certificates: Sequence[Certificate], trust: Trust) -> None:
        self.details = details
        self.certificates = certificates
        self.trust = trust
        self.known = (trust.google, trust.alternate, trust.historical, trust.public)
        self.subjects = [folded(d.subject_parts) for d in details]
        self.issuers = [folded(d.issuer_parts) for d in details]
        self.signatures_left = MAX_SIGNATURES

    def linked(self, index: int) -> Details:
        anchor = self._anchor(index)
        borrowed = not anchor and self._borrowed(index)
        return replace(self.details[index], link=self._link(index), anchor=anchor, false_name=borrowed)

    def _anchor(self, index: int) -> str:
        """The set a certificate's own name and key are in: a cross-sign of a root is that root by another signature."""
        for anchors in self.known:
            roots = anchors.by_name.get(self.subjects[index], ())
            if any(root.spki_sha256 == self.details[index].spki_sha256 for root in roots):
                return anchors.name
        return ""

    def _borrowed(self, index: int) -> bool:
        """Whether the name is a known root's or an intermediate's of Google, and the key none of theirs. In a
        laboratory, where others stand in for them, that says nothing."""
        if self.trust.stand_in:
            return False
        name = self.subjects[index]
        keys = {i.spki_sha256 for i in self.trust.intermediates if folded(i.subject) == name}
        if keys:
            return self.details[index].spki_sha256 not in keys
        return any(name in anchors.by_name for anchors in self.known)

    def _link(self, index: int) -> Link:
        given = list(self._given(index))
        for i in given:
            if self._signed(index, self.certificates[i]):
                return Link(Edge.SELF_SIGNED if i == index else Edge.SIGNED, self.details[i].title, i)
        return self._to_root(index) or self._to_intermediate(index) or self._failed(index, given)

    def _given(self, index: int) -> Iterator[int]:
        """Those whose subject is the issuer's name: itself first, then others in order."""
        order = sorted(range(len(self.details)), key=lambda i: i != index)
        return (i for i in order if self._bears_issuer_name(index, i))

    def _bears_issuer_name(self, child: int, parent: int) -> bool:
        issuer, subject = self.issuers[child], self.subjects[parent]
        if issuer and subject:
            return issuer == subject
        return self.certificates[child].issuer_der == self.certificates[parent].subject_der

    def _signed(self, index: int, parent: Certificate) -> bool:
        if self.signatures_left <= 0:
            return False
        self.signatures_left -= 1
        return quietly(signed, self.certificates[index], parent)

    def _to_root(self, index: int) -> Link | None:
        for anchors in self.known:
            for root in anchors.by_name.get(self.issuers[index], ()):
                if self._signed(index, root):
                    return Link(Edge.SIGNED, root.title, None, anchors.name, root.not_after)
        return None

    def _to_intermediate(self, index: int) -> Link | None:
        """A key Google signs with, of which we hold no certificate."""
        certificate = self.certificates[index]
        if not any(i.subject == certificate.issuer for i in self.trust.intermediates):
            return None
        host = next((n for n in certificate.dns_names if "*" not in n), "host.invalid")
        path = find_path((certificate.der,), host, Authority.GOOGLE, certificate.not_before, self.trust)
        if path.signer not in (Signer.GOOGLE_INTERMEDIATE, Signer.GOOGLE_HISTORICAL) or len(path.certificates) < 2:
            return None
        anchor = "google" if path.signer is Signer.GOOGLE_INTERMEDIATE else "historical"
        issuer = path.certificates[1]
        return Link(Edge.SIGNED, issuer.title, None, f"{anchor}-intermediate", issuer.not_after)

    def _failed(self, index: int, given: Sequence[int]) -> Link:
        """Nobody's signature fits: is there somebody whose it should have been?"""
        named = [i for i in given if i != index or _says_it_signed_itself(self.certificates[index])]
        if named:
            parent = self.details[named[-1]]
            return Link(self._misfit(index, parent.key.kind), parent.title, named[-1])
        for anchors in self.known:
            for root in anchors.by_name.get(self.issuers[index], ()):
                return Link(self._misfit(index, "RSA"), root.title, None, anchors.name, root.not_after)
        return Link(Edge.ISSUER_MISSING, title_of(self.details[index].issuer_parts))

    def _misfit(self, index: int, issuing_kind: str) -> Edge:
        """What a signature that did not fit means: nothing, where a good one would not have been found to fit."""
        checkable = self.signatures_left > 0 and issuing_kind in CHECKABLE and algorithm_on(self.certificates[index])
        return Edge.NOT_SIGNED if checkable else Edge.UNCHECKED


def _says_it_signed_itself(certificate: Certificate) -> bool:
    """A CA that changes its key may sign the new one with the old: same name, another key."""
    own, issuer = certificate.key_id, certificate.authority_key_id
    return own is None or issuer is None or own == issuer
