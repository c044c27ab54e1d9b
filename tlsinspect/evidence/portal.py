"""How a captive portal shows itself in what plain HTTP says."""

from urllib.parse import urlsplit

from tlsinspect.http1 import Head, HeadReader, NotHttpError, TooLongError
from tlsinspect.model import Authority, Endpoint, Observation
from tlsinspect.trust import Trust


def plain_http(first_bytes: bytes | None) -> Head | None:
    """The head of what came instead of TLS, where that is an HTTP answer."""
    try:
        # What was cut off is ended here: the status line is what matters.
        return HeadReader().feed((first_bytes or b"") + b"\r\n\r\n")
    except (NotHttpError, TooLongError):
        return None


def portal_in(endpoint: Endpoint, observation: Observation, answer: Head | None, trust: Trust) -> str:
    """How this observation, or `answer` that came instead of TLS, shows a captive portal, or ""."""
    if observation.proxy is not None and observation.proxy.status == 511:
        return "the proxy answers with status 511 (RFC 6585)"
    return portal_sign(endpoint, answer, trust) if answer is not None else ""


def portal_sign(endpoint: Endpoint, head: Head, trust: Trust) -> str:
    """Whether a plain-HTTP answer is a captive portal's: 511 (RFC 6585 §6), or, for a Google host, a redirect away from
    Google. Where other hosts may send their visitors is not known."""
    if head.status == 511:
        return "an answer with status 511 (RFC 6585)"
    target = host_of(head.get("location"))
    google = endpoint.authority is Authority.GOOGLE
    if google and 300 <= head.status < 400 and target and not trust.is_google_name(target):
        return f"a redirect to {target}"
    return ""


def host_of(location: str | None) -> str | None:
    """The host of a URL, where there is one."""
    try:
        return urlsplit(location or "").hostname
    except ValueError:
        return None
