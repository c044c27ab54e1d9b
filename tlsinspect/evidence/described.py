"""What is said of a certificate: the nouns of `details`. Frozen, typed, as JSON through `jsonform`."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tlsinspect.certificate import (
    Name,
)


class Grade(StrEnum):
    """How good a key or a signature is today."""

    GOOD = "good"
    UNUSUAL = "unusual"  # sound, but not what browsers take
    WEAK = "weak"
    BROKEN = "broken"  # forged in practice
    UNKNOWN = "unknown"


class Role(StrEnum):
    ROOT = "root"  # a CA that names itself as its issuer
    INTERMEDIATE = "intermediate"
    LEAF = "leaf"


class Edge(StrEnum):
    """What joins a certificate to its issuer."""

    SIGNED = "signed"
    SELF_SIGNED = "self-signed"
    NOT_SIGNED = "not-signed"  # the issuer it names is known, and its key did not make the signature
    UNCHECKED = "unchecked"  # the issuer is at hand, but the signature is of a kind, or in a form, nobody here verifies
    ISSUER_MISSING = "issuer-missing"


@dataclass(frozen=True, slots=True)
class Judgement:
    grade: Grade
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    kind: str  # RSA, EC, Ed25519 …; the OID where it has no name here
    bits: int | None
    curve: str | None
    judgement: Judgement

    @property
    def text(self) -> str:
        return f"{self.kind} {self.curve or self.bits or ''}".strip()


@dataclass(frozen=True, slots=True)
class Signature:
    algorithm: str
    oid: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Extension:
    name: str  # as RFC 5280 spells it; the OID where it has no name here
    oid: str
    critical: bool
    values: tuple[str, ...]
    readable: bool = True  # False: we know the kind, and the content is not of that form


@dataclass(frozen=True, slots=True)
class Defect:
    """Something clients refuse, or strict ones do. `refused_by` is empty where all of them let it pass so far."""

    code: str
    sentence: str
    refused_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Who signed a certificate, as far as that can be told from what was given and from the roots we know."""

    edge: Edge
    issuer: str  # its short name
    index: int | None = None  # of the issuer among the certificates given; None: it was not given
    anchor: str = ""  # the set of roots the issuer is in: google, stand-in, alternate, historical, public
    not_after: datetime | None = None  # of an issuer that was not given


@dataclass(frozen=True, slots=True)
class Details:
    """One certificate. Texts are as the certificate has them: make them `printable` before they are shown."""

    source: str  # the file or host it came from
    position: int  # there, from 1
    title: str
    role: Role
    subject: str
    subject_parts: Name
    issuer: str
    issuer_parts: Name
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    other_names: dict[str, int]  # how many of each other kind
    not_before: datetime
    not_after: datetime
    serial: str  # hexadecimal
    version: int
    key: Key
    signature: Signature
    extensions: tuple[Extension, ...]
    timestamps: int | None  # SCTs inside, not verified; None: the extension is not there
    must_staple: bool
    precertificate: bool
    sha256: str
    sha1: str
    spki_sha256: str
    malformed: str | None  # what a strict reader refused, in its own words
    defects: tuple[Defect, ...] = ()
    anchor: str = ""  # the set of known roots this name and this key are in
    false_name: bool = False  # bears the name of a known root or of an intermediate of Google's, and another key
    link: Link | None = None

    @property
    def days(self) -> int:
        """How long it is valid, counted as the rules on lifetimes count: a day begun is a day."""
        return -int((self.not_before - self.not_after).total_seconds() // 86400)

    @property
    def is_ca(self) -> bool:
        return self.role is not Role.LEAF

    @property
    def self_issued(self) -> bool:
        return self.subject_parts == self.issuer_parts

    @property
    def names(self) -> tuple[str, ...]:
        return self.dns_names + self.ip_addresses

    @property
    def malformation(self) -> str:
        """`malformed` in fewer words, where the reader says the kind and the place."""
        words = self.malformed or ""
        kind, places = re.search(r"kind: (\w+)", words), re.findall(r'"([\w:]+)"', words)
        return f"{kind[1]} in {places[-1]}" if kind and places else words

    def extension(self, name: str) -> Extension | None:
        return next((e for e in self.extensions if e.name == name), None)

    def says(self, name: str, value: str) -> bool:
        """Whether the extension `name` is there and holds `value`."""
        found = self.extension(name)
        return found is not None and value in found.values
