"""The part of a foreign authority's names that says whose it is: a company, a site, an appliance's serial number.

What a product calls itself is nobody's secret, and neither are the words every authority uses.
"""

import re
from collections.abc import Iterable

from tlsinspect.certificate import Certificate, text_of
from tlsinspect.model import Attribution
from tlsinspect.text import printable

LONGEST = 600  # characters of a value in a sentence: as `judge.words` shows it
_COMMON = set(
    re.findall(
        r"\w+",
        "root ca authority certificate certification certificates intermediate issuing subordinate sub tls ssl "
        "inspection proxy inc ltd llc gmbh corp untrusted trusted secure security the of and for http https www com "
        "g1 g2 g3 r1 r2 local localhost default",
    )
)


def private_names(found: Iterable[tuple[Certificate, Attribution | None]]) -> dict[str, str]:
    """Every value that says more than which product it is, in each form it is shown in, and what stands for it."""
    secrets: dict[str, str] = {}
    number = 0
    for certificate, product in found:
        known = _COMMON | set(_words(f"{product.product} {product.vendor}" if product else ""))
        for label, value in (*certificate.subject, *certificate.issuer):
            if label != "C" and value not in secrets and not set(_words(value)) <= known:
                number += 1
                secrets.update(dict.fromkeys(_written(label, value), f"<{label}-{number}>"))
    return secrets


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _written(label: str, value: str) -> tuple[str, ...]:
    """As it stands, as a part of a whole name, and both made harmless."""
    part = text_of(((label, value),)).removeprefix(f"{label}=")
    return value, part, printable(value, LONGEST), printable(part, LONGEST)
