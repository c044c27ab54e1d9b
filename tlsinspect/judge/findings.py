"""Everything worth saying beside the verdict. Findings name and explain; none of them moves it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tlsinspect.certificate import title_of
from tlsinspect.evidence.attribution import NO_SNI, default_at, interceptor, is_portal_key
from tlsinspect.evidence.clock import SLACK, skew
from tlsinspect.evidence.crosshost import issuer_of
from tlsinspect.evidence.fingerprints import lacks_public_marks
from tlsinspect.evidence.path import Path, readable
from tlsinspect.evidence.peer import peer_of
from tlsinspect.evidence.portal import host_of
from tlsinspect.evidence.signature import signed
from tlsinspect.evidence.truststores import Stores, signers
from tlsinspect.evidence.whereabouts import whereabouts
from tlsinspect.judge.establish import Context, Established
from tlsinspect.judge.rules import Decision
from tlsinspect.judge.values import local_values
from tlsinspect.judge.words import finding, rule_finding, skew_finding
from tlsinspect.model import (
    REASONS,
    Attribution,
    Authority,
    Finding,
    Observation,
    Reason,
    Revocation,
    RevocationReason,
    RevocationStatus,
    Verdict,
)
from tlsinspect.trust import Trust

REVERSE_ZONE = ".1e100.net"  # where Google names its addresses
_OLD_PROTOCOLS = {"SSLv3", "TLSv1", "TLSv1.1"}


@dataclass(frozen=True)
class Suspects:
    """Which product a foreign chain is of: by the names in it, and by what it looks like."""

    named: Attribution | None = None
    shaped: Attribution | None = None


def findings(
    decision: Decision,
    seen: Observation,
    established: Established,
    suspects: Suspects,
    context: Context,
    words: Mapping[str, str],
) -> tuple[Finding, ...]:
    """The findings of one observation, most telling first, each code once."""
    found = [
        *_decided(decision, words),
        *(rule_finding(rule, words) for rule in decision.also),
        *_signer(decision, established, words),
        *_product(suspects, words),
        *_names(decision, established, suspects.named, words),
        *_foreign(established, context, words),
        *_shared(established, context),
        *_stores(seen, established, context),
        *_certificate(established, context, words),
        *_peer(seen, established, context),
        *_handshake(seen, established.facts.authority is Authority.GOOGLE),
        *_answers(seen, words),
        *_revocation(established),
        *_transparency(established, words),
        *(finding(cap, {}, words) for cap in decision.caps),
        *_witnesses(seen, established, context),
        *_run(decision, established, context, words),
    ]
    return tuple({f.code: f for f in reversed(found)}.values())[::-1]


def _decided(decision: Decision, words: Mapping[str, str]) -> Iterator[Finding]:
    """The row that decided about a certificate, where it says more than its verdict."""
    if decision.rule.step > 1 and decision.verdict is not Verdict.GENUINE and decision.rule.id != decision.verdict:
        yield rule_finding(decision.rule.id, words)


def _signer(decision: Decision, established: Established, words: Mapping[str, str]) -> Iterator[Finding]:
    facts, path = established.facts, established.readable_path
    if path is None:
        return
    if decision.verdict is Verdict.WRONG_HOST and not facts.proven and facts.authority is Authority.GOOGLE:
        yield finding("not-google", {}, words)
    if facts.signer == "google-alternate" and decision.verdict is not Verdict.GENUINE:
        yield finding("root-alternate", {}, words)
    if facts.signer == "unknown-intermediate" or path.completed:
        yield finding("chain-incomplete", {}, words)


def _product(suspects: Suspects, words: Mapping[str, str]) -> Iterator[Finding]:
    shaped = suspects.shaped
    yield from named_product(suspects.named, words)
    if shaped is not None:
        yield finding("fingerprint-match", {**_row_values(shaped), "product": shaped.name})


def named_product(named: Attribution | None, words: Mapping[str, str]) -> Iterator[Finding]:
    """That names are a product's, wherever they were read."""
    product = interceptor(named)
    if product is not None:
        yield finding("interceptor-match", _row_values(product), words, severity=product.severity)
        if product.id == "gen-untrusted":
            yield finding("upstream-untrusted", {}, words)


def _row_values(product: Attribution) -> dict[str, str]:
    return {"id": product.id, "matched": product.matched, "certainty": product.certainty, "kind": product.kind}


def _foreign(established: Established, context: Context, words: Mapping[str, str]) -> Iterator[Finding]:
    """What is worth saying of a certificate nobody known signed, and of the data that names its maker."""
    path, facts = established.readable_path, established.facts
    if path is None:
        return
    if facts.foreign and facts.authority is Authority.GOOGLE and lacks_public_marks(path.leaf):
        yield finding("google-marks-missing")
    if context.trust.added_name and (facts.foreign or established.listed is not None):
        yield finding("own-interceptors", {"file": context.trust.added_name}, words)


def _names(
    decision: Decision, established: Established, product: Attribution | None, words: Mapping[str, str]
) -> Iterator[Finding]:
    facts, path = established.facts, established.readable_path
    if decision.verdict is Verdict.WRONG_HOST and facts.name == "other-google":
        yield finding("other-google-name", {"names": words["names"]}, words)
    if product is not None and product.id == NO_SNI and not facts.proven:
        yield finding("no-sni-certificate")
    if path is not None and not facts.proven and path.leaf.self_issued and signed(path.leaf, path.leaf):
        yield finding("self-signed")


def _shared(established: Established, context: Context) -> Iterator[Finding]:
    path = established.readable_path
    if path is None or established.facts.proven:
        return
    key = next((key for key in path.signing_keys if key in context.shared.signing_keys), None)
    if key is not None:
        yield finding("same-issuing-key-many-hosts", {"spki_sha256": key})
    elif not path.signing_keys and issuer_of(path.leaf) in context.shared.issuers:
        yield finding("same-issuer-many-hosts")
    claimed, leaf_key = not established.facts.claims_another, path.leaf.spki_sha256
    if claimed and leaf_key in context.shared.leaf_keys:
        yield finding("same-leaf-key-many-hosts", {"spki_sha256": leaf_key})
    if not claimed and leaf_key in context.shared.diverted:
        yield finding("diverted", {"spki_sha256": leaf_key})
    name = next((context.minted[k] for k in (*path.signing_keys, path.leaf.spki_sha256) if k in context.minted), None)
    if name is not None:
        yield finding("same-key-minted-random-name", {"name": name})


def _stores(seen: Observation, established: Established, context: Context) -> Iterator[Finding]:
    """What the operating system's own store makes of who signed, where the stores were read."""
    path, stores = established.readable_path, context.stores
    if stores is None or path is None:
        return
    if path.foreign and not established.facts.claims_another:  # a wrong name is noticed by everybody
        held = stores.system_holds(path)
        if held is not None:
            code = "trusted-by-os" if held else "not-trusted-by-os"
            authority = signers(path)[-1].title if signers(path) else title_of(path.leaf.issuer)
            yield finding(code, {"authority": authority})
    presented = readable(seen.tls.chain) if seen.tls else ()
    googles = established.facts.signer == "google" and not context.trust.stand_in
    if googles and stores.system_lacks(path, presented):
        yield finding("os-store-outdated", {"anchor": path.certificates[-1].title})


def _certificate(established: Established, context: Context, words: Mapping[str, str]) -> Iterator[Finding]:
    path = established.readable_path
    if path is None:
        return
    leaf = path.leaf
    if leaf.flaw is not None:
        yield finding("malformed-certificate", {"defect": leaf.flaw}, words)
    if not established.facts.proven:
        yield from _unproven_dates(path, context, words)
        if is_portal_key(leaf, context.trust):
            yield finding("captive-portal-key")


def _unproven_dates(path: Path, context: Context, words: Mapping[str, str]) -> Iterator[Finding]:
    now = context.bounds.best
    if path.leaf.not_after < now:
        yield finding("certificate-expired", {"not_after": words["not_after"]}, words)
    if path.leaf.not_before > now + SLACK:  # one minted for this very connection is younger than the run
        yield finding("certificate-not-yet-valid", {"not_before": words["not_before"]}, words)


def _peer(seen: Observation, established: Established, context: Context) -> Iterator[Finding]:
    """Where the connection ended: what of this machine answered, and what the address suggests."""
    peer = peer_of(seen.connections)
    listener = context.listeners.get(peer) if peer else None
    if listener is not None:
        yield finding("local-listener", local_values(listener))
        products = default_at(listener.port, context.trust) if not established.facts.proven else ()
        if products:
            yield finding("local-port-hint", {"port": str(listener.port), "products": " or ".join(products)})
    if established.facts.authority is Authority.GOOGLE:
        hint = whereabouts(seen, context.trust, context.bounds.best)
        if hint is not None:
            yield finding(hint.code, hint.values, {"host": seen.host})
        yield from _reverse_name(seen, context)


def _reverse_name(seen: Observation, context: Context) -> Iterator[Finding]:
    found = context.reverse_names.get(seen.address or "") if seen.route.proxy is None else None
    if found is None:
        return
    values = {"address": found.address, "name": found.name or ""}
    google = found.confirmed and found.name is not None and found.name.lower().rstrip(".").endswith(REVERSE_ZONE)
    yield finding("reverse-name-google" if google else "reverse-name-unconfirmed", values)


def _handshake(seen: Observation, google: bool) -> Iterator[Finding]:
    if seen.tls is None:
        return
    if seen.hellos and seen.tls.chain and seen.tls.hello == "small":  # a legacy one is another finding
        values = {"failed": seen.hellos[0].hello, "outcome": seen.hellos[0].outcome, "worked": seen.tls.hello}
        yield finding("hello-dependent", values)
    if seen.tls.protocol in _OLD_PROTOCOLS:
        yield finding("tls-downgraded", {"protocol": seen.tls.protocol or ""})
    if google and seen.tls.completed and seen.tls.alpn is None:
        yield finding("alpn-dropped")


def _answers(seen: Observation, words: Mapping[str, str]) -> Iterator[Finding]:
    if seen.passed_over:
        passed = ", ".join(f"{each.way} ({REASONS[each.reason]})" for each in seen.passed_over)
        yield finding("proxy-passed-over", {"ways": passed, "taken": seen.route.proxy or "the direct way"})
    if seen.proxy is not None and seen.proxy.distrust:
        yield finding("proxy-not-verified", {"why": seen.proxy.distrust}, words)
    if seen.proxy is not None and seen.failure is not None and seen.failure.reason is Reason.PROXY_AUTH_REQUIRED:
        yield finding("proxy-auth-required", {"schemes": ", ".join(seen.proxy.schemes)}, words)
    elif seen.proxy is not None and seen.proxy.schemes:
        yield finding("proxy-authenticated", {"schemes": ", ".join(seen.proxy.schemes)})
    if seen.http is None:
        return
    if seen.http.status in (401, 403, 407, 451):
        yield finding("http-refused", {"status": str(seen.http.status)})
    target = host_of(seen.http.location)
    if target and target != seen.host:
        yield finding("http-redirected-elsewhere", {"location": target})


def _witnesses(seen: Observation, established: Established, context: Context) -> Iterator[Finding]:
    """Second opinions, where they were asked for."""
    path, facts = established.readable_path, established.facts
    if not context.witness or path is None or seen.tls is None:
        return
    from tlsinspect.evidence.witness import opinions

    found = path.certificates if facts.proven or facts.public else ()
    accepted = bool(found) and facts.dates == "valid" and path.defect is None
    for said in opinions(found, readable(seen.tls.chain), context.bounds.best, accepted, context.trust):
        values = {"witness": said.witness, "answer": said.answer, "reason": said.reason}
        yield finding(f"witness-{said.witness.lower()}", values)


# What an unknown answer is called; everything else is `revocation-unavailable`.
_UNKNOWN = {
    RevocationReason.OFFLINE: "revocation-not-checked",
    RevocationReason.STALE: "revocation-stale",
    RevocationReason.BLOCK_PAGE: "revocation-block-page",
}


def _revocation(established: Established) -> Iterator[Finding]:
    """What is known of the revocation of each certificate below the anchor: one finding a kind of answer."""
    if established.facts.revoked:
        return  # the row of the table says that, and what the others are is in the assessment
    said: dict[str, list[RevocationStatus]] = {}
    for status in established.revocation:
        code = "not-revoked" if status.state is Revocation.GOOD else "revocation-unavailable"
        code = _UNKNOWN.get(status.reason, code) if status.reason and status.state is Revocation.UNKNOWN else code
        said.setdefault(code, []).append(status)
    for code, statuses in said.items():
        certificates = ", ".join(f'"{status.subject}"' for status in statuses)
        reasons = ", ".join(dict.fromkeys(str(status.reason) for status in statuses if status.reason))
        detail = "; ".join(dict.fromkeys(status.sentence for status in statuses if status.sentence))
        yield finding(code, {"certificates": certificates, "reasons": reasons, "detail": detail})


def _transparency(established: Established, words: Mapping[str, str]) -> Iterator[Finding]:
    if not established.facts.proven or established.facts.scts == "unchecked":
        return
    valid = [stamp for stamp in established.timestamps if stamp.result == "valid"]
    unknown = [stamp for stamp in established.timestamps if stamp.result == "unknown-log"]
    if valid:
        operators = ", ".join(sorted({stamp.operator for stamp in valid}))
        yield finding("sct-valid", {"n": str(len(valid)), "operators": operators})
    if unknown:
        yield finding("sct-unknown-log", {"n": str(len(unknown))}, words)
    if not established.timestamps:
        yield finding("sct-absent")


def _run(decision: Decision, established: Established, context: Context, words: Mapping[str, str]) -> Iterator[Finding]:
    facts = established.facts
    if facts.proven and facts.seen:
        yield from clock_findings(context)
    if facts.portal and decision.verdict is not Verdict.CAPTIVE_PORTAL and not facts.proven:
        yield finding("portal-on-network", {}, words)
    if facts.authority is Authority.GOOGLE:
        yield from old_data(context.trust, context.bounds.best)


def skew_findings(context: Context) -> Iterator[Finding]:
    """That the local clock is wrong, where it is proven to be."""
    off = skew(context.bounds)
    if off is not None:
        yield skew_finding(off, sure=context.bounds.sure)


def clock_findings(context: Context) -> Iterator[Finding]:
    """What is proven of the local clock, and which sessions were not believed about it."""
    yield from skew_findings(context)
    for dropped in context.bounds.dropped:
        yield finding("clock-witness-dropped", {"host": dropped.host})


def old_data(trust: Trust, now: datetime) -> Iterator[Finding]:
    """That the trust data was made long ago, where it was."""
    if trust.is_old(now):
        yield finding("trust-data-old", {"data_date": trust.facts.date, "data_age": str(trust.age_days(now))})


def store_problems(stores: Stores) -> Iterator[Finding]:
    """Trust stores that could not be read, or not to their end."""
    for facts in stores.facts():
        if facts.problem:
            values = {"store": facts.title, "place": facts.place, "problem": facts.problem}
            yield finding("store-unreadable", values)
