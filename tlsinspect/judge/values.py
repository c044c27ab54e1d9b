"""The values that fill the sentences of `wording.toml`, as text."""

from tlsinspect.certificate import Certificate, title_of
from tlsinspect.endpoints.target import bracketed, is_address
from tlsinspect.evidence.catalogue import Listed
from tlsinspect.evidence.clock import skew
from tlsinspect.evidence.path import Path
from tlsinspect.http1 import Head
from tlsinspect.judge.establish import Context, Established
from tlsinspect.judge.rules import Facts
from tlsinspect.judge.words import day, skew_sentence, span
from tlsinspect.model import REASONS, Attribution, Authority, Basis, Endpoint, Listener, Observation, Reason, Revocation

_SIGNERS = {
    "google": "signed by Google's authority, which serves other customers too",
    "google-intermediate": "signed by Google's authority, which serves other customers too",
    "google-alternate": "a public authority",
    "google-historical": "signed by an authority Google used in years past",
    "file": "the authority you named",
    "public": "a public authority",
    "private": "nobody public",
    "impersonated": "nobody public, under a false name",
    "unknown-signature": "signed in a way not known here",
    "unknown-intermediate": "an authority not known here",
}


def values(
    endpoint: Endpoint, seen: Observation, established: Established, product: Attribution | None, context: Context
) -> dict[str, str]:
    """Everything the wording may ask for about one observation."""
    return {
        "host": endpoint.host,
        "port": str(endpoint.port),
        "place": f"{bracketed(endpoint.host)}:{endpoint.port}",
        "proxy": seen.route.proxy or "script",  # without a proxy only a script that names none is spoken of
        "check_proxy": _check_proxy(endpoint, seen),
        "resolves": _resolves(endpoint, seen, context),
        "reached": "is reached untouched" if context.basis is Basis.LIVE else "is what it says",
        "by_name": "" if is_address(endpoint.host) else ", by server name (SNI) and not by certificate name or address",
        "address": seen.address or ", ".join(seen.addresses) or "unknown",
        "portal": established.portal,
        "expected": expected(endpoint, context),
        "no_authenticated_proxy": _no_authenticated_proxy(endpoint),
        "trust_name": context.trust.facts.name,
        "data_date": context.trust.facts.date,
        "data_age": str(context.trust.age_days(context.bounds.best)),
        "skew": skew_sentence(skew(context.bounds)),
        **_clock_values(context.bounds.sure),
        **_failure_values(seen, established.answer),
        **_product_values(product),
        **_certificate_values(seen, established, context),
    }


def _clock_values(sure: bool) -> dict[str, str]:
    """Whoever stole an expired key would have a victim set his clock back: by one host's word nobody should."""
    if sure:
        words = "the clock of this machine is wrong", "Set this machine's date and time"
    else:
        words = (
            "by the clock of this host alone that of this machine is wrong",
            "Compare this machine's date and time with another clock before you change it",
        )
    return dict(zip(("clock_words", "clock_remedy"), words, strict=True))


def expected(endpoint: Endpoint, context: Context) -> str:
    if endpoint.authority is Authority.GOOGLE:
        return "the stand-in for Google's root" if context.trust.stand_in else "a Google root"
    return "the authority you named" if endpoint.authority is Authority.FILE else "a public authority"


def _resolves(endpoint: Endpoint, seen: Observation, context: Context) -> str:
    """Where to look for a wrong server, as far as this observation can say."""
    if seen.route.proxy is not None:
        return f"Check where the proxy takes connections to {endpoint.host}"
    if context.basis is not Basis.LIVE or is_address(endpoint.host):
        return "Check who answers there"
    return f"Check where {endpoint.host} resolves to ({seen.address or 'unknown'}), hosts file included"


def _check_proxy(endpoint: Endpoint, seen: Observation) -> str:
    reason = seen.failure.reason if seen.failure else None
    if reason is Reason.PROXY_SCRIPT:
        return "Have the script corrected by whoever keeps it"
    if reason is Reason.PROXY_UNSUPPORTED:
        return f"Name a proxy that speaks HTTP or SOCKS5 with --proxy to see what becomes of {endpoint.host}"
    return f"Check the proxy's address, and whether it reaches {endpoint.host} itself"


def _no_authenticated_proxy(endpoint: Endpoint) -> str:
    google = endpoint.authority is Authority.GOOGLE
    return ": Google's sync client supports no authenticated proxy" if google else ""


def _failure_values(seen: Observation, answer: Head | None) -> dict[str, str]:
    failure, proxy = seen.failure, seen.proxy
    status = str(proxy.status) if proxy else ""
    words = REASONS[failure.reason] if failure else ""
    detail = f"{words} ({failure.detail})" if failure and failure.detail else words
    return {
        "reason": words,
        "detail": ", ".join(filter(None, (detail, seen.slice))),
        "what_came": f"an HTTP answer with status {answer.status} came" if answer else "something else came",
        "status": str(answer.status) if answer else status,
        "refused": "; it did not accept those it got" if proxy and proxy.refused else "",
        "schemes": ", ".join(proxy.schemes) if proxy and proxy.schemes else "of a kind it does not name",
    }


def _product_values(product: Attribution | None) -> dict[str, str]:
    if product is None:
        return {"by": "", "in_product": ""}
    return {
        "by": f" by {product.name} ({product.confidence})",
        "in_product": f" in {product.name}",
        "product": product.name,
        "confidence": product.confidence,
        "matched": product.matched,
    }


def local_values(listener: Listener) -> dict[str, str]:
    """A program of this machine, and where it answers."""
    peer = f"{bracketed(listener.address)}:{listener.port}"
    if listener.program is None:
        return {"peer": peer, "program": "a program that the system does not name"}
    return {"peer": peer, "program": listener.program, "pid": str(listener.pid)}


def _certificate_values(seen: Observation, established: Established, context: Context) -> dict[str, str]:
    path = established.readable_path
    if path is None:
        detail = seen.failure.detail if seen.failure else ""
        return {"defect_clause": f" ({detail})" if detail else ""}
    return {
        **_leaf_values(path.leaf),
        **_path_values(path, proven=established.facts.proven),
        **_listed(established.listed),
        "likelier_words": _likelier(established),
        "proof": _proof(path, established.facts, context),
        "false_log": next((t.log for t in established.timestamps if t.result == "invalid"), "unknown"),
        **_revoked(established),
    }


def _leaf_values(leaf: Certificate) -> dict[str, str]:
    names = [*leaf.dns_names, *leaf.ip_addresses] or [v for label, v in leaf.subject if label == "CN"]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return {
        "issuer": title_of(leaf.issuer),
        "names": ", ".join(names[:3]) + more or "no host at all",
        "weak_key": leaf.weak_key or "",
    }


def _path_values(path: Path, *, proven: bool) -> dict[str, str]:
    """Who signed, and for when: where nothing is proven the leaf speaks for itself alone."""
    dated = path if proven else path.leaf
    return {
        "signer_words": _SIGNERS.get(path.signer, ""),
        "claimed_authority": path.claimed_authority or "",
        "anchor": path.certificates[-1].title,
        "not_before": day(dated.not_before),
        "not_after": day(dated.not_after),
        "defect": path.defect or path.leaf.flaw or "the name stands in the common name alone",
        "had_from": "; it was had from elsewhere" if path.completed else "",
    }


def _listed(found: Listed | None) -> dict[str, str]:
    """Of a certificate or key that decides by itself."""
    return {"listed": found.name, "incident": found.incident} if found else {"listed": "", "incident": ""}


def _revoked(established: Established) -> dict[str, str]:
    """Which certificate of the path is revoked, and by whose word."""
    found = next(((i, s) for i, s in enumerate(established.revocation) if s.state is Revocation.REVOKED), None)
    if found is None:
        return {}
    place, status = found
    what = "The certificate" if place == 0 else "The authority"
    return {"revoked_what": f'{what} "{status.subject}"', "revoked_words": status.sentence}


def _likelier(established: Established) -> str:
    clock = established.dates.likelier == "clock"
    return "a wrong clock is the likelier cause" if clock else "a certificate not renewed is the likelier cause"


def _proof(path: Path, facts: Facts, context: Context) -> str:
    trail = " › ".join(c.title for c in path.certificates[1:])
    left = span(path.not_after - context.bounds.best)
    held = {"proven": "the server holds its key", "unproven": "recorded, so possession of its key is not shown"}
    return f"signed by {trail}, {held.get(facts.possession, '')}, good for {left} more"
