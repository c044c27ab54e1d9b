"""One failure while it is being told: what was said of it until now, and whether a message is of it or of another."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from tlsinspect.logs.codes import Means, api, error, flag_values, flags
from tlsinspect.logs.echoes import apart, name_of
from tlsinspect.logs.grammar import (
    SECURE_FAILURE,
    CallFailed,
    Line,
    Mentioned,
    NotSecure,
    Printing,
    Raised,
    Said,
    WentTo,
)
from tlsinspect.logs.printed import Printed
from tlsinspect.model import Logged

AT_ONCE = timedelta(seconds=1)  # within which messages are of the same failure, or threads write between each other
NEAR = 40  # lines, where times of two clocks cannot be compared
LONGEST_MESSAGE = 300
# What a code says in the place of flags that are not printed. That somebody revoked it is too grave to be taken so.
UNFLAGGED = {Means.UNTRUSTED, Means.NAME_MISMATCH, Means.EXPIRED_OR_CLOCK, Means.REVOCATION_UNAVAILABLE}


@dataclass(slots=True)
class Telling:
    """What was said of it."""

    logged: Logged
    told: int  # the number of the last line that told something
    line: Line  # the last message that did
    going_on: bool = False  # whether lines without a time belong to it
    printed: Printed = field(default_factory=Printed)

    @property
    def waits(self) -> bool:
        """Whether its certificate may be still to come, or to come to its end."""
        return self.going_on and not self.printed.ended

    @property
    def of_tls(self) -> bool:
        """Whether it is known to be a failure of TLS."""
        return self.logged.status is not None or bool(self.printed.parts)

    @property
    def may_go_on(self) -> bool:
        """Whether its call, or where it went, is still to come. What is to be tried again waits for that instead."""
        untold = not self.failed or (not self.logged.retry and not self.logged.address)
        return self.of_tls and untold

    @property
    def failed(self) -> bool:
        """Whether it was said how."""
        return self.logged.code is not None or self.logged.http_status is not None

    @property
    def name(self) -> str | None:
        """Of what failed, by its number."""
        logged = self.logged
        return name_of(Mentioned(logged.code, logged.http_status, logged.host, proxy=True))

    def is_near(self, number: int, line: Line) -> bool:
        """Whether it was told of just before."""
        return near(self.told, self.line, number, line)

    # -- what is said of it -------------------------------------------------------------------------------------------

    def add(self, number: int, line: Line, told: Said) -> None:
        self.told, self.line = number, line
        logged = self.logged
        match told:
            case NotSecure(flags=raised):
                # Those that were named before it go with it.
                self.logged = replace(logged, status=SECURE_FAILURE, flags=(logged.flags or 0) | raised)
            case Raised():
                self.complain(told)
            case Printing(certificate=certificate):
                self.going_on = True
                self.printed.expected |= certificate
            case WentTo(address, port, name):
                self.logged = replace(logged, address=address, port=port, name=name)
            case CallFailed(api=called, code=code, via=via, retry=retry):
                name = api(int(called)) if called.isdecimal() else called
                self.logged = replace(logged, code=code, api=name, via=via, retry=retry)
            case Mentioned(code=code, http_status=http_status, host=host):
                code = logged.code if code is None else code
                message = line.message[:LONGEST_MESSAGE]
                self.logged = replace(logged, code=code, http_status=http_status, host=host, message=message)

    def complain(self, names: Raised) -> None:
        """Windows raises these flags. Where it printed them as a number, all of them were in it."""
        if self.logged.status is None:
            self.logged = replace(self.logged, flags=(self.logged.flags or 0) | flag_values(names.names))

    def repeated(self, told: Mentioned) -> None:
        """Whoever made the call repeats its code, and may say for which host."""
        if told.host and not self.logged.host and self.name is not None and self.name == name_of(told):
            self.logged = replace(self.logged, host=told.host)

    def finished(self) -> Logged:
        printed = self.printed
        return replace(
            self.logged,
            subject=printed.subject,
            issuer=printed.issuer,
            not_before=printed.edges.get("from"),
            not_after=printed.edges.get("until"),
            whole=printed.whole,
            mixed=printed.mixed,
        )

    # -- whose a message is -------------------------------------------------------------------------------------------

    def begins_another(self, told: Said, line: Line) -> bool:
        """Whether this begins another failure: what it says was said already."""
        logged, at_once = self.logged, apart(self.line.time, line.time) <= AT_ONCE
        match told:
            case NotSecure():
                # Windows may call back twice. Threads without names may have failed alike.
                repeated = bool(line.thread) and not self.printed.parts and logged.flags == told.flags and at_once
                return self.failed or (self.of_tls and not repeated)
            case Printing():
                return bool(self.printed.parts) or (self.failed and not line.thread)
            case CallFailed():
                # A caller may have said it before the call's own line is written.
                same = self.of_tls or (at_once and self.name == name_of(told))
                return self.failed and (logged.api != "" or not same)
            case Mentioned():
                return self.failed
            case Raised() | WentTo():
                return False

    def excludes(self, told: Said, line: Line) -> bool:
        """Whether a code is of something else than this TLS failure, of whose complaints it is none: what a thread says
        meanwhile may be of a mail's signature. Where threads have no names a call may be another's too."""
        if not self.of_tls or not (isinstance(told, Mentioned) or (isinstance(told, CallFailed) and not line.thread)):
            return False
        return not self._fits(told, line)

    def lacks(self, told: Said, line: Line) -> bool:
        """Whether it waits for this, which another thread tells: Windows may call back on any of them, and of threads
        without names nobody knows which it is."""
        if self.failed:
            return isinstance(told, WentTo) and not line.thread and bool(self.logged.api) and not self.logged.address
        if not self.of_tls or self.waits:
            return False
        match told:
            case CallFailed():
                return self._fits(told, line)
            case Raised():
                return not line.thread
            case Printing():
                return not line.thread and not self.printed.expected and not self.printed.parts
            case _:
                return False

    def _fits(self, told: CallFailed | Mentioned, line: Line) -> bool:
        """Whether a code may be that of this TLS failure."""
        known = error(told.code) if told.code is not None else None
        if known is None or (isinstance(told, Mentioned) and told.http_status is not None):
            return False
        fits = {Means.SEE_FLAGS, Means.TLS, *(each.means for each in flags(self.logged.flags or 0))}
        if line.thread and not self.logged.flags and apart(self.line.time, line.time) <= AT_ONCE:
            fits |= UNFLAGGED
        return known.means in fits


def near(since: int, before: Line, number: int, line: Line) -> bool:
    """Whether a line stands just after another. Times of two clocks cannot be compared."""
    if before.clock == line.clock:
        return apart(before.time, line.time) <= AT_ONCE
    return number - since <= NEAR


def says_nothing(logged: Logged) -> bool:
    """A call that did not fail by the network: cancelled, to be sent again, handled wrongly."""
    if logged.status is not None or logged.flags or logged.subject or logged.issuer or logged.http_status is not None:
        return False
    known = error(logged.code) if logged.code is not None else None
    return known is not None and known.means is Means.NONE
