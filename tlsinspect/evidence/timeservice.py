"""Google's signed time service: the one two-sided proof of the time that no interception can forge, only block.

The question carries a number used once, and the signature on the answer covers it: an old answer cannot be played
again, so the time in it lies between asking and hearing. That holds over plain HTTP and past any interceptor. The
protocol is Chromium's (CUP-ECDSA, components/client_update_protocol/ecdsa.cc @0e492393). What is signed is ::

    SHA-256(SHA-256(body of the question) || SHA-256(body of the answer) || "<key version>:<nonce>")

and ECDSA hashes it once more. Everything comes in as an argument: no clock, no random numbers, no socket.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tlsinspect.evidence.signature import ECDSA_SHA256, made_by

MAX_BODY = 1024  # as Chromium has it
_EMPTY_BODY = hashlib.sha256(b"").hexdigest()
_PREFIX = b")]}'\n"  # keeps browsers from running the answer as a script
_PROOF = re.compile(r"((?:[0-9a-f]{2}){8,80}):([0-9a-f]{64})")  # signature, DER, and hash of the question's body
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class NotSignedError(ValueError):
    """No time from this answer: what it lacks. It says nothing about the network."""


def query(version: int, nonce: str) -> str:
    """The query string of a question: which key is to sign, and the number used once that the signature must cover."""
    return f"cup2key={version}:{nonce}&cup2hreq={_EMPTY_BODY}"


def signed_time(body: bytes, proof: str | None, version: int, nonce: str, keys: Mapping[int, bytes]) -> datetime:
    """The time in an answer to `query(version, nonce)`; `proof` is its header x-cup-server-proof.

    Raises NotSignedError. Chromium goes on to a new key now and then: an unknown version means an old release, not an
    attack.
    """
    if version not in keys:
        raise NotSignedError(f"this release does not know key {version} of the time service")
    if len(body) > MAX_BODY:
        raise NotSignedError("the answer is too long")
    found = _PROOF.fullmatch(proof or "")
    if found is None:
        raise NotSignedError("the answer is not signed")
    if found[2] != _EMPTY_BODY:
        raise NotSignedError("the answer is to another question")
    asked = f"{version}:{nonce}".encode()
    message = hashlib.sha256(hashlib.sha256(b"").digest() + hashlib.sha256(body).digest() + asked).digest()
    if not made_by(keys[version], bytes.fromhex(found[1]), message, ECDSA_SHA256):
        raise NotSignedError("the signature is not the time service's")
    return _time_in(body)


def _time_in(body: bytes) -> datetime:
    """Google signed it; that does not make it well formed. Raises NotSignedError."""
    try:
        if not body.startswith(_PREFIX):
            raise ValueError("no prefix")
        # Decoded first: given octets, json guesses at UTF-16.
        milliseconds = json.loads(body[len(_PREFIX) :].decode())["current_time_millis"]
        if type(milliseconds) is not int:
            raise ValueError("no number")
        time = _EPOCH + timedelta(milliseconds=milliseconds)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        raise NotSignedError("the answer holds no time") from None
    if not _EARLIEST <= time < _LATEST:
        raise NotSignedError("the time in the answer is not of this century")
    return time
