"""Who is really on the other end of TLS: Google, or somebody in between?

    >>> import tlsinspect
    >>> report = tlsinspect.scan()                              # the hosts of Google's Outlook sync client
    >>> [(a.endpoint.host, a.verdict) for a in report.assessments]

`scan` and `scan_async` look at live hosts, `classify` at a chain you have, `check_revocation` at one certificate of it,
`read_log` at the log of a sync tool; `Trust` is the data all judge by. What they return is in `tlsinspect.model`.
Importing this costs next to nothing: each name loads what it needs on first use.
"""

from tlsinspect.version import __version__

TYPE_CHECKING = False  # as type checkers know it; importing typing for it would double the cost of this import
if TYPE_CHECKING:
    from typing import Any

    from tlsinspect.conductor import scan, scan_async
    from tlsinspect.errors import ProfileError, TlsinspectError, TrustDataError, UsageError
    from tlsinspect.evidence.revocation import check_revocation
    from tlsinspect.logged import read_log
    from tlsinspect.model import (
        Assessment,
        Confidence,
        Finding,
        Observation,
        Report,
        Revocation,
        RevocationReason,
        RevocationStatus,
        Verdict,
    )
    from tlsinspect.recorded import classify
    from tlsinspect.trust import Trust

_HOMES = {
    "scan": "conductor",
    "scan_async": "conductor",
    "classify": "recorded",
    "check_revocation": "evidence.revocation",
    "read_log": "logged",
    "Trust": "trust",
    **dict.fromkeys(("Assessment", "Confidence", "Finding", "Observation", "Report", "Verdict"), "model"),
    **dict.fromkeys(("Revocation", "RevocationReason", "RevocationStatus"), "model"),
    **dict.fromkeys(("ProfileError", "TlsinspectError", "TrustDataError", "UsageError"), "errors"),
}

__all__ = [
    "Assessment",
    "Confidence",
    "Finding",
    "Observation",
    "ProfileError",
    "Report",
    "Revocation",
    "RevocationReason",
    "RevocationStatus",
    "TlsinspectError",
    "Trust",
    "TrustDataError",
    "UsageError",
    "Verdict",
    "__version__",
    "check_revocation",
    "classify",
    "read_log",
    "scan",
    "scan_async",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> "Any":
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tlsinspect' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"tlsinspect.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
