"""The report as JSON: what real scans give is what the schema says, it reads back, and it gives nothing away."""

import base64
import dataclasses
import json
import string
import types
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import options, resolve, run
from tests.faults import fault, honest_proxy, tls_server
from tlsinspect import model, scan
from tlsinspect.conductor import prepare
from tlsinspect.evidence.catalogue import ListedCode
from tlsinspect.fetch import Purpose
from tlsinspect.jsonform import from_json, to_json
from tlsinspect.lab import pki
from tlsinspect.model import SCHEMA_VERSION, Assessment, Observation, Reach, Reason, Report, Verdict
from tlsinspect.observe.handshake import ECDSA, H2, LARGE, LEGACY, RSA, SMALL, TLS_1_2, TLS_1_3
from tlsinspect.observe.routing import routing
from tlsinspect.report.as_json import document, lines, schema

NOUNS = {
    name: noun
    for name, noun in vars(model).items()
    if dataclasses.is_dataclass(noun) and isinstance(noun, type) and noun.__module__ == model.__name__
}
ENUMS = {
    name: noun
    for name, noun in vars(model).items()
    if isinstance(noun, type) and issubclass(noun, StrEnum) and list(noun)
}

# -- real scans -----------------------------------------------------------------------------------------------------

GENUINE = "mail.google.com"
TIMEOUT = 3.0


@pytest.fixture(scope="module")
def direct(google: pki.GoogleLike, roots: Path, now: datetime) -> Report:
    """One run that meets everything at once, without a proxy."""
    forged = pki.fiddler(now)
    long_ago = now - timedelta(days=60)
    expired = google.we2.issue(["calendar.google.com"], not_before=long_ago, not_after=now - timedelta(days=20))
    possessed = google.wr2.issue(["contacts.google.com"])
    with ExitStack() as stack:
        tls = {
            GENUINE: tls_server(google.we2.issue([GENUINE]), headers=[("Server", "ESF"), ("Via", "1.1 x")], age=3),
            "www.googleapis.com": tls_server(forged.issue(["www.googleapis.com"], send_root=True)),
            "oauth2.googleapis.com": tls_server(forged.issue(["oauth2.googleapis.com"]), close_after_handshake=True),
            "calendar.google.com": tls_server(expired),
            "accounts.google.com": tls_server(google.we2.issue(["other.google.com"])),
            "contacts.google.com": fault("bad-key-exchange", issued=possessed),
            "www.google.com": fault("silent"),
            "drive.google.com": fault("reset-on-hello"),
            "docs.google.com": fault("http-403"),
            "sheets.google.com": fault("http-redirect"),
            "slides.google.com": fault("alert-40"),
            "chat.google.com": fault("random-garbage"),
            "meet.google.com": fault("nothing-listening"),
            "example.test": tls_server(pki.plain_corporate(now).issue(["example.test"])),
        }
        http = {
            "c.pki.goog": fault("plain-http"),
            "o.pki.goog": fault("http-403"),
            "i.pki.goog": fault("nothing-listening"),
            "crl.pki.goog": fault("silent"),
            "ocsp.pki.goog": fault("ssh-banner"),
        }
        places = {host: stack.enter_context(server) for host, server in {**tls, **http}.items()}
        return scan(
            [*tls, *(f"http://{host}/x.crl" for host in http)],
            trust=roots,
            proxy="none",
            resolve=[*resolve({h: places[h] for h in tls}), *resolve({h: places[h] for h in http}, 80)],
            timeout=TIMEOUT,
        )


USER, PASSWORD = "alice.tester", "hunter2-Zq9"
SECRETS = (
    USER,
    PASSWORD,
    base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
    "hunter2%2DZq9",  # as it was typed
)
PROXIES = (
    "proxy-407-basic",
    "proxy-407-one-header",
    "proxy-403",
    "proxy-302",
    "proxy-511",
    "proxy-502",
    "proxy-not-http",
    "proxy-endless-headers",
    "proxy-reset-on-connect",
    "proxy-html-after-200",
    "proxy-never-answers",
)


def given_proxy(place: tuple[str, int]) -> str:
    return f"http://{USER}:hunter2%2DZq9@{place[0]}:{place[1]}"


@pytest.fixture(scope="module")
def proxied(google: pki.GoogleLike, roots: Path) -> dict[str, Report]:
    """A run through each proxy, with credentials, to an honest host and an honest plain one."""
    found = {}
    with tls_server(google.we2.issue([GENUINE])) as server, fault("plain-http") as plain:
        upstream = {(GENUINE, 443): server, ("c.pki.goog", 80): plain}
        for kind in PROXIES:
            with fault(kind, resolve=upstream, credentials=f"{USER}:{PASSWORD}") as proxy:
                found[kind] = scan(
                    [GENUINE, "http://c.pki.goog"],
                    trust=roots,
                    proxy=given_proxy(proxy),
                    timeout=0.5 if kind == "proxy-never-answers" else TIMEOUT,
                    offline=True,
                )
    return found


@pytest.fixture(scope="module")
def reports(direct: Report, proxied: dict[str, Report]) -> dict[str, Report]:
    return {"direct": direct, **proxied}


def test_the_runs_met_what_they_should(reports: dict[str, Report]) -> None:
    """Else the other tests here would say less than they seem to."""
    verdicts = {a.verdict for report in reports.values() for a in report.assessments}
    assert verdicts >= {
        Verdict.GENUINE,
        Verdict.INTERCEPTED,
        Verdict.EXPIRED,
        Verdict.WRONG_HOST,
        Verdict.INCONCLUSIVE,
        Verdict.BLOCKED,
        Verdict.UNREACHABLE,
        Verdict.CAPTIVE_PORTAL,
    }
    results = {r.result for report in reports.values() for r in report.reachability}
    assert results >= {Reach.ANSWERS, Reach.NOT_PKI, Reach.REFUSED, Reach.TIMEOUT}
    authenticated = reports["proxy-407-basic"].assessments[0]
    assert authenticated.verdict is Verdict.GENUINE
    assert authenticated.observations[0].proxy is not None
    assert authenticated.observations[0].proxy.schemes == ("Basic",)
    assert not [
        (a.endpoint.host, a.explanation)
        for report in reports.values()
        for a in report.assessments
        for o in a.observations
        if o.failure is not None and o.failure.reason is Reason.INTERNAL
    ]


# -- the schema and the documents -----------------------------------------------------------------------------------


def validate(data: Any, noun: str | None = None) -> None:
    """Against the whole schema, or against one of its parts."""
    whole = schema()
    chosen = (
        whole if noun is None else {"$schema": whole["$schema"], "$defs": whole["$defs"], "$ref": f"#/$defs/{noun}"}
    )
    jsonschema.Draft202012Validator(chosen).validate(data)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema()["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_every_document_validates(reports: dict[str, Report]) -> None:
    for report in reports.values():
        validate(json.loads(document(report)))


def test_a_document_is_strict_json(reports: dict[str, Report]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    for report in reports.values():
        json.loads(document(report), parse_constant=refuse)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("schema_version",), 2),
        (("extra",), 1),
        (("started",), "2026-11-23 12:00"),
        (("trust", "sha256"), "x"),
        (("assessments", 0, "verdict"), "fine"),
        (("assessments", 0, "confidence"), "sure"),
        (("assessments", 0, "endpoint", "port"), 0),
        (("assessments", 0, "endpoint", "expectation"), "whatever"),
        (("assessments", 0, "endpoint", "rows"), []),
        (("assessments", 0, "findings", 0, "severity"), "fatal"),
        (("assessments", 0, "findings", 0, "values"), {"n": 1}),
        (("assessments", 0, "observations", 0, "tls", "chain"), ["*"]),
        (("assessments", 0, "observations", 0, "stage"), "udp"),
        (("assessments", 0, "observations", 0, "seconds"), {"tls": -1}),
        (("assessments", 0, "observations", 0, "connections", 0, "outcome"), "fine"),
        (("reachability", 0, "result"), "fine"),
        (("reachability", 0, "extra"), None),
    ],
)
def test_the_schema_refuses_what_is_wrong(direct: Report, where: tuple[str | int, ...], value: object) -> None:
    data = to_json(direct)
    validate(data)
    inner: Any = data
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(data)


def every_object(data: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(data, dict):
        yield path, data
        for key, value in data.items():
            yield from every_object(value, f"{path}.{key}")
    elif isinstance(data, list):
        for value in data:
            yield from every_object(value, path)


def test_the_schema_requires_every_property(direct: Report) -> None:
    data = to_json(direct)
    tried: set[tuple[str, str]] = set()
    for path, found in every_object(data):
        if path.endswith((".values", ".seconds")) and path != ".assessments.observations.connections.seconds":
            continue
        for key in list(found):
            if (path, key) in tried:
                continue
            tried.add((path, key))
            value = found.pop(key)
            with pytest.raises(jsonschema.ValidationError):
                validate(data)
            found[key] = value
    assert len(tried) > 100
    validate(data)


def part(noun: str) -> dict[str, Any]:
    found: dict[str, Any] = schema() if noun == "Report" else schema()["$defs"][noun]
    return found


def test_the_schema_describes_the_nouns_of_the_model_and_no_others() -> None:
    described = {name for name, definition in schema()["$defs"].items() if definition.get("type") == "object"}
    assert described | {"Report"} == set(NOUNS)


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_fields_and_properties_are_the_same(noun: str) -> None:
    names = [f.name for f in dataclasses.fields(NOUNS[noun])]
    definition = part(noun)
    assert list(definition["properties"]) == names
    assert definition["required"] == names
    assert definition["additionalProperties"] is False


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_every_property_has_its_type_and_says_what_it_is(noun: str) -> None:
    for name, hint in get_type_hints(NOUNS[noun]).items():
        definition = part(noun)["properties"][name]
        assert definition["title"], name
        assert len(definition["description"]) > 10, name
        assert shape_of_schema(definition) == shape_of_hint(hint), name


def shape_of_hint(hint: Any) -> object:
    """A type as far as JSON knows types."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return {"null", *(shape_of_hint(a) for a in get_args(hint) if a is not type(None))}
    if origin is tuple:
        return "list", frozenset({shape_of_hint(get_args(hint)[0])})
    if origin is dict:
        return "map", frozenset({shape_of_hint(get_args(hint)[1])})
    simple = {str: "string", bool: "boolean", int: "integer", float: "number", datetime: "Time", bytes: "Bytes"}
    return simple.get(hint, hint.__name__)


def shape_of_schema(definition: dict[str, Any]) -> object:
    if "$ref" in definition:
        name = definition["$ref"].removeprefix("#/$defs/")
        # Limits of plain types that several properties share.
        return {"Host": "string", "Port": "integer", "Status": "integer", "Seconds": "number"}.get(name, name)
    if "anyOf" in definition:
        shapes = {shape_of_schema(choice) for choice in definition["anyOf"]}
        return "string" if shapes == {"string", "Reason"} else shapes
    if "const" in definition:
        return {str: "string", int: "integer"}[type(definition["const"])]
    kind = definition["type"]
    if isinstance(kind, list):
        return set(kind)
    if kind == "array":
        return "list", frozenset({shape_of_schema(definition["items"])})
    if kind == "object":
        return "map", frozenset({shape_of_schema(definition["additionalProperties"])})
    return kind


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_enums_are_the_model_s(name: str) -> None:
    assert schema()["$defs"][name]["enum"] == [member.value for member in ENUMS[name]]
    assert schema()["$defs"][name]["description"]


def test_no_closed_list_of_the_schema_is_checked_by_nothing() -> None:
    assert {name for name, d in schema()["$defs"].items() if "enum" in d} == set(ENUMS)
    from tlsinspect.endpoints import EXPECTATIONS

    inside = {
        (noun, name): tuple(d["enum"]) for noun in NOUNS for name, d in part(noun)["properties"].items() if "enum" in d
    }
    hellos = tuple(hello.name for hello in (LARGE, SMALL, LEGACY, TLS_1_2, TLS_1_3, RSA, ECDSA, H2))
    assert inside == {
        ("Endpoint", "expectation"): EXPECTATIONS,
        ("Observation", "address_source"): ("dns", "--resolve", "proxy", "log"),
        ("HelloTry", "hello"): hellos,
        ("Tls", "hello"): (*hellos, "recorded"),
        ("RevocationStatus", "source"): ("", "staple", "crl", "ocsp"),
        ("Timestamp", "result"): ("valid", "invalid", "unknown-log"),
        ("Timestamp", "via"): ("embedded", "ocsp"),
        ("Fetch", "purpose"): get_args(Purpose),
        ("TrustStore", "effect"): ("base", "replaces", "adds"),
        ("InstalledAuthority", "listed"): ("", *get_args(ListedCode)),
    }


def test_every_verdict_is_explained() -> None:
    said = schema()["$defs"]["Verdict"]["description"]
    assert [v for v in Verdict if f"`{v}`" not in said] == []


# -- JSON Lines -----------------------------------------------------------------------------------------------------


def test_every_line_is_an_object_with_its_type_first(reports: dict[str, Report]) -> None:
    for report in reports.values():
        read = []
        for line in lines(report):
            assert line.endswith("\n")
            assert line.count("\n") == 1
            read.append(json.loads(line))
        assert all(next(iter(row)) == "type" for row in read)
        assert [row.pop("type") for row in read] == (
            ["assessment"] * len(report.assessments) + ["reachability"] * len(report.reachability) + ["run"]
        )
        *rows, whole = read
        assert {row.pop("schema_version") for row in rows} <= {1}
        for row in rows:
            validate(row, "Reachability" if "result" in row else "Assessment")
        count = len(report.assessments)
        assert {**whole, "assessments": rows[:count], "reachability": rows[count:]} == to_json(report)


# -- there and back -------------------------------------------------------------------------------------------------


def test_a_report_reads_back_as_it_was(reports: dict[str, Report]) -> None:
    for report in reports.values():
        assert from_json(Report, to_json(report)) == report


def test_a_document_reads_back_and_writes_the_same(reports: dict[str, Report]) -> None:
    for report in reports.values():
        text = document(report)
        again = from_json(Report, json.loads(text))
        assert document(again) == text


moments = st.datetimes(timezones=st.just(UTC))
texts = st.text(st.characters(), max_size=20)
seconds = st.integers(min_value=0, max_value=10**12).map(lambda microseconds: microseconds / 1e6)


def noun(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a noun, its fields by their types."""
    return st.builds(kind, **{name: value(hint) for name, hint in get_type_hints(kind).items()})


def value(hint: Any) -> st.SearchStrategy[Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if a is type(None) else value(a) for a in get_args(hint)))
    if origin is tuple:
        return st.lists(value(get_args(hint)[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(texts, value(get_args(hint)[1]), max_size=3)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return noun(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        bool: st.booleans(),
        int: st.integers(),
        float: seconds,
        datetime: moments,
        bytes: st.binary(max_size=20),
    }
    return simple[hint]


@given(noun(Observation))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_observation_survives(observation: Observation) -> None:
    text = json.dumps(to_json(observation), allow_nan=False)
    assert text.isascii()
    assert from_json(Observation, json.loads(text)) == observation


@given(noun(Assessment))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_assessment_survives(assessment: Assessment) -> None:
    assert from_json(Assessment, json.loads(json.dumps(to_json(assessment)))) == assessment


def test_times_of_any_zone_become_utc(direct: Report) -> None:
    data = to_json(direct)
    data["started"] = "2026-11-23T12:00:00+05:30"
    assert from_json(Report, data).started == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert to_json(from_json(Report, data))["started"] == "2026-11-23T06:30:00Z"


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=10**400, max_value=10**401),
        st.floats(),
        texts,
        st.sampled_from(["", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-23", "AAAA", "AA=A"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def read_or_none(kind: type, data: Any) -> Any:
    """What `data` is as a noun; None where it is refused as it should be."""
    try:
        return from_json(kind, data)
    except ValueError:
        return None


@given(st.sampled_from(sorted(NOUNS)), anything)
@settings(deadline=None)
def test_any_json_is_a_noun_or_a_value_error(name: str, data: Any) -> None:
    read_or_none(NOUNS[name], data)


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_one_wrong_value_anywhere_is_a_value_error_or_fits(data: st.DataObject) -> None:
    """A document that is right but for one value: what reads it must not fall over, nor keep what does not fit."""
    whole = sample()
    objects = [found for _, found in every_object(whole) if found]
    inner = data.draw(st.sampled_from(objects))
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(anything)
    read = read_or_none(Observation, whole)
    if read is not None:
        again = json.loads(json.dumps(to_json(read), allow_nan=False))
        assert from_json(Observation, again) == read


def sample() -> Any:
    """An observation in which everything is there."""
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return to_json(
        Observation(
            host="a.test",
            port=443,
            route=model.Route("http://p.test:1", "--proxy"),
            started=moment,
            stage=model.Stage.HTTP,
            addresses=("127.0.0.1",),
            connections=(model.Connection("127.0.0.1", 443, "connected", 0.25),),
            address="127.0.0.1",
            proxy=model.ProxyAnswer(200, ("Basic",), "s", "l"),
            tls=model.Tls("large", True, (b"x",), b"y", "TLSv1.3", "c", "g", "a", "n"),
            hellos=(model.HelloTry("large", Reason.RESET),),
            control=True,
            first_bytes=b"z",
            http=model.HttpAnswer(200, moment, moment, moment, 1, "l", "s", "v"),
            failure=model.Failure(model.Stage.HTTP, Reason.CLOSED, "d"),
            seconds={"tls": 0.5},
        )
    )


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("port", True),
        ("port", 443.0),
        ("port", "443"),
        ("host", None),
        ("stage", "udp"),
        ("stage", []),
        ("stage", None),
        ("started", 0),
        ("started", "noon"),
        ("started", "2026-11-23T12:00:00"),  # in which time zone?
        ("started", "2026-11-23"),
        ("started", "0001-01-01T00:00:00+14:00"),  # before the first year
        ("started", "9999-12-31T23:59:59-14:00"),
        ("addresses", "127.0.0.1"),
        ("addresses", [1]),
        ("addresses", {}),
        ("route", []),
        ("route", {"proxy": None, "origin": "x", "password": "y"}),
        ("tls", {"hello": "large"}),
        ("first_bytes", "*"),
        ("first_bytes", "\u00fc"),
        ("control", 1),
        ("seconds", {"tls": "1"}),
        ("seconds", {"tls": True}),
        ("seconds", {"tls": float("nan")}),
        ("seconds", {"tls": float("inf")}),
        ("seconds", {"tls": 10**400}),
        ("seconds", []),
        ("unknown", 1),
    ],
)
def test_broken_observations_are_refused_by_name(field: str, wrong: object) -> None:
    data = sample()
    assert isinstance(from_json(Observation, data), Observation)
    data[field] = wrong
    with pytest.raises(ValueError, match=field):
        from_json(Observation, data)


def test_a_missing_field_is_named() -> None:
    data = sample()
    del data["stage"]
    with pytest.raises(ValueError, match="stage"):
        from_json(Observation, data)


# -- what must not be in it -----------------------------------------------------------------------------------------


def given_away(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def test_no_credentials_in_what_a_scan_returns(proxied: dict[str, Report]) -> None:
    for kind, report in proxied.items():
        shown = repr(report) + document(report) + "".join(lines(report))
        assert "127.0.0.1" in shown, kind
        assert given_away(shown) == [], kind


@pytest.mark.parametrize("kind", ["proxy-407-basic", "proxy-407-one-header", "proxy-never-answers"])
@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
@pytest.mark.parametrize("way", ["flag", "environment"])
def test_no_credentials_in_what_the_command_writes(
    google: pki.GoogleLike, roots: Path, kind: str, form: str, way: str
) -> None:
    words = ["scan", GENUINE, "http://c.pki.goog", "--trust", str(roots), "--format", form, "-v"]
    words += ["--timeout", "0.5" if kind == "proxy-never-answers" else "2"]
    with (
        tls_server(google.we2.issue([GENUINE])) as server,
        fault(kind, resolve={(GENUINE, 443): server}, credentials=f"{USER}:{PASSWORD}") as proxy,
    ):
        url = given_proxy(proxy)
        if way == "flag":
            ended = run(*words, "--proxy", url)
        else:
            ended = run(*words, extra=dict.fromkeys(("https_proxy", "http_proxy", "ALL_PROXY"), url))
        assert f"127.0.0.1:{proxy.port}" in ended.out
        if kind == "proxy-407-basic":
            assert any(given_away(request.header("Proxy-Authorization") or "") for request in proxy.requests)
            assert ended.status in (0, 3)
    assert given_away(ended.out + ended.err) == []
    assert ended.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--proxy", f"socks4://{USER}:{PASSWORD}@127.0.0.1:1"],
        ["--proxy", f"http://{USER}:{PASSWORD}@127.0.0.1:x"],
        ["--proxy", f"http://{USER}:{PASSWORD}@127.0..1:1"],
        ["--proxy", f"http://{USER}:{PASSWORD}/x@127.0.0.1:1"],
        [f"--proxy-url=http://{USER}:{PASSWORD}@127.0.0.1:1"],  # no option of ours, and yet a password
        [f"http://{USER}:{PASSWORD}@127.0.0.1:1"],
    ],
)
def test_no_credentials_in_what_is_said_of_a_mistake(words: list[str]) -> None:
    ended = run("scan", GENUINE, *words)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err
    assert given_away(ended.err) == []


def test_no_credentials_in_the_objects_on_the_way() -> None:
    url = given_proxy(("127.0.0.1", 3128))
    prepared = prepare([GENUINE], proxy=url)
    fixed = prepared.routing.fixed
    assert fixed is not None
    assert fixed.credentials == f"{USER}:{PASSWORD}"
    found = routing("auto", {"https_proxy": url})
    shown = repr(prepared) + repr(prepared.settings) + repr(found) + repr(found.proxy_for("a", True))
    assert "127.0.0.1" in shown
    assert given_away(shown) == []


def test_basic_is_given_only_to_a_proxy_that_asks_for_it(google: pki.GoogleLike, roots: Path) -> None:
    with tls_server(google.we2.issue([GENUINE])) as server, honest_proxy({(GENUINE, 443): server}) as proxy:
        report = scan([GENUINE], trust=roots, proxy=given_proxy(proxy), timeout=TIMEOUT, offline=True)
        assert report.assessments[0].verdict is Verdict.GENUINE
        assert [request.header("Proxy-Authorization") for request in proxy.requests] == [None]
    with fault("proxy-407-many-headers") as proxy:
        scan([GENUINE], trust=roots, proxy=f"http://127.0.0.1:{proxy.port}", timeout=TIMEOUT, offline=True)
        assert [request.header("Proxy-Authorization") for request in proxy.requests] == [None]


# -- hostile names --------------------------------------------------------------------------------------------------

ESCAPES = "\x1b[31mGTS\x1b[0m \x1b]0;owned\x07\u202eevil\u2066\u200b\x9b2J [red]bold[/red] {host}"
FORBIDDEN = ("\x1b", "\x07", "\u202e", "\u2066", "\u200b", "\x9b", "\x00", "\x7f")


@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_hostile_names_reach_no_terminal_as_they_are(form: str, roots: Path, now: datetime) -> None:
    named = pki.name((NameOID.ORGANIZATION_NAME, ESCAPES), (NameOID.COMMON_NAME, ESCAPES[:60]))
    authority = pki.Authority.root(named, now)
    # Names that make the catalogue's patterns match carry the escapes into the attribution too.
    known = pki.name((NameOID.ORGANIZATION_NAME, "Zscaler Inc."), (NameOID.COMMON_NAME, "Zscaler Root CA\x1b[2J\u202e"))
    zscaler = pki.Authority.root(known, now)
    fields = [("Server", "\x1b[31m\x9b2J"), ("Via", "\x1b]0;x\x07"), ("Location", "http://\x1b[31m.test/\x9b")]
    other = authority.issue([], subject=pki.name((NameOID.COMMON_NAME, "\u202e\x1b[2J.test")))
    with (
        tls_server(authority.issue([GENUINE]), headers=fields, http_status=302) as one,
        tls_server(zscaler.issue(["www.google.com"]), headers=fields) as two,
        tls_server(other) as three,
        serving_plain(b"HTTP/1.1 302 \x1b[31m\r\nLocation: http://\x1b[31m.\x9b2J/\r\n\r\n") as plain,
    ):
        places = {GENUINE: one, "www.google.com": two, "drive.google.com": three}
        ended = run(
            *("scan", *places, "http://c.pki.goog", "--trust", str(roots), "--format", form, "-v", "--proxy", "none"),
            *options([*resolve(places), *resolve({"c.pki.goog": plain}, 80)]),
        )
    assert ended.status == 1
    assert [c for c in FORBIDDEN if c in ended.out + ended.err] == []
    if form == "table":
        assert "<U+001B>" in ended.out
        assert "<U+202E>" in ended.out
        assert "[red]bold[/red]" in ended.out.replace("\n", "").replace("  ", "") or "[red]" in ended.out
    else:
        assert set(ended.out) <= set(string.printable)
        assert "\\u001b[31mGTS" in ended.out
        assert "\\u202e" in ended.out


@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_hostile_profiles_reach_no_terminal_as_they_are(
    form: str, google: pki.GoogleLike, roots: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "mine.toml"
    escaped = "\\u001b[31m\\u202e\\u009b2J"
    profile.write_text(
        f'name = "n{escaped}"\ntitle = "t{escaped}"\nsource = "s{escaped}"\n'
        f'[[endpoint]]\nurl = "https://{GENUINE}/"\npurpose = "p{escaped}"\npattern = "{escaped}"\n',
        encoding="utf-8",
    )
    with tls_server(google.we2.issue([GENUINE])) as server:
        ended = run(
            *("scan", "--profile", str(profile), "--trust", str(roots), "--format", form, "-v", "--proxy", "none"),
            *options(resolve({GENUINE: server})),
        )
    assert ended.status == 0
    assert [c for c in FORBIDDEN if c in ended.out + ended.err] == []


# -- hostile answers ------------------------------------------------------------------------------------------------


def serving_plain(answer: bytes) -> Any:
    """A server that answers anything with these bytes."""
    from tests.faults import serving

    def handle(peer: Any) -> None:
        peer.receive()
        peer.answer(answer)

    return serving(handle)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nx",  # a digit to Python, and no number
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[v1.x]/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://a:b:c/\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDate: \xb2\xb2 Nov\r\nAge: \xb9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"\x30\x82\xff\xff" + bytes(70_000),
        b"HTTP/1.1 999 \xff\r\n\xff: \xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
        b"\x00" * 70_000,
        b"",
    ],
)
def test_no_answer_of_one_host_costs_the_others_theirs(google: pki.GoogleLike, roots: Path, answer: bytes) -> None:
    """As the answer over plain HTTP, and inside the session of a proven host."""
    with (
        tls_server(google.we2.issue([GENUINE])) as server,
        serving_plain(answer) as plain,
        inside_tls(google.we2.issue(["www.google.com"]), answer) as hostile,
    ):
        report = scan(
            [GENUINE, "www.google.com", "http://c.pki.goog/r1.crl"],
            trust=roots,
            proxy="none",
            resolve=[
                *resolve({GENUINE: server, "www.google.com": hostile}),
                *resolve({"c.pki.goog": plain}, 80),
            ],
            timeout=TIMEOUT,
            offline=True,
        )
    assert [a.verdict for a in report.assessments] == [Verdict.GENUINE, Verdict.GENUINE]
    failures = [o.failure.reason for a in report.assessments for o in a.observations if o.failure]
    assert Reason.INTERNAL not in failures
    assert len(report.reachability) == 1
    validate(to_json(report))


def inside_tls(issued: pki.Issued, answer: bytes) -> Any:
    """A TLS server that answers any request with these bytes."""
    from tests.faults import server_context, serving

    context = server_context(issued)

    def handle(peer: Any) -> None:
        peer.peek_hello()
        peer.wrap(context)
        peer.receive_head()
        peer.send(answer)

    return serving(handle)
