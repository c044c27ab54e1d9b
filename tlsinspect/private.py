"""What is private by its looks alone: addresses inside networks, and people's e-mail addresses."""

import ipaddress
import re

_V4 = r"\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\w)"  # a port may follow, or the end of a sentence
_V6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:(?:[0-9A-Fa-f.]*[0-9A-Fa-f])?(?![\w:])"
_ADDRESS = re.compile(rf"(?<![\w.:])(?:{_V4}|{_V6})")
# The host may have been replaced already; an ellipsis stands for what was before it.
# Begun at the beginning of a word alone, and never twice: a text without an @ may be long.
_MAIL = re.compile(r"(?<![^\s@<>\"'=,;…])[^\s@<>\"'=,;…]++@(?:<[\w-]+>|[^\s@<>\"',;]+\.\w+)")


def without_addresses(text: str) -> str:
    """`text` without private addresses and e-mail addresses."""
    shown = _ADDRESS.sub(lambda found: "<private-address>" if _is_private(found.group()) else found.group(), text)
    return _MAIL.sub("<e-mail>", shown)


def _is_private(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_global or address.is_loopback or address.is_unspecified)
