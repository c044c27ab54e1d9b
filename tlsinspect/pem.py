"""PEM (RFC 7468): what stands between its lines, whatever text stands around them."""

import base64
import re
from collections.abc import Iterator


def bodies(pem: bytes, label: str) -> Iterator[bytes]:
    """The DER of each object with this label in `pem`. Raises ValueError on broken base64."""
    mark = re.escape(label.encode("ascii"))
    # No dash stands inside: a pattern that went on past the next one would take quadratic time on a hostile file.
    for found in re.finditer(rb"-----BEGIN " + mark + rb"-----([^-]+)-----END " + mark + rb"-----", pem):
        yield base64.b64decode(b"".join(found.group(1).split()), validate=True)
