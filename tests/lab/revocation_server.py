"""Port 80 of the lab's internet: revocation lists, OCSP, issuer certificates and the time service, honest or not.

::

    python -m tests.lab.revocation_server FOLDER AUTHORITIES

One process answers for every host of the lab, whatever name it is called by. It is honest unless `control.json` in
FOLDER has a `Rule` for what is asked; the file is read at every request, so a test changes the answers of a running
server. Every object is made and signed when it is asked for, with the keys in AUTHORITIES. What was asked, and from
where, is kept in `requests.jsonl`: that is how a test knows what was *not* asked.

Nothing of `tlsinspect` but its laboratory is used: the two must not be wrong together.
"""

import asyncio
import base64
import binascii
import hashlib
import json
import sys
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlsinspect.lab.pki import GOOGLE_STYLE, Authority, Extensions, PrivateKey, TimeService

from .network import METADATA, TIME_HOST

CONTROL = "control.json"
REQUESTS = "requests.jsonl"
AUTHORITIES = ("r1", "r4", "wr2", "we2", "wr9")

TIME_KEY = "time"
METADATA_URL = f"http://{METADATA}/latest/meta-data/"

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_ZEROS = bytes(1 << 18)
_GIGABYTES = 3 * (1 << 30)
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Access denied</title></head><body>Ask your administrator.</body></html>\n"


class What(StrEnum):
    """What is done about a request. The first group makes another object of what was asked for, the second sends
    something that is none."""

    GOOD = "good"
    REVOKED = "revoked"  # the serials of the rule are; everybody else is not
    STALE = "stale"  # past its nextUpdate
    STALE_REVOKED = "stale-revoked"
    FUTURE = "future"  # its thisUpdate has not come yet
    WRONG_SIGNER = "wrong-signer"  # in the name of the issuer, by another key
    WRONG_ISSUER = "wrong-issuer"  # in the name and by the key of somebody else
    TAMPERED = "tampered"  # one bit of the signature
    TRUNCATED = "truncated"  # half of the object, announced as the whole
    OTHER_SHARD = "other-shard"  # a CRL whose distribution point is another one
    DELTA = "delta"  # a CRL that lists changes alone
    DELEGATED = "delegated"
    DELEGATED_WITHOUT_EKU = "delegated-without-eku"
    DELEGATED_EXPIRED = "delegated-expired"
    DELEGATED_BY_ANOTHER = "delegated-by-another"  # signed by an authority that is not the issuer
    OTHER_CERTIFICATE = "other-certificate"  # a good OCSP answer about somebody else
    UNKNOWN = "unknown"  # the OCSP responder does not know the certificate
    TRY_LATER = "try-later"
    UNAUTHORIZED = "unauthorized"
    WRONG_KEY = "wrong-key"  # time, signed by a key that nobody trusts
    REPLAY = "replay"  # time, recorded an hour ago for another nonce

    PAGE = "page"  # HTML with status 200
    FORBIDDEN_PAGE = "forbidden-page"  # the same with status 403
    LOGIN_PAGE = "login-page"  # status 511, as a captive portal has it
    ERROR = "error"  # status 500
    MISSING = "missing"  # status 404
    ZEROS = "zeros"  # 3 GB of them, announced
    ENDLESS = "endless"  # zeros in chunks, for as long as somebody listens
    BLOATED = "bloated"  # the same behind the head of an object of 3 GB
    DRIP = "drip"  # the honest object, one byte a second
    CUT_OFF = "cut-off"  # the connection ends before what was announced
    SILENT = "silent"
    REDIRECT = "redirect"  # to the URL of the rule; a * in it stands for the rest of what was asked


@dataclass(frozen=True)
class Rule:
    """What is done where the host and the path asked for begin with `at`: the first rule that fits."""

    at: str
    what: What
    serials: tuple[int, ...] = ()
    to: str = ""


@dataclass(frozen=True)
class Request:
    """What was asked, as it is kept in the log."""

    method: str
    host: str
    target: str
    peer: str
    body: bytes = field(default=b"", repr=False, compare=False)

    @property
    def url(self) -> str:
        return f"{self.host}{self.target}"

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Answer:
    status: str = "200 OK"
    content_type: str = "application/octet-stream"
    body: bytes = b""
    fields: tuple[str, ...] = ()

    def head(self, *, length: int | None = None) -> bytes:
        """Everything before the body. `length` announces another one; below zero, chunks."""
        size = len(self.body) if length is None else length
        framing = f"Content-Length: {size}" if size >= 0 else "Transfer-Encoding: chunked"
        date = f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}"
        kind = f"Content-Type: {self.content_type}"
        lines = (f"HTTP/1.1 {self.status}", date, kind, framing, "Connection: close", *self.fields, "", "")
        return "\r\n".join(lines).encode()


# -- files that both sides know ----------------------------------------------------------------------------------------


def rules_in(folder: Path) -> list[Rule]:
    try:
        rows = json.loads((folder / CONTROL).read_text())
    except FileNotFoundError:
        return []
    return [Rule(row["at"], What(row["what"]), tuple(row["serials"]), row["to"]) for row in rows]


def write_rules(folder: Path, rules: Iterable[Rule]) -> None:
    """At once: a server that reads meanwhile sees the old ones or the new ones."""
    draft = folder / f"{CONTROL}.new"
    draft.write_text(json.dumps([asdict(rule) for rule in rules]))
    draft.replace(folder / CONTROL)


def requests_in(folder: Path) -> list[Request]:
    try:
        lines = (folder / REQUESTS).read_text().splitlines()
    except FileNotFoundError:
        return []
    return [Request(**json.loads(line)) for line in lines]


def note(folder: Path, request: Request) -> None:
    row = {"method": request.method, "host": request.host, "target": request.target, "peer": request.peer}
    with (folder / REQUESTS).open("a") as log:
        log.write(json.dumps(row) + "\n")


# -- authorities -------------------------------------------------------------------------------------------------------


def load_authority(folder: Path, stem: str) -> Authority:
    """An authority from `stem.pem` and `stem.key`, able to sign."""
    certificate = x509.load_pem_x509_certificate((folder / f"{stem}.pem").read_bytes())
    key_id = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return Authority(certificate, load_key(folder, stem), None, datetime.now(UTC), GOOGLE_STYLE, key_id)


def load_key(folder: Path, stem: str) -> PrivateKey:
    key = serialization.load_pem_private_key((folder / f"{stem}.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return key


class Forge:
    """Makes the objects that are asked for, as the rule wants them."""

    def __init__(self, folder: Path) -> None:
        self.authorities = {stem: load_authority(folder, stem) for stem in AUTHORITIES}
        time_key = load_key(folder, TIME_KEY)
        assert isinstance(time_key, ec.EllipticCurvePrivateKey)
        self.clock = TimeService(key=time_key)

    @cached_property
    def stranger(self) -> Authority:
        """Somebody whom nobody trusts."""
        return Authority.root(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Stranger")]), datetime.now(UTC))

    # Revocation lists -------------------------------------------------------------------------------------------------

    def crl(self, stem: str, url: str, rule: Rule) -> bytes:
        """A list of the authority's; those of intermediates come in parts, as Google's, and say which one they are."""
        issuer, what = self.authorities[stem], rule.what
        signer = self.stranger if what in (What.WRONG_SIGNER, What.WRONG_ISSUER) else issuer
        begin, end = _validity(what, timedelta(days=10))
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name((signer if what is What.WRONG_ISSUER else issuer).certificate.subject)
            .last_update(begin)
            .next_update(end)
            .add_extension(x509.AuthorityKeyIdentifier(issuer.key_id, None, None), critical=False)
            .add_extension(x509.CRLNumber(int(begin.timestamp())), critical=False)
        )
        if stem not in ("r1", "r4"):
            part = url.replace(".crl", "-other.crl") if what is What.OTHER_SHARD else url
            builder = builder.add_extension(_distribution_point(part), critical=True)
        if what is What.DELTA:
            builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
        for serial in rule.serials if what in (What.REVOKED, What.STALE_REVOKED) else ():
            entry = x509.RevokedCertificateBuilder(serial, begin - _HOUR)
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        made = builder.sign(signer.key, _hash_for(signer.key)).public_bytes(serialization.Encoding.DER)
        return _damaged(made, what)

    # OCSP -------------------------------------------------------------------------------------------------------------

    def ocsp(self, question: bytes, rule: Rule) -> bytes:
        try:
            asked = ocsp.load_der_ocsp_request(question)
        except ValueError:
            return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        issuer = next((a for a in self.authorities.values() if _is_about(asked, a)), None)
        if issuer is None or rule.what is What.UNAUTHORIZED:
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        if rule.what is What.TRY_LATER:
            return _refusal(ocsp.OCSPResponseStatus.TRY_LATER)
        signer = self._responder(issuer, rule.what)
        begin, end = _validity(rule.what, timedelta(days=7))
        status = _status(asked.serial_number, rule)
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        other = rule.what is What.OTHER_CERTIFICATE
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number + (1 if other else 0),
            algorithm=asked.hash_algorithm,
            cert_status=status,
            this_update=begin,
            next_update=end,
            revocation_time=begin - _HOUR if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        if rule.what is What.WRONG_SIGNER:
            builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, signer.certificate)
        else:
            builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
            if signer is not issuer:
                builder = builder.certificates([signer.certificate])
        for extension in asked.extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        made = builder.sign(signer.key, _hash_for(signer.key)).public_bytes(serialization.Encoding.DER)
        return _damaged(made, rule.what)

    def _responder(self, issuer: Authority, what: What) -> Authority:
        """Who signs the answer: the issuer, somebody it appointed, or somebody nobody did."""
        if what is What.WRONG_ISSUER:
            return self.stranger
        if what is What.WRONG_SIGNER:
            return Authority.root(issuer.certificate.subject, datetime.now(UTC))
        if what not in _DELEGATED:
            return issuer
        superior = self.stranger if what is What.DELEGATED_BY_ANOTHER else issuer
        now = datetime.now(UTC)
        until = now - _DAY if what is What.DELEGATED_EXPIRED else now + 20 * _DAY
        extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.OCSPNoCheck(), False)]
        if what is not What.DELEGATED_WITHOUT_EKU:
            extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False))
        delegate = superior.issue(
            [],
            subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Lab OCSP delegate")]),
            key="p256",
            extensions=_with_key_ids(extensions, superior),
            not_before=now - 10 * _DAY,
            not_after=until,
        )
        return Authority(delegate.certificate, delegate.key, superior, now, GOOGLE_STYLE, b"")

    # Issuers ----------------------------------------------------------------------------------------------------------

    def issuer(self, stem: str, rule: Rule) -> bytes:
        """The certificate of an authority; from a wrong signer, one that claims the same name."""
        certificate = self.authorities[stem].certificate
        if rule.what in (What.WRONG_SIGNER, What.WRONG_ISSUER):
            certificate = Authority.root(certificate.subject, datetime.now(UTC)).certificate
        return _damaged(certificate.public_bytes(serialization.Encoding.DER), rule.what)

    # Time -------------------------------------------------------------------------------------------------------------

    def time(self, query: str, rule: Rule) -> Answer:
        """The time, signed over the nonce of the question."""
        clock = TimeService(self.clock.version) if rule.what is What.WRONG_KEY else self.clock
        now = datetime.now(UTC)
        if rule.what is What.REPLAY:
            now -= _HOUR
            query = f"cup2key={clock.version}:0&cup2hreq={hashlib.sha256(b'').hexdigest()}"
        try:
            body, proof = clock.answer(query, now)
        except ValueError:
            return _STATUSES[What.MISSING]
        return Answer(content_type="application/json", body=body, fields=(f"x-cup-server-proof: {proof}",))


_DELEGATED = (
    What.DELEGATED,
    What.DELEGATED_WITHOUT_EKU,
    What.DELEGATED_EXPIRED,
    What.DELEGATED_BY_ANOTHER,
)


def _validity(what: What, span: timedelta) -> tuple[datetime, datetime]:
    begin = datetime.now(UTC).replace(microsecond=0) - _HOUR
    if what in (What.STALE, What.STALE_REVOKED):
        begin -= span + 2 * _DAY
    if what is What.FUTURE:
        begin += 2 * _DAY
    return begin, begin + span


def tampered(made: bytes) -> bytes:
    """With one bit of the signature turned: of everything made here without certificates inside it comes last."""
    return made[:-1] + bytes((made[-1] ^ 1,))


def _damaged(made: bytes, what: What) -> bytes:
    if what is What.TAMPERED:
        return tampered(made)
    return made[: len(made) // 2] if what is What.TRUNCATED else made


def _distribution_point(url: str) -> x509.IssuingDistributionPoint:
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url)],
        relative_name=None,
        only_contains_user_certs=True,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )


def _with_key_ids(extensions: Extensions, issuer: Authority) -> Extensions:
    return [*extensions, (x509.AuthorityKeyIdentifier(issuer.key_id, None, None), False)]


def _refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)


def _status(serial: int, rule: Rule) -> ocsp.OCSPCertStatus:
    if rule.what is What.UNKNOWN:
        return ocsp.OCSPCertStatus.UNKNOWN
    revoked = rule.what in (What.REVOKED, What.STALE_REVOKED) and serial in rule.serials
    return ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD


def _is_about(asked: ocsp.OCSPRequest, issuer: Authority) -> bool:
    public = issuer.key.public_key()
    point = isinstance(public, ec.EllipticCurvePublicKey)
    encoding, form = (
        (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        if point
        else (serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    )
    return asked.issuer_key_hash == _digest(asked.hash_algorithm, public.public_bytes(encoding, form))


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size == 384
    return hashes.SHA384() if strong else hashes.SHA256()


# -- answers -----------------------------------------------------------------------------------------------------------

_OCSP_HOSTS = ("o.pki.goog", "ocsp.pki.goog")


def honest(forge: Forge, request: Request, rule: Rule) -> Answer:
    """The object that is asked for: by its path, whatever the host, as some of Google's hosts share their files."""
    path = request.path
    if request.host == TIME_HOST and path == "/time/1/current":
        return forge.time(request.target.partition("?")[2], rule)
    if path.endswith(".crl"):
        url = f"http://c.pki.goog{path}"
        return Answer(content_type="application/pkix-crl", body=forge.crl(_issuer_of_list(path), url, rule))
    if path.endswith(".crt"):
        stem = Path(path).stem
        return Answer(
            content_type="application/pkix-cert", body=forge.issuer(stem if stem in AUTHORITIES else "wr2", rule)
        )
    if request.host in _OCSP_HOSTS and (question := _question(request)):
        return Answer(content_type="application/ocsp-response", body=forge.ocsp(question, rule))
    if path == "/generate_204":
        return Answer(status="204 No Content")
    return Answer(status="404 Not Found", content_type="text/html", body=b"not here\n")


def _issuer_of_list(path: str) -> str:
    """/r/r1.crl is the root's, /we2/… the intermediate's; the addresses of years past are taken for WR2's."""
    folder, _, file = path.strip("/").partition("/")
    if folder == "r" and file.removesuffix(".crl") in AUTHORITIES:
        return file.removesuffix(".crl")
    return folder if folder in AUTHORITIES else "wr2"


def _question(request: Request) -> bytes:
    """RFC 6960, appendix A.1: the body of a POST, or the last part of the path, Base64 and then percent-encoded."""
    if request.method == "POST":
        return request.body
    last = request.path.rpartition("/")[2]
    with suppress(binascii.Error, ValueError):
        return base64.b64decode(urllib.parse.unquote(last), validate=True)
    return b""


_STATUSES = {
    What.PAGE: Answer(content_type="text/html", body=_PAGE),
    What.FORBIDDEN_PAGE: Answer(status="403 Forbidden", content_type="text/html", body=_PAGE),
    What.LOGIN_PAGE: Answer(status="511 Network Authentication Required", content_type="text/html", body=_PAGE),
    What.ERROR: Answer(status="500 Internal Server Error", content_type="text/plain", body=b"try again\n"),
    What.MISSING: Answer(status="404 Not Found", content_type="text/plain", body=b"not here\n"),
}


async def pieces(forge: Forge, request: Request, rule: Rule) -> AsyncIterator[bytes]:
    """What is written to the connection, piece by piece."""
    if rule.what in _STATUSES:
        answer = _STATUSES[rule.what]
        yield answer.head() + answer.body
    elif rule.what is What.REDIRECT:
        there = rule.to.replace("*", request.url.removeprefix(rule.at))
        yield Answer(status="302 Found", fields=(f"Location: {there}",)).head()
    elif rule.what is What.SILENT:
        await asyncio.sleep(600)
    elif rule.what is What.ZEROS:
        yield Answer().head(length=_GIGABYTES)
        for _ in range(_GIGABYTES // len(_ZEROS)):
            yield _ZEROS
    elif rule.what in (What.ENDLESS, What.BLOATED):
        yield Answer().head(length=-1)
        if rule.what is What.BLOATED:
            yield b"6\r\n\x30\x84%b\r\n" % _GIGABYTES.to_bytes(4, "big")
        while True:
            yield b"%x\r\n%b\r\n" % (len(_ZEROS), _ZEROS)
    elif rule.what is What.DRIP:
        answer = honest(forge, request, replace(rule, what=What.GOOD))
        yield answer.head()
        for octet in answer.body:
            await asyncio.sleep(1)
            yield bytes((octet,))
    elif rule.what is What.CUT_OFF:
        answer = honest(forge, request, replace(rule, what=What.GOOD))
        yield answer.head() + answer.body[: len(answer.body) // 2]
    else:
        answer = honest(forge, request, rule)
        yield answer.head() + answer.body


# -- the server --------------------------------------------------------------------------------------------------------


async def read_request(reader: asyncio.StreamReader, peer: str) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, _, rest = first.partition(" ")
    target = rest.rpartition(" ")[0]
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Request(method, fields.get("host", "").removesuffix(":80"), target, peer, body)


def handler(folder: Path, forge: Forge) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await read_request(reader, writer.get_extra_info("peername")[0])
            note(folder, request)
            rule = next((r for r in rules_in(folder) if request.url.startswith(r.at)), Rule("", What.GOOD))
            async for piece in pieces(forge, request, rule):
                writer.write(piece)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    return handle


async def main(folder: Path, authorities: Path) -> None:
    forge = Forge(authorities)
    server = await asyncio.start_server(handler(folder, forge), None, 80)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:])))
