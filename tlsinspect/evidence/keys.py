"""A certificate's key and signature, each with a judgement."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tlsinspect.certificate import Certificate
from tlsinspect.evidence.described import Grade, Judgement, Key, Signature
from tlsinspect.evidence.extensions import Raw
from tlsinspect.evidence.signature import VERIFIABLE

_SHORT_RSA = 2048  # CA/Browser Forum, Baseline Requirements §6.1.5
_FACTORED_RSA = 829  # RSA-250, https://eprint.iacr.org/2020/697
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp224r1": "P-224", "secp192r1": "P-192"}
_SHORT_CURVES = {"P-192", "P-224", "secp112r1", "secp128r1", "secp160k1", "secp160r1", "secp192k1"}
_GOOD_CURVES = {"P-256", "P-384", "P-521"}
_KINDS: tuple[tuple[type, str], ...] = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "EC"),
    (dsa.DSAPublicKey, "DSA"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"),
    (mldsa.MLDSA44PublicKey, "ML-DSA-44"),
    (mldsa.MLDSA65PublicKey, "ML-DSA-65"),
    (mldsa.MLDSA87PublicKey, "ML-DSA-87"),
)
_LENIENT_KINDS = {"rsa": "RSA", "rsassa_pss": "RSA", "ec": "EC", "dsa": "DSA", "ed25519": "Ed25519", "ed448": "Ed448"}
_STRANGE_KINDS = {
    "1.2.643.2.2.19": "GOST R 34.10-2001",
    "1.2.643.7.1.1.1.1": "GOST R 34.10-2012, 256 bits",
    "1.2.643.7.1.1.1.2": "GOST R 34.10-2012, 512 bits",
}
CHECKABLE = {name for kind, name in _KINDS if issubclass(kind, VERIFIABLE)}  # keys whose signatures are verified here

_GOOD = Judgement(Grade.GOOD)
_NO_BROWSER = Judgement(Grade.UNUSUAL, "no browser takes it in a server's certificate")
_NO_NAME = Judgement(Grade.UNKNOWN, "not known here")
_SHA1 = Judgement(Grade.BROKEN, "SHA-1 collisions have been made since 2017")  # https://shattered.io
_MD5 = Judgement(Grade.BROKEN, "MD5 let somebody forge a CA in 2008")  # https://www.win.tue.nl/hashclash/rogue-ca/
_MD2 = Judgement(Grade.BROKEN, "MD2 has been withdrawn since 2011")  # RFC 6149
_SHA224 = Judgement(Grade.UNUSUAL, "browsers take SHA-256, SHA-384 and SHA-512")
_DSA = Judgement(Grade.WEAK, "no client of today takes DSA")
_YOUNG = Judgement(Grade.UNUSUAL, "younger than most clients")
_SIGNATURES: dict[str, tuple[str, Judgement]] = {
    "1.2.840.113549.1.1.2": ("RSA with MD2", _MD2),
    "1.2.840.113549.1.1.3": ("RSA with MD4", _MD5),
    "1.2.840.113549.1.1.4": ("RSA with MD5", _MD5),
    "1.2.840.113549.1.1.5": ("RSA with SHA-1", _SHA1),
    "1.3.14.3.2.29": ("RSA with SHA-1", _SHA1),  # as OIW numbered it
    "1.2.840.113549.1.1.14": ("RSA with SHA-224", _SHA224),
    "1.2.840.113549.1.1.11": ("RSA with SHA-256", _GOOD),
    "1.2.840.113549.1.1.12": ("RSA with SHA-384", _GOOD),
    "1.2.840.113549.1.1.13": ("RSA with SHA-512", _GOOD),
    "1.2.840.10045.4.1": ("ECDSA with SHA-1", _SHA1),
    "1.2.840.10045.4.3.1": ("ECDSA with SHA-224", _SHA224),
    "1.2.840.10045.4.3.2": ("ECDSA with SHA-256", _GOOD),
    "1.2.840.10045.4.3.3": ("ECDSA with SHA-384", _GOOD),
    "1.2.840.10045.4.3.4": ("ECDSA with SHA-512", _GOOD),
    "1.2.840.10040.4.3": ("DSA with SHA-1", _DSA),
    "2.16.840.1.101.3.4.3.1": ("DSA with SHA-224", _DSA),
    "2.16.840.1.101.3.4.3.2": ("DSA with SHA-256", _DSA),
    "1.3.101.112": ("Ed25519", _NO_BROWSER),
    "1.3.101.113": ("Ed448", _NO_BROWSER),
    "2.16.840.1.101.3.4.3.17": ("ML-DSA-44", _YOUNG),
    "2.16.840.1.101.3.4.3.18": ("ML-DSA-65", _YOUNG),
    "2.16.840.1.101.3.4.3.19": ("ML-DSA-87", _YOUNG),
    "1.2.643.2.2.3": ("GOST R 34.10-2001", _NO_BROWSER),
    "1.2.643.7.1.1.3.2": ("GOST R 34.10-2012, 256 bits", _NO_BROWSER),
    "1.2.643.7.1.1.3.3": ("GOST R 34.10-2012, 512 bits", _NO_BROWSER),
    "1.2.156.10197.1.501": ("SM2 with SM3", _NO_BROWSER),
}
_PSS = "1.2.840.113549.1.1.10"  # the hash stands in its parameters
_PSS_HASHES = {
    "sha1": ("SHA-1", _SHA1),
    "sha224": ("SHA-224", _SHA224),
    "sha256": ("SHA-256", _GOOD),
    "sha384": ("SHA-384", _GOOD),
    "sha512": ("SHA-512", _GOOD),
}


def read_key(spki: bytes, raw: Raw) -> Key:
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        return _strange_key(raw)
    kind = next((name for kind, name in _KINDS if isinstance(key, kind)), "")
    if not kind:
        return _strange_key(raw)
    curve = _CURVES.get(key.curve.name, key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None
    bits = key.key_size if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey) else None
    return Key(kind, bits, curve, _judged_key(kind, bits or 0, curve))


def _strange_key(raw: Raw) -> Key:
    """A key cryptography refuses, as asn1crypto reads it."""
    oid = raw.tried(raw.key_oid) or "unreadable"
    kind = _LENIENT_KINDS.get(raw.tried(lambda: str(raw.key.algorithm)) or "", _STRANGE_KINDS.get(oid, oid))
    bits = raw.tried(lambda: int(raw.key.bit_size))
    return Key(kind, bits or None, None, Judgement(Grade.UNKNOWN, "a key no strict reader takes"))


def _judged_key(kind: str, bits: int, curve: str | None) -> Judgement:
    if kind == "RSA":
        return _judged_rsa(bits)
    if kind == "EC":
        if curve in _GOOD_CURVES:
            return _GOOD
        return Judgement(Grade.WEAK, "too short") if curve in _SHORT_CURVES else _NO_BROWSER
    return {"DSA": _DSA, "Ed25519": _NO_BROWSER, "Ed448": _NO_BROWSER}.get(kind, _YOUNG)


def _judged_rsa(bits: int) -> Judgement:
    if bits <= _FACTORED_RSA:
        return Judgement(Grade.BROKEN, "keys of this length have been factored")
    if bits < _SHORT_RSA:
        return Judgement(Grade.WEAK, f"{_SHORT_RSA} bits is the least clients ask for")
    return _GOOD if bits <= 8192 else Judgement(Grade.UNUSUAL, "longer than many clients take")


def read_signature(certificate: Certificate, raw: Raw) -> Signature:
    oid = raw.signature_oid
    if oid == _PSS:
        hash_name = raw.tried(lambda: _hash_of(certificate)) or raw.tried(raw.pss_hash) or ""
        name, judgement = _PSS_HASHES.get(hash_name.replace("-", ""), ("an unknown hash", _NO_NAME))
        return Signature(f"RSA-PSS with {name}", oid, judgement)
    name, judgement = _SIGNATURES.get(oid, (oid or "unreadable", _NO_NAME))
    return Signature(name, oid, judgement)


def _hash_of(certificate: Certificate) -> str:
    found = certificate.handle.signature_hash_algorithm if certificate.handle else None
    return found.name if found else ""
