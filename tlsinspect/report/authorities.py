"""The intercepting authorities as a PEM file, for the team that owns the proxy.

What stands around the PEM is in ASCII and holds no run of dashes: every reader of PEM skips it.
"""

import ssl
from collections.abc import Iterator, Sequence

from tlsinspect.model import InterceptingRoot
from tlsinspect.text import printable

_WARNING = """\
# Authorities that sign for intercepted hosts, as tlsinspect found them.
# To be handed to the team that owns the proxy; do not install it because this file exists.
"""


def exportable(roots: Sequence[InterceptingRoot]) -> list[InterceptingRoot]:
    return [root for root in roots if root.authority and root.certificate is not None]


def pem(roots: Sequence[InterceptingRoot]) -> str:
    """The file: of each authority that can be exported who it is, whose it is, and its certificate."""
    return _WARNING + "".join(_one(root) for root in exportable(roots))


def _one(root: InterceptingRoot) -> str:
    said = {
        "subject": root.subject,
        "SHA-256": root.sha256,
        "hosts": ", ".join(root.hosts),
        "product, by its names": root.product or "unknown",
        "seen": "presented by the proxy" if root.presented else "not presented; found in a trust store of this machine",
    }
    comments = "".join(f"# {label}: {_comment(text)}\n" for label, text in said.items())
    return f"\n{comments}{ssl.DER_cert_to_PEM_cert(root.certificate or b'')}"


def _comment(text: str) -> str:
    shown = printable(text, 2000)
    return "".join(c if c.isascii() else f"<U+{ord(c):04X}>" for c in shown).replace("--", "- ")


def missing(roots: Sequence[InterceptingRoot]) -> Iterator[str]:
    """Why there is nothing to export of an authority: a sentence each."""
    for root in roots:
        who = f'"{printable(root.title, 80)}" ({", ".join(root.hosts[:3])}{" …" if len(root.hosts) > 3 else ""})'
        if not root.authority:
            yield f"{who} is a server's certificate that signed itself: there is no authority to export"
        elif root.certificate is None:
            yield (
                f"{who} was not sent along, and no trust store of this machine holds it: "
                "ask the owner of the proxy for its certificate"
            )
