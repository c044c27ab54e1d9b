"""The nouns. Frozen, typed, free of behaviour; `jsonform` turns each into JSON and back.

Datetimes are aware and UTC. Certificates are DER. Durations are seconds. A host is an ASCII name in lower case without
a trailing dot, or an address.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SCHEMA_VERSION = 1  # of the JSON these become


class Verdict(StrEnum):
    """The closed set of answers; the string is the API. What each means: `tlsinspect/judge/rules.py`."""

    GENUINE = "genuine"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    CLOCK_SKEWED = "clock-skewed"
    INTERCEPTED = "intercepted"
    REVOKED = "revoked"
    WRONG_HOST = "wrong-host"
    UNEXPECTED_CA = "unexpected-ca"
    CAPTIVE_PORTAL = "captive-portal"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    INCONCLUSIVE = "inconclusive"


class Confidence(StrEnum):
    """`certain` follows from signatures and our own protocol state; `strong` adds one named assumption; `likely` rests
    on two independent hints, `weak` on one."""

    CERTAIN = "certain"
    STRONG = "strong"
    LIKELY = "likely"
    WEAK = "weak"


class Basis(StrEnum):
    """What an assessment rests on. Possession of the key is never read from a file."""

    LIVE = "live"
    RECORDED = "recorded"
    TEXT = "text"


class Severity(StrEnum):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Kind(StrEnum):
    PROOF = "proof"
    HINT = "hint"


class Authority(StrEnum):
    """Who must have signed an endpoint's certificate."""

    GOOGLE = "google"
    PUBLIC = "public"
    FILE = "file"


class Stage(StrEnum):
    """How far an attempt got. In order."""

    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    HTTP = "http"


class Reason(StrEnum):
    """Why an attempt ended where it did. Closed: a rule may rest on each."""

    NAME_NOT_FOUND = "name-not-found"
    DNS_FAILED = "dns-failed"
    REFUSED = "refused"
    NO_ROUTE = "no-route"
    NOT_CONNECTED = "not-connected"  # as a log says it, which does not say why
    NOT_TOLD = "not-told"  # by a log, which has a number that nobody knows
    TIMEOUT = "timeout"
    RESET = "reset"
    CLOSED = "closed"
    PROXY_AUTH_REQUIRED = "proxy-auth-required"
    PROXY_DENIED = "proxy-denied"
    PROXY_REDIRECT = "proxy-redirect"
    PROXY_PORTAL = "proxy-portal"
    PROXY_UPSTREAM_FAILED = "proxy-upstream-failed"
    PROXY_NOT_HTTP = "proxy-not-http"
    PROXY_ANSWER_TOO_LONG = "proxy-answer-too-long"
    PROXY_NOT_SOCKS = "proxy-not-socks"
    PROXY_TLS = "proxy-tls"  # no TLS session with the proxy itself, where it is spoken to over TLS
    PROXY_UNSUPPORTED = "proxy-unsupported"  # what a script or the system names is not spoken here
    PROXY_SCRIPT = "proxy-script"  # the script that should name the way gives no answer
    NOT_TLS = "not-tls"
    ALERT = "alert"
    TLS_ERROR = "tls-error"
    CERTIFICATE_UNREADABLE = "certificate-unreadable"
    CANCELLED = "cancelled"
    INTERNAL = "internal-error"  # a defect of tlsinspect itself


# What each means, for people. A failure's `detail` is added where it says more.
REASONS: dict[Reason, str] = {
    Reason.NAME_NOT_FOUND: "no such name",
    Reason.DNS_FAILED: "the DNS server gave no answer",
    Reason.REFUSED: "connection refused",
    Reason.NO_ROUTE: "no route to the address",
    Reason.NOT_CONNECTED: "no connection: refused, blocked or without a route",
    Reason.NOT_TOLD: "for a reason that the log does not tell",
    Reason.TIMEOUT: "no answer in time",
    Reason.RESET: "connection reset",
    Reason.CLOSED: "connection closed",
    Reason.PROXY_AUTH_REQUIRED: "the proxy asks for credentials",
    Reason.PROXY_DENIED: "the proxy refuses",
    Reason.PROXY_REDIRECT: "the proxy redirects elsewhere",
    Reason.PROXY_PORTAL: "the proxy asks to sign in to the network",
    Reason.PROXY_UPSTREAM_FAILED: "the proxy could not reach the host",
    Reason.PROXY_NOT_HTTP: "the proxy's answer is not HTTP",
    Reason.PROXY_ANSWER_TOO_LONG: "the proxy's answer does not end",
    Reason.PROXY_NOT_SOCKS: "the proxy's answer is not SOCKS5",
    Reason.PROXY_TLS: "no TLS session with the proxy itself",
    Reason.PROXY_UNSUPPORTED: "tlsinspect does not speak this kind of proxy",
    Reason.PROXY_SCRIPT: "the proxy script names no way",
    Reason.NOT_TLS: "not TLS",
    Reason.ALERT: "TLS alert",
    Reason.TLS_ERROR: "TLS error",
    Reason.CERTIFICATE_UNREADABLE: "unreadable certificate",
    Reason.CANCELLED: "interrupted",
    Reason.INTERNAL: "a defect of tlsinspect",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a profile: a URL somebody says a client needs."""

    url: str
    purpose: str = ""
    profile: str = ""
    required: bool = True
    pattern: str | None = None  # what an allow-list should hold, where that is not the URL itself
    source: str = ""
    date: str = ""  # when the source was read, ISO 8601
    completeness: str = ""  # full, partial or reconstructed: how well the source is reproduced


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and who must answer there. Rows that share host and port share the handshake."""

    host: str
    port: int
    tls: bool
    authority: Authority
    rows: tuple[Row, ...]
    expectation: str = "exempt"  # exempt, inspected or any
    authority_file: str | None = None

    @property
    def required(self) -> bool:
        return any(row.required for row in self.rows)


@dataclass(frozen=True, slots=True)
class Route:
    """How the endpoint is reached. Never holds credentials."""

    proxy: str | None = None  # scheme://host:port, None for direct
    origin: str = "direct"  # where the proxy, or that there is none, was named: --proxy, HTTPS_PROXY, PAC …


@dataclass(frozen=True, slots=True)
class Connection:
    """One address tried over TCP."""

    address: str
    port: int
    outcome: str  # connected, or a Reason
    seconds: float


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """What the proxy said when it was asked for a way to the endpoint."""

    status: int  # of HTTP; of SOCKS5 the reply code, 255 where it takes none of the ways to authenticate
    schemes: tuple[str, ...] = ()  # how it wants to be asked, as it spells them; of SOCKS5 the method it chose
    server: str | None = None
    location: str | None = None
    chain: tuple[bytes, ...] = ()  # its own, leaf first, where it is spoken to over TLS; judges nothing
    distrust: str = ""  # why its chain is not trusted here, where it therefore did not get its credentials
    refused: bool = False  # the credentials that it got


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A way that was to come first, on which no connection could be had."""

    way: str  # scheme://host:port, or direct
    reason: Reason


@dataclass(frozen=True, slots=True)
class Tls:
    """What one handshake showed. `chain` is exactly what was presented, leaf first."""

    hello: str  # large, small or legacy: see observe/handshake.py
    completed: bool
    chain: tuple[bytes, ...] = ()
    staple: bytes | None = None
    protocol: str | None = None
    cipher: str | None = None
    group: str | None = None
    alpn: str | None = None
    alert: str | None = None


@dataclass(frozen=True, slots=True)
class HelloTry:
    """A ClientHello and what came of it, for the attempts before the one that is kept."""

    hello: str
    outcome: Reason


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The first HTTP answer. `sent` and `received` are the local clock around the exchange."""

    status: int
    sent: datetime
    received: datetime
    date: datetime | None = None
    age: int | None = None
    location: str | None = None
    server: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    stage: Stage
    reason: Reason
    detail: str = ""


class LogKind(StrEnum):
    """The two ways in which Google's sync tools write their logs."""

    TRACE = "trace"
    AUTHORISATION = "authorisation"


@dataclass(frozen=True, slots=True)
class Logged:
    """What a log says of one failure: text, which anybody can have written. Numbers are unsigned, as printed."""

    file: str  # as it was named; - for standard input
    line: int  # where it begins, from 1
    kind: LogKind
    time: datetime  # of its first line
    zone: bool = True  # whether the log prints one; without, its clock is read as UTC
    product: str = ""  # id of a row of logs/products.toml
    version: str = ""
    system: str = ""  # the version of Windows, as printed
    thread: str = ""
    status: int | None = None  # WINHTTP_CALLBACK_STATUS_*
    flags: int | None = None  # WINHTTP_CALLBACK_STATUS_FLAG_*
    code: int | None = None  # of Win32, or an HRESULT
    api: str = ""  # the function that failed
    http_status: int | None = None
    via: str = ""  # how it was tried, as printed: WinHTTP proxy
    retry: str = ""  # how it was to be tried next, as printed
    subject: tuple[str, ...] = ()  # of the certificate: values alone, in the order of the name
    issuer: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    whole: bool = False  # a certificate is there, and nothing of it is missing or stands twice
    mixed: bool = False  # other threads wrote between its lines: which of them are its own is a guess
    address: str | None = None  # where the connection went
    port: int | None = None
    name: str = ""  # of the address, as printed: a reverse name, or the machine's own
    host: str = ""  # of a URL that the message names
    message: str = ""  # the line that says it, where nothing above does


@dataclass(frozen=True, slots=True)
class Observation:
    """One attempt at one endpoint: facts only."""

    host: str
    port: int
    route: Route
    started: datetime  # local clock
    stage: Stage
    attempt: int = 1
    slice: str = ""  # what was asked otherwise than usual: see asked.py
    server_name: str | None = None  # sent in the handshake (SNI)
    addresses: tuple[str, ...] = ()  # as resolved
    address_source: str = "dns"  # dns, --resolve, proxy (resolved there), or log
    connections: tuple[Connection, ...] = ()
    address: str | None = None  # the one connected to: the proxy's where there is one
    passed_over: tuple[PassedOver, ...] = ()  # before `route` was taken
    proxy: ProxyAnswer | None = None
    tls: Tls | None = None
    hellos: tuple[HelloTry, ...] = ()
    control: bool | None = None  # another server name got a certificate on the same path
    first_bytes: bytes | None = None  # what came instead of TLS, at most 4 kB
    http: HttpAnswer | None = None
    logged: Logged | None = None  # where a log is all there is
    failure: Failure | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # by stage


@dataclass(frozen=True, slots=True)
class Finding:
    """Something established (`proof`) or suggested (`hint`), with the values behind it."""

    code: str
    severity: Severity
    kind: Kind
    sentence: str
    values: dict[str, str] = field(default_factory=dict)


class Revocation(StrEnum):
    """What is known of one certificate's revocation. No data is never `good`."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class RevocationReason(StrEnum):
    """Why revocation is unknown. With `revoked`, STALE says that the object naming the serial is past its time."""

    NO_SOURCE = "no-source"  # nothing was given, and the certificate names nowhere to ask
    OFFLINE = "offline"  # nobody was asked
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"  # the address, the host or a redirect is one that must not be followed
    BLOCK_PAGE = "block-page"  # a web page came instead of the object
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    STALE = "stale"
    NOT_YET_VALID = "not-yet-valid"
    BAD_SIGNATURE = "bad-signature"
    WEAK_SIGNATURE = "weak-signature"  # SHA-1 or MD5, here or on the certificate of whoever signed
    WRONG_ISSUER = "wrong-issuer"
    NOT_AUTHORISED = "not-authorised"  # the signer may not sign this kind of object
    WRONG_SCOPE = "wrong-scope"  # a delta, indirect or partial CRL, or made when the certificate had ended already
    UNKNOWN_EXTENSION = "unknown-extension"  # critical, and not understood here
    OTHER_CERTIFICATE = "other-certificate"  # an OCSP answer about somebody else
    UNKNOWN_CERTIFICATE = "unknown-certificate"  # the responder says it does not know the certificate
    WRONG_NONCE = "wrong-nonce"
    REFUSED = "refused"  # an OCSP error status (tryLater, unauthorized …), or an HTTP status other than 200


@dataclass(frozen=True, slots=True)
class RevocationStatus:
    """Whether one certificate is revoked, at one moment, and by whose word."""

    state: Revocation
    reason: RevocationReason | None = None
    sentence: str = ""  # for people: who says so, or why it is not known
    source: str = ""  # staple, crl or ocsp: what decided
    subject: str = ""  # of the certificate, for people
    serial: str = ""  # hex
    this_update: datetime | None = None
    next_update: datetime | None = None
    revoked_at: datetime | None = None
    cause: str = ""  # CRLReason as RFC 5280 §5.3.1 spells it: keyCompromise …


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A signed certificate timestamp (RFC 6962 §3.2) and what verifying it gave."""

    result: str  # valid, invalid (a known log did not sign this), unknown-log
    log_id: str  # hex
    log: str = ""  # its description in the list
    operator: str = ""
    time: datetime | None = None
    via: str = "embedded"  # or ocsp


class FetchOutcome(StrEnum):
    """How a fetch ended."""

    FETCHED = "fetched"
    CACHED = "cached"  # nothing was asked yet: a copy of an earlier run was there
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STATUS = "status"  # an HTTP status other than 200
    BLOCK_PAGE = "block-page"  # a web page instead of the object
    NOT_HTTP = "not-http"
    ENCODED = "encoded"  # compressed, which nobody asked for
    TOO_LARGE = "too-large"
    FORBIDDEN_SCHEME = "forbidden-scheme"
    FORBIDDEN_HOST = "forbidden-host"  # not on the allow-list, where only that may permit it, or no host at all
    FORBIDDEN_ADDRESS = "forbidden-address"  # private, local, multicast or otherwise not out there
    FORBIDDEN_REDIRECT = "forbidden-redirect"
    PROXY = "proxy"  # the proxy refused or asked for credentials it did not get
    NO_TIME = "no-time"  # the run's share of time was used up
    OFFLINE = "offline"
    INTERNAL = "internal-error"  # a defect of tlsinspect itself


@dataclass(frozen=True, slots=True)
class Fetch:
    """One object asked for outside the handshakes: facts only, without its body."""

    url: str
    purpose: str  # crl, ocsp, issuer or time
    outcome: FetchOutcome
    detail: str = ""
    status: int | None = None
    address: str | None = None  # the one connected to: the proxy's where there is one
    location: str | None = None  # of a redirect
    date: datetime | None = None  # of the answer; anybody on the way may have written it
    size: int | None = None
    seconds: float = 0.0
    route: Route = field(default_factory=Route)


@dataclass(frozen=True, slots=True)
class Attribution:
    """A row of the interceptor catalogue that fits. A name is a hint: it can be typed into any CA."""

    id: str
    product: str
    vendor: str
    kind: str
    certainty: str  # of the catalogue row: verified-source, vendor-doc, observed, reported, unconfirmed
    confidence: Confidence
    matched: str  # the name that matched, or in words what was seen
    severity: Severity = Severity.HIGH  # how bad it is to meet this product

    @property
    def name(self) -> str:
        """The product without the catalogue's remark on versions."""
        return self.product.partition(" (")[0]


@dataclass(frozen=True, slots=True)
class Assessment:
    endpoint: Endpoint
    route: Route
    verdict: Verdict
    confidence: Confidence
    basis: Basis
    rule: str  # which row of judge/rules.py decided
    explanation: str
    remedy: str
    findings: tuple[Finding, ...] = ()
    attribution: Attribution | None = None
    issuer: str | None = None  # of the leaf, as RFC 4514 text
    issuer_title: str | None = None  # its common name, or what stands for one
    signing_keys: tuple[str, ...] = ()  # SPKI SHA-256 of those whose signatures were verified, leaf's issuer first
    path: tuple[str, ...] = ()  # common names, leaf's issuer … anchor, where a path was proven
    revocation: tuple[RevocationStatus, ...] = ()  # of each certificate below the anchor, leaf first, where proven
    timestamps: tuple[Timestamp, ...] = ()  # of the leaf, where proven
    not_after: datetime | None = None  # of the leaf
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """What answers at an address of this machine at which a connection ended."""

    address: str
    port: int
    program: str | None = None  # its name, without the path; None where the system does not say
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class ReverseName:
    """What the reverse zone says of an address: written by whoever owns the address."""

    address: str
    name: str | None = None
    confirmed: bool = False  # the name leads back to the address


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, once for all the hosts it is for."""

    text: str
    hosts: tuple[str, ...]
    client: str = ""  # the program it is about; empty for whoever runs the network or this machine
    source: str = ""  # where the product's or the client's own words stand


class Reach(StrEnum):
    """What plain HTTP gave at a port-80 row."""

    SIGNED_OBJECT = "signed-object"  # a certificate or CRL that a Google key signed
    ANSWERS = "answers"
    NOT_PKI = "not-pki"  # somebody else's answer: a portal, a block page, a proxy's refusal
    REFUSED = "refused"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Reachability:
    endpoint: Endpoint
    route: Route
    result: Reach
    sentence: str
    portal: bool = False  # a captive portal answered: HTTP 511, or a redirect away from Google
    listed: bool = True  # in the profile, or named by the user
    named: bool = False  # received certificates name this host for revocation
    status: int | None = None
    address: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """True time at `local`, as an interval. `hi` is None where nothing bounds it from above."""

    local: datetime
    lo: datetime
    hi: datetime | None
    sources: tuple[str, ...] = ()  # what made the bounds
    sure: bool = True  # more than one party's word; a single leaf's may be a thief's
    assumed_hi: datetime | None = None  # where nothing bounds it from above: if Google serves nothing expired
    hints: tuple[str, ...] = ()  # sentences that prove nothing and decide nothing


@dataclass(frozen=True, slots=True)
class TrustStore:
    """A set of authorities that programs of this machine go by. It never decides a verdict."""

    id: str
    title: str
    place: str  # the file, the folders, or what else it is
    effect: str  # base, replaces or adds: the system's own, instead of it, or beside a program's own
    system: bool  # the operating system's
    clients: tuple[str, ...] = ()  # the programs that go by it
    certificates: int = 0  # how many could be read
    problem: str = ""  # why it, or the rest of it, could not be read


@dataclass(frozen=True, slots=True)
class InterceptingRoot:
    """The authority behind intercepted hosts, and what this machine's programs make of it."""

    title: str
    subject: str
    sha256: str  # of the certificate; empty where it was not presented and no store holds it
    spki_sha256: str
    presented: bool  # by who intercepts; else it is known from a store alone, or not at all
    authority: bool  # False for a leaf that signed itself
    hosts: tuple[str, ...]
    product: str | None = None  # the id of a row of the catalogue
    held_by: tuple[str, ...] = ()  # ids of `stores`
    trusting: tuple[str, ...] = ()  # programs that go by one of them: they notice nothing
    failing: tuple[str, ...] = ()  # programs that go by other stores
    unknown: tuple[str, ...] = ()  # programs whose store could not be read
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class TrustFacts:
    """Which trust data judged."""

    name: str
    date: str
    built: str
    anchors: int
    sha256: str  # of the manifest, which holds the hash of every file
    stand_in: bool = False
    interceptors_sha256: str | None = None  # of the user's own file of interceptors, where one was named


@dataclass(frozen=True, slots=True)
class Classification:
    """A recorded chain, judged: what `tlsinspect classify --format json` writes."""

    schema_version: int
    tool: str
    trust: TrustFacts
    assessment: Assessment
    redacted: bool = False


LOG_NOTE = "Read from text, which anybody can write: hints, never proof."
NOTE = "Measured as this process: per-application rules may treat other programs differently."


@dataclass(frozen=True, slots=True)
class InstalledAuthority:
    """A certificate in a trust store of this machine that is no public root and came with no operating system."""

    title: str
    subject: str
    sha256: str
    spki_sha256: str
    not_after: datetime
    stores: tuple[str, ...]  # ids
    system: bool  # in the operating system's own
    product: Attribution | None = None  # what its names say: a hint
    listed: str = ""  # known-forgery, leaked-key or state-interception, by its key


@dataclass(frozen=True, slots=True)
class TriedRoute:
    """What `--proxy auto` takes for one address."""

    url: str
    route: Route | None  # None where the proxy makes no sense
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """This machine as far as TLS is concerned, without asking anybody: what `tlsinspect doctor` writes."""

    schema_version: int
    tool: str
    made: datetime  # local clock
    user: str
    machine: str
    platform: str
    versions: dict[str, str]
    trust: TrustFacts
    trust_days: int  # age of the trust data by the local clock
    synchronised: bool | None  # whether the system says that its clock is; None where it does not say
    routes: tuple[TriedRoute, ...]
    environment: dict[str, str]  # variables that matter, without credentials
    stores: tuple[TrustStore, ...]
    unread: dict[str, str]  # programs that go by something else, and what that is
    authorities: tuple[InstalledAuthority, ...]
    findings: tuple[Finding, ...]
    redacted: bool = False
    note: str = "Measured as this process and user: others may have other variables, settings and stores."


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log, and what came of it."""

    name: str
    octets: int  # read, unpacked
    lines: int
    failures: int  # reported, whatever their time
    kinds: tuple[LogKind, ...] = ()
    encoding: str = ""  # of its first octets: utf-8, utf-16-le …
    product: str = ""
    version: str = ""
    system: str = ""
    first: datetime | None = None  # of its dated lines
    last: datetime | None = None
    begins_within: bool = False  # a certificate, whose first lines are not there
    problem: str = ""  # why it, or the rest of it, could not be read


@dataclass(frozen=True, slots=True)
class Timeline:
    """How many, in equal steps of time."""

    start: datetime
    step: int  # seconds
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LogGroup:
    """Failures that are alike, however many."""

    assessment: Assessment  # of the first of them
    count: int
    first: datetime | None = None
    last: datetime | None = None
    products: dict[str, int] = field(default_factory=dict)  # by id; empty for a log that does not say
    destinations: dict[str, int] = field(default_factory=dict)  # address:port, most frequent first
    files: dict[str, int] = field(default_factory=dict)  # in which they stand, most frequent first
    timeline: Timeline | None = None  # in the steps of the report's


@dataclass(frozen=True, slots=True)
class LogReport:
    """What logs say, summed up: what `tlsinspect log --format json` writes."""

    schema_version: int
    tool: str
    made: datetime
    trust: TrustFacts
    files: tuple[LogFile, ...]
    failures: int  # in the time that was asked for: the sum of the groups
    groups: tuple[LogGroup, ...]  # worst first, then most frequent
    verdicts: dict[str, int] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)
    destinations: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, int] = field(default_factory=dict)
    timeline: Timeline | None = None
    since: datetime | None = None
    until: datetime | None = None
    conclusions: tuple[Finding, ...] = ()
    advice: tuple[Advice, ...] = ()
    commands: tuple[str, ...] = ()  # to be run on that machine: they turn the hints into proof
    ticket: str = ""  # to be pasted: what failed, what is asked for, what is to be done there
    interrupted: bool = False
    redacted: bool = False
    note: str = LOG_NOTE


@dataclass(frozen=True, slots=True)
class Report:
    schema_version: int
    tool: str
    profile: str
    started: datetime
    finished: datetime
    trust: TrustFacts
    clock: ClockEstimate
    assessments: tuple[Assessment, ...]
    reachability: tuple[Reachability, ...] = ()
    conclusions: tuple[Finding, ...] = ()
    advice: tuple[Advice, ...] = ()
    ticket: str = ""  # for whoever runs the network, to be pasted; empty where nothing is to be asked of them
    fetches: tuple[Fetch, ...] = ()
    probes: tuple[Observation, ...] = ()  # what active probes saw: no assessment rests on them
    stores: tuple[TrustStore, ...] = ()  # read only where somebody unknown signed
    roots: tuple[InterceptingRoot, ...] = ()
    listeners: tuple[Listener, ...] = ()  # where a connection ended on this machine
    reverse_names: tuple[ReverseName, ...] = ()  # where they were asked for
    judged_at: datetime | None = None  # the moment the caller chose to judge at
    interrupted: bool = False
    redacted: bool = False  # whether what names a company, a machine or a user was taken out
    note: str = NOTE
