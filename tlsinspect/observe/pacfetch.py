"""Having a proxy script from a file or a URL: bounded, straight, and from whom its certificate says it is."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urljoin

from tlsinspect.endpoints.target import Target, is_address, read_target
from tlsinspect.errors import UsageError
from tlsinspect.files import read_bytes
from tlsinspect.http1 import BodyReader, Head, NotHttpError, TooLongError, http_request
from tlsinspect.observe.apart import apart
from tlsinspect.observe.connect import DialError, dial, resolve
from tlsinspect.observe.handshake import MAX_BYTES, SMALL, Handshake
from tlsinspect.observe.line import Line, Secure, answer_to, shake
from tlsinspect.observe.pac import MAX_SCRIPT, Script, ScriptError
from tlsinspect.observe.systemtrust import distrusted
from tlsinspect.text import one_line, printable

SECONDS = 5.0  # for a script as a whole, and for all places where WPAD may have one
_MAX_REDIRECTS = 3

T = TypeVar("T")


def load(place: str, origin: str) -> Script:
    """The script in a file or at a URL, ready to be asked. Raises ScriptError."""
    if place.lower().startswith(("http://", "https://")):
        return load_url(place, origin)
    return _ready(_from_file(place), origin)


def load_url(url: str, origin: str) -> Script:
    """The script at an http or https URL. Raises ScriptError."""
    if not url.lower().startswith(("http://", "https://")):
        raise ScriptError("it is neither at http nor at https")
    return _ready(_wait(_in_time(url, SECONDS)), origin)


def discover() -> Script:
    """The script at http://wpad.DOMAIN/wpad.dat for this machine's own domain and those above it, as `wpad_urls` names
    them. DHCP is not asked. Raises UsageError."""
    name = _wait(_own_name())
    tried = []
    for url in wpad_urls(name):
        try:
            source = _wait(_in_time(url, SECONDS / 2))
            return _ready(source, f"WPAD {url}")
        except ScriptError as error:
            tried.append(f"{url}: {error}")
    if not tried:
        raise UsageError(f"--proxy wpad: the name of this machine ({printable(name)}) has no domain to look in")
    raise UsageError(f"--proxy wpad: no usable script by DNS (DHCP is not asked): {'; '.join(tried)}")


async def _own_name() -> str:
    """This may ask a name service."""
    try:
        async with asyncio.timeout(SECONDS):
            return await apart(socket.getfqdn, "own name")
    except TimeoutError:
        return socket.gethostname()


def wpad_urls(name: str) -> Iterator[str]:
    """Where to look, for a machine of this name: in its own domain, and in those above it while they have three labels.

    Above acme.co.uk come domains of strangers, who may have registered wpad.co.uk to be asked. No name says where
    that begins, so of pc.berlin.acme.com's domains acme.com is not asked either: pac:URL names the script there.
    """
    labels = name.rstrip(".").lower().split(".")
    if is_address(name) or any(not label.isascii() for label in labels):
        return
    for start in range(1, 9):
        domain = labels[start:]
        if len(domain) >= (2 if start == 1 else 3):
            yield f"http://wpad.{'.'.join(domain)}/wpad.dat"


def _ready(source: bytes, origin: str) -> Script:
    if len(source) > MAX_SCRIPT:
        raise ScriptError(f"it is larger than {MAX_SCRIPT // 1024 // 1024} MB")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = source.decode("latin-1")
    script = Script(text, origin)
    script.check()
    return script


def _from_file(name: str) -> bytes:
    try:
        return read_bytes(name)
    except UsageError as error:
        raise ScriptError(str(error).removeprefix(f"{name}: ")) from None  # the name is said already, as may be shown


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Do it in a thread with an event loop of its own: whoever calls may be inside another."""
    with ThreadPoolExecutor(1, "proxy script") as pool:
        return pool.submit(asyncio.run, work).result()


async def _in_time(url: str, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await _follow(url)
    except TimeoutError:
        raise ScriptError(f"no answer within {seconds:g} s") from None
    except DialError as error:
        raise ScriptError(f"{error.reason}" + (f" ({error.detail})" if error.detail else "")) from None
    except (EOFError, OSError):
        raise ScriptError("the connection was lost") from None
    except NotHttpError:
        raise ScriptError("what answers is not HTTP") from None
    except TooLongError:
        raise ScriptError(f"it is larger than {MAX_SCRIPT // 1024 // 1024} MB") from None
    except UsageError as error:
        raise ScriptError(one_line(error)) from None


async def _follow(url: str) -> bytes:
    """The script at `url`, or where the same host says it is."""
    target = read_target(url)
    for _ in range(1 + _MAX_REDIRECTS):
        head, body = await _get(target)
        if head.status == 200:
            return body
        onward = head.get("location")
        if head.status not in (301, 302, 303, 307, 308) or not onward:
            raise ScriptError(f"status {head.status}")
        target = _redirected(target, onward)
    raise ScriptError(f"more than {_MAX_REDIRECTS} redirects")


def _redirected(target: Target, location: str) -> Target:
    """Where `target` sends those who ask it. Another host is nobody's choice but its own, and may be an internal one
    that only this machine reaches."""
    try:
        onward = read_target(urljoin(target.url, location))
    except ValueError:  # of urljoin
        raise ScriptError("it redirects to what is no URL") from None
    if onward.host != target.host:
        raise ScriptError(f"it redirects to another host, {onward.host}")
    if target.tls and not onward.tls:
        raise ScriptError("it redirects from https to http")
    return onward


async def _get(target: Target) -> tuple[Head, bytes]:
    with await dial(await resolve(target.host, target.port), []) as sock:
        line = await _secured(Line(sock), target.host) if target.tls else Line(sock)
        default = 443 if target.tls else 80
        fields = "Accept-Encoding: identity"
        request = http_request("GET", target.path, target.host, target.port, fields, default_port=default)
        head, data = await answer_to(request, line)
        if head.status != 200:
            return head, b""
        reader = BodyReader(head, MAX_SCRIPT)
        body = reader.feed(data) if data else b""
        while not (reader.complete or reader.cut_short):
            body += reader.feed(await line.receive())
        if reader.cut_short:
            raise EOFError
        return head, body


async def _secured(line: Line, host: str) -> Line:
    session = Handshake(None if is_address(host) else host, SMALL, max_bytes=MAX_BYTES + 2 * MAX_SCRIPT)
    await shake(line, session)
    if not session.completed:
        raise ScriptError(f"TLS: {session.detail or session.reason}")
    # Whoever writes the script leads everything wherever he likes: no client takes one from a stranger.
    if why_not := await distrusted(session.tls.chain, host):
        raise ScriptError(why_not)
    return Secure(line, session)
