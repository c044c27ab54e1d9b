"""What a person sees of certificates: in two seconds by default, everything with `long`.

Each certificate that signed no other in the same source gets a block, and the source a tree: every certificate under
the one that signed it, up to a root we know where there is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tlsinspect.certificate import FIRST_MOMENT, LAST_MOMENT
from tlsinspect.evidence.described import Defect, Details, Edge, Extension, Grade, Judgement, Link, Role
from tlsinspect.evidence.tree import MAX_LINKED
from tlsinspect.model import NOTE, Assessment
from tlsinspect.report.table import verdict_text
from tlsinspect.text import counted, printable

_NAMES = 6  # shown in the short form
_ROOM = 160  # and the characters they may take
_MOST_NAMES = 5000  # in the long form
_NAME = 260  # characters; no DNS name is longer
_SOON = timedelta(days=7)
_HASH = 16  # hexadecimal digits of a fingerprint in the short form
_COLOURS = {Grade.GOOD: "green", Grade.UNUSUAL: "yellow", Grade.WEAK: "red", Grade.BROKEN: "red", Grade.UNKNOWN: "cyan"}
_ROLES = {Role.ROOT: "root CA", Role.INTERMEDIATE: "CA", Role.LEAF: ""}
_ANCHORS = {
    "google": "Google's own root",
    "stand-in": "a stand-in for Google's roots",
    "alternate": "a public root Google names as its own too",
    "historical": "a root Google's certificates once led to",
    "public": "a public root",
    "google-intermediate": "Google's key, known here",
    "historical-intermediate": "a key Google once signed with, known here",
}
# How an edge is shown: sign, sign in ASCII, colour, words.
_EDGES = {
    Edge.SIGNED: ("✔", "+", "green", ""),
    Edge.SELF_SIGNED: ("✔", "+", "green", "signed by it"),
    Edge.NOT_SIGNED: ("✘", "x", "red", "NOT signed by it"),
    Edge.UNCHECKED: ("?", "?", "yellow", "signature not checked"),
    Edge.ISSUER_MISSING: ("?", "?", "yellow", ""),
}
_MEANT_FOR = {"serverAuth": "servers", "clientAuth": "clients", "emailProtection": "mail", "codeSigning": "code"}


@dataclass(frozen=True)
class Source:
    """A file or a host, and what it holds. `assessment` is the verdict on a host."""

    name: str
    details: tuple[Details, ...]
    notes: tuple[str, ...] = ()
    assessment: Assessment | None = None


@dataclass(frozen=True)
class Clock:
    """The time dates are compared with: `local` by this machine or as told, `proven` where a run proved it."""

    local: datetime
    proven: datetime | None = None


def render(sources: Sequence[Source], clock: Clock, console: Console, *, long: bool = False) -> None:
    """Print what the sources hold. The links of each certificate count through all of them, in order."""
    everything = [d for source in sources for d in source.details]
    view = _View(everything, clock, not (console.encoding or "").lower().startswith("utf"), long)
    start = 0
    for number, source in enumerate(sources):
        indices = range(start, start + len(source.details))
        start = indices.stop
        lines = [Text()] if number else []
        console.print(Group(*lines, *view.source(source, indices)), soft_wrap=False)
    if any(source.assessment is not None for source in sources):
        console.print(Text(f"\n{NOTE}", style="dim"))


class _View:
    """All certificates of a run, and how they are to be shown."""

    def __init__(self, everything: Sequence[Details], clock: Clock, ascii_only: bool, long: bool) -> None:
        self.all = everything
        self.clock = clock
        self.ascii_only = ascii_only
        self.long = long

    # -- a source ---------------------------------------------------------------------------------------------------

    def source(self, source: Source, indices: range) -> Iterator[RenderableType]:
        yield _heading(source)
        for note in source.notes:
            yield Text(printable(note, 400), style="yellow")
        if source.assessment is not None:
            yield verdict_text(source.assessment)
            yield Text(printable(source.assessment.explanation, 1000))
        if not self.long and len(indices) > MAX_LINKED:
            yield Text()
            yield self._overview(indices)
            return
        shown = indices if self.long else self._ends(indices)
        for index in shown:
            yield Text()
            yield self._block(self.all[index])
        if any(self.all[i].link for i in indices):
            yield Text()
            yield self._tree(indices)
        if any(self.all[i].link is None for i in indices):
            yield Text(f"Who signed whom is looked at for the first {MAX_LINKED} certificates.", style="dim")
        yield from self._other_defects(indices, shown)

    def _ends(self, indices: range) -> list[int]:
        """The certificates that signed no other of the source; all of them, should they have signed each other."""
        above = {link.index for i in indices if (link := self.all[i].link) and link.index != i}
        return [i for i in indices if i not in above] or list(indices)

    def _overview(self, indices: range) -> Table:
        """One line a certificate, for bundles."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        for _ in range(3):
            table.add_column(no_wrap=True)
        for index in indices:
            one = self.all[index]
            state, colour = self._state(one)
            until = Text(f"{_day(one.not_after)}{' ' + state if colour == 'red' else ''}", style=colour)
            faults = counted(len(one.defects), "defect") if one.defects else ""
            title = Text(printable(one.title, _NAME))
            table.add_row(
                Text(str(one.position), style="dim"), title, until, _judged(one.key.text, None), Text(faults, "yellow")
            )
        return table

    # -- a certificate ----------------------------------------------------------------------------------------------

    def _block(self, one: Details) -> RenderableType:
        rows = list(self._long_rows(one) if self.long else self._short_rows(one))
        width = max(len(label) for label, _ in rows)
        lines = Table.grid(padding=(0, 2, 0, 0))
        lines.add_column(no_wrap=True, width=width, style="dim")
        lines.add_column(ratio=1, overflow="fold")
        for label, value in rows:
            lines.add_row(Text(label, style="dim"), value)
        return Group(_title(one), Padding(lines, (0, 0, 0, 2)))

    def _short_rows(self, one: Details) -> Iterator[tuple[str, RenderableType]]:
        if len(one.subject_parts) > 1 or one.title != dict(one.subject_parts).get("CN"):
            yield "subject", Text(printable(one.subject, 400) or "none", style="" if one.subject else "dim")
        if one.names or not one.is_ca:
            yield "names", _names(one, _first(one.names, _NAMES), ", ")
        yield "issuer", Text(printable(one.issuer, 400) or "none")
        yield "valid", self._validity(one)
        yield "key", _judged(one.key.text, one.key.judgement)
        yield "signature", _judged(one.signature.algorithm, one.signature.judgement)
        if uses := _uses(one):
            yield "use", Text(uses)
        yield "SHA-256", Text(f"{one.sha256[:_HASH]}… · key {one.spki_sha256[:_HASH]}…")
        if one.defects:
            yield "defects", _defects(one.defects)

    def _long_rows(self, one: Details) -> Iterator[tuple[str, RenderableType]]:
        yield "from", Text(f"{printable(one.source, 400)}, certificate {one.position}")
        yield "subject", _parts(one.subject_parts)
        yield "issuer", _parts(one.issuer_parts)
        yield "names", _names(one, one.names[:_MOST_NAMES], "\n")
        yield "not before", Text(_moment(one.not_before))
        yield "not after", Text(_moment(one.not_after))
        yield "valid", self._validity(one)
        yield "serial", Text(one.serial)
        yield "version", Text(str(one.version))
        yield "key", _judged(one.key.text, one.key.judgement)
        yield "signature", _judged(f"{one.signature.algorithm} ({one.signature.oid})", one.signature.judgement)
        yield "SHA-256", Text(one.sha256)
        yield "SHA-1", Text(one.sha1)
        yield "key SHA-256", Text(one.spki_sha256)
        for number, extension in enumerate(one.extensions):
            yield "" if number else "extensions", _extension(extension)
        if one.defects:
            yield "defects", _defects(one.defects)

    def _validity(self, one: Details) -> Text:
        state, colour = self._state(one)
        text = Text(f"{_day(one.not_before)} to {_day(one.not_after)} · ")
        text.append(state, style=colour)
        if self.clock.proven is not None:
            proven, colour = _state_at(one, self.clock.proven)
            if proven != state:
                text.append(" by this machine's clock · ").append(f"{proven} really", style=colour)
        return text

    def _state(self, one: Details) -> tuple[str, str]:
        return _state_at(one, self.clock.local)

    def _other_defects(self, indices: range, shown: Sequence[int]) -> Iterator[RenderableType]:
        """Of the certificates that have no block of their own."""
        for index in indices:
            one = self.all[index]
            if index not in shown and one.defects:
                yield Text()
                yield Group(_title(one), Padding(_defects(one.defects), (0, 0, 0, 2)))

    # -- the tree ---------------------------------------------------------------------------------------------------

    def _tree(self, indices: range) -> RenderableType:
        """The certificates of the source under those that signed them, also where these come from another source."""
        wanted = self._with_issuers(indices)
        drawn: set[int] = set()
        trees: dict[object, Tree] = {}
        # In a ring of cross-signs nobody is at the top: then whoever comes first is.
        for index in [i for i in wanted if self._is_top(i, wanted)] + wanted:
            link = self.all[index].link
            if index in drawn:
                continue
            if link is not None and link.index is None:
                tree = trees.setdefault((link.issuer, link.anchor), Tree(self._absent(link), guide_style="dim"))
                self._grow(tree.add(self._node(index)), index, wanted, drawn)
            else:
                trees[index] = Tree(self._node(index, top=True), guide_style="dim")
                self._grow(trees[index], index, wanted, drawn)
        return Group(*trees.values())

    def _with_issuers(self, indices: range) -> list[int]:
        wanted = [i for i in indices if self.all[i].link]
        for index in wanted:  # grows as it is walked
            link = self.all[index].link
            if link and link.index is not None and link.index not in wanted:
                wanted.append(link.index)
        return wanted

    def _is_top(self, index: int, wanted: Sequence[int]) -> bool:
        link = self.all[index].link
        return link is None or link.index is None or link.index == index or link.index not in wanted

    def _grow(self, tree: Tree, index: int, wanted: Sequence[int], drawn: set[int]) -> None:
        drawn.add(index)
        for child in wanted:
            link = self.all[child].link
            if child not in drawn and link and link.index == index:
                self._grow(tree.add(self._node(child)), child, wanted, drawn)

    def _absent(self, link: Link) -> Text:
        """An issuer that was not given."""
        text = Text(printable(link.issuer, _NAME))
        if link.anchor:
            return text.append(f" · {_ANCHORS[link.anchor]}", style="green").append(self._expiry(link), style="yellow")
        return text.append(" · not at hand, and no root known here", style="yellow")

    def _expiry(self, link: Link) -> str:
        ended = link.not_after is not None and link.not_after < self.clock.local
        return f" · expired {_day(link.not_after)}" if ended and link.not_after else ""

    def _node(self, index: int, *, top: bool = False) -> Text:
        """A certificate in the tree: how it hangs from what is above it, its name, its date, what is known of it."""
        one = self.all[index]
        text = Text()
        if one.link is not None and (not top or one.link.index == index):
            sign, plain, colour, words = _EDGES[one.link.edge]
            words = words.replace("by it", "by itself") if top else words
            text.append(f"{plain if self.ascii_only else sign} ", style=colour)
            text.append(words and f"{words}: ", style=colour)
        text.append(printable(one.title, _NAME))
        if one.anchor:
            text.append(f" · {_ANCHORS[one.anchor]}", style="green")
        if one.false_name:
            text.append(" · the name of a known authority, with a key not known here", style="red")
        state, colour = self._state(one)
        text.append(f" · {state}" if colour == "red" else f" · until {_day(one.not_after)}", style=colour or "dim")
        return text


# -- pieces ---------------------------------------------------------------------------------------------------------


def _heading(source: Source) -> Text:
    count = len(source.details)
    if not count and source.assessment is not None:
        return Text(printable(source.name, 400), style="bold")
    held = "no certificate anybody can read" if not count else counted(count, "certificate")
    return Text.assemble((printable(source.name, 400), "bold"), (f" · {held}", "dim"))


def _title(one: Details) -> Text:
    text = Text(printable(one.title, _NAME), style="bold")
    if one.precertificate:
        text.append(" · precertificate", style="not bold yellow")
    return text.append(f" · {_ROLES[one.role]}", style="not bold dim") if _ROLES[one.role] else text


def _names(one: Details, shown: Sequence[str], separator: str) -> Text:
    text = Text(separator.join(printable(n, _NAME) for n in shown))
    if len(shown) < len(one.names):
        text.append(f" … {len(one.names) - len(shown)} more, {len(one.names)} in all", style="dim")
    for kind, count in one.other_names.items():
        named = counted(count, f"{printable(kind)} name")
        text.append(f"{' · ' if text else ''}{named}", style="dim")
    return text or Text("none", style="dim")


def _first(names: Sequence[str], limit: int) -> Sequence[str]:
    """The first names, fewer where they are long; always one."""
    ends = list(accumulate(len(name) for name in names[:limit]))
    return names[: max(1, sum(end <= _ROOM for end in ends))]


def _parts(name: Sequence[tuple[str, str]]) -> Text:
    """A distinguished name, one attribute a line, in the certificate's order."""
    return Text("\n".join(f"{printable(label)}={printable(value, 4000)}" for label, value in name) or "none")


def _judged(what: str, judgement: Judgement | None) -> Text:
    text = Text(printable(what))
    if judgement is None:
        return text
    text.append(" · ").append(judgement.grade, style=_COLOURS[judgement.grade])
    return text.append(f": {judgement.reason}") if judgement.reason else text


def _uses(one: Details) -> str:
    """What it is for, who was checked, and what stands in it that a client must honour."""
    found = [v.partition(" (")[2].rstrip(")") for v in _values(one, "certificatePolicies") if " (" in v]
    purposes = [_MEANT_FOR.get(p, p) for p in _values(one, "extKeyUsage")]
    uses = [f"for {', '.join(purposes)}"] if purposes else []
    uses += [f for f in found if f != "any policy"]
    if one.is_ca:
        uses += [v for v in _values(one, "basicConstraints") if v != "CA"]
    if one.timestamps is not None:
        uses.append(f"{counted(one.timestamps, 'CT timestamp')}, not verified")
    if one.must_staple:
        uses.append("must-staple")
    if constraints := _values(one, "nameConstraints"):
        uses.append(f"names limited: {', '.join(constraints[:_NAMES])}{' …' if len(constraints) > _NAMES else ''}")
    return printable(" · ".join(uses), 600)


def _values(one: Details, name: str) -> tuple[str, ...]:
    found = one.extension(name)
    return found.values if found else ()


def _defects(defects: Sequence[Defect]) -> Table:
    """One paragraph each: what it is, and who refuses it."""
    lines = Table.grid(padding=(0, 1, 0, 0))
    lines.add_column(no_wrap=True, width=1)
    lines.add_column(overflow="fold")
    for defect in defects:
        who = f"refused by {', '.join(defect.refused_by)}" if defect.refused_by else "against the standards"
        sentence = Text.assemble(printable(defect.sentence, 400), (f" · {who}", "dim"))
        lines.add_row(Text("!", style="yellow"), sentence)
    return lines


def _extension(extension: Extension) -> Text:
    text = Text(printable(extension.name), style="")
    if extension.critical:
        text.append(" critical", style="yellow")
    if not extension.readable:
        return text.append(": not of the form it should have", style="red")
    if extension.name == "subjectAltName":  # its names have a row of their own
        return text.append(f": {counted(len(extension.values), 'name')}")
    joint = "\n  " if len(extension.values) > 1 and extension.name != "keyUsage" else " "
    values = (", " if joint == " " else joint).join(printable(v, 4000) for v in extension.values)
    return text.append(f":{joint}{values}" if values else ": empty")


def _state_at(one: Details, at: datetime) -> tuple[str, str]:
    """Where `at` lies in the validity, and the colour of that."""
    if one.not_before == LAST_MOMENT or one.not_after == FIRST_MOMENT:
        return "dates nobody can read", "red"
    if at < one.not_before:
        return f"not yet valid, begins in {_span(one.not_before - at)}", "red"
    if at > one.not_after:
        return f"expired {_span(at - one.not_after)} ago", "red"
    left = one.not_after - at
    return f"{_span(left)} left", "yellow" if left < _SOON else "" if one.is_ca else "green"


def _span(time: timedelta) -> str:
    """In one unit: years from two on, then days, then hours."""
    if time.days >= 2 * 365:
        return f"{time.days / 365.25:.1f} years"
    count, unit = (time.days, "day") if time.days else (time.seconds // 3600, "hour")
    return counted(count, unit) if count else "less than an hour"


def _day(moment: datetime | None) -> str:
    if moment is None or moment in (FIRST_MOMENT, LAST_MOMENT):
        return "?"
    return moment.date().isoformat()


def _moment(moment: datetime) -> str:
    return "cannot be read" if moment in (FIRST_MOMENT, LAST_MOMENT) else f"{moment.isoformat(' ')[:19]}Z"
