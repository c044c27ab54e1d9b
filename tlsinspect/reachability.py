"""What plain HTTP gave at a port-80 row: is the host there, and is it who it should be?"""

from tlsinspect.evidence.portal import host_of, portal_sign
from tlsinspect.evidence.signedobject import is_signed_object
from tlsinspect.model import REASONS, Endpoint, Fetch, FetchOutcome, Reach, Reachability, Reason
from tlsinspect.observe.plain import MAX_BODY, PlainAnswer
from tlsinspect.trust import Trust


def reachability(endpoint: Endpoint, answer: PlainAnswer, trust: Trust) -> Reachability:
    """What a plain-HTTP answer says of a port-80 row."""
    result, sentence, portal = _reached(endpoint, answer, trust)
    head = answer.head
    return Reachability(
        endpoint=endpoint,
        route=answer.route,
        result=result,
        sentence=sentence,
        portal=portal,
        status=head.status if head else None,
        address=answer.address,
        location=head.get("location") if head else None,
    )


def reached_by(endpoint: Endpoint, fetch: Fetch, *, signed: bool) -> Reachability:
    """The same, of a host from which an object was fetched already; `signed` says whether its signature held."""
    result, sentence = (Reach.SIGNED_OBJECT, _SIGNED) if signed else _BY_OUTCOME.get(fetch.outcome, _NOT_THAT)
    said = f"{sentence}: {fetch.detail}" if fetch.detail and not signed else sentence
    return Reachability(
        endpoint, fetch.route, result, said, status=fetch.status, address=fetch.address, location=fetch.location
    )


def closed_sign(endpoint: Endpoint, answer: PlainAnswer, trust: Trust) -> str:
    """How a captive portal shows itself where status 204 is due, or "" (as Chromium asks: captive_portal_detector.cc).
    A refusal or an error says nothing."""
    head = answer.head
    if head is None:
        return ""
    due = head.status == 204 or len(answer.body) <= 1
    other = f"an answer with status {head.status} where 204 is due" if 200 <= head.status < 300 and not due else ""
    return portal_sign(endpoint, head, trust) or other


_SIGNED = "an object a Google key signed"
_NOT_THAT = (Reach.NOT_PKI, "not the object asked for")
_BY_OUTCOME = {
    FetchOutcome.UNREACHABLE: (Reach.REFUSED, "no connection"),
    FetchOutcome.TIMEOUT: (Reach.TIMEOUT, "no answer in time"),
    FetchOutcome.BLOCK_PAGE: (Reach.NOT_PKI, "a web page came instead"),
    FetchOutcome.PROXY: (Reach.NOT_PKI, "the proxy refused"),
    FetchOutcome.FORBIDDEN_ADDRESS: (Reach.NOT_PKI, "leads to an address that is not out there"),
    FetchOutcome.FORBIDDEN_REDIRECT: (Reach.NOT_PKI, "redirects where nothing of Google's is"),
}


def _reached(endpoint: Endpoint, answer: PlainAnswer, trust: Trust) -> tuple[Reach, str, bool]:
    head = answer.head
    if head is None:
        return _silent(answer.reason or Reason.TIMEOUT)
    portal = portal_sign(endpoint, head, trust)
    if portal:
        return Reach.NOT_PKI, portal, True
    if head.status in (403, 407, 451) or head.get("proxy-authenticate"):
        return Reach.NOT_PKI, f"refused with status {head.status}", False
    if head.status == 200 and is_signed_object(answer.body, trust):
        return Reach.SIGNED_OBJECT, _SIGNED, False
    asked_for_object = endpoint.rows[0].url.endswith((".crl", ".crt", ".der"))
    begins_so = len(answer.body) >= MAX_BODY and answer.body.startswith(b"\x30")  # too long to be read to its end here
    if head.status >= 500 or (asked_for_object and head.status == 200 and not begins_so):
        return Reach.NOT_PKI, f"status {head.status}, not the object asked for", False
    target = host_of(head.get("location"))
    return Reach.ANSWERS, f"status {head.status}" + (f", on to {target}" if target else ""), False


def _silent(reason: Reason) -> tuple[Reach, str, bool]:
    if reason is Reason.PROXY_NOT_HTTP:
        return Reach.NOT_PKI, "what answers is not HTTP", False
    return Reach.TIMEOUT if reason in (Reason.TIMEOUT, Reason.INTERNAL) else Reach.REFUSED, REASONS[reason], False
