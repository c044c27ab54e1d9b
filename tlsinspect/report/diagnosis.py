"""What `tlsinspect doctor` shows: the machine, its stores, what was found. Plain enough to be pasted."""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tlsinspect.judge.installed import ACTED_ON
from tlsinspect.model import Diagnosis, InstalledAuthority, TriedRoute, TrustStore
from tlsinspect.report.table import finding_line, labelled
from tlsinspect.text import counted, printable

MOST_AUTHORITIES = 40  # lines; the JSON holds them all


def render(found: Diagnosis, console: Console) -> None:
    parts: list[RenderableType] = [_headline(found), Text(), *_facts(found), Text(), _stores(found.stores)]
    if found.unread:
        others = "; ".join(f"{client}: {what or 'nothing that is there'}" for client, what in found.unread.items())
        parts.append(Text(f"not read: {others}", style="dim"))
    if found.authorities:
        parts += [Text(), *_authorities(found.authorities)]
    parts += [Text(), *_ending(found)]
    console.print(Group(*parts), soft_wrap=False)


def _headline(found: Diagnosis) -> Text:
    who = f"user {found.user or 'unknown'} on {found.machine or 'this machine'}"
    hidden = " · private names are replaced" if found.redacted else ""
    return Text(printable(f"{found.tool} · {who} · {found.platform}{hidden}", 500), style="bold")


def _facts(found: Diagnosis) -> Iterator[RenderableType]:
    said = {True: "which the system holds for synchronised", False: "which the system says is not synchronised"}
    clock = f"{found.made:%Y-%m-%d %H:%M:%S}Z here" + (
        f", {said[found.synchronised]}" if found.synchronised is not None else ""
    )
    yield labelled("clock", clock)
    trust = found.trust
    yield labelled(
        "trust",
        f"{printable(trust.name)} of {trust.date}, {found.trust_days} days old, {trust.anchors} anchors; "
        "every file is what its manifest says",
    )
    for number, tried in enumerate(found.routes):
        yield labelled("" if number else "routes", f"{tried.url} {_way(tried)}")
    for number, (name, value) in enumerate(found.environment.items()):
        yield labelled("" if number else "set", f"{name}={printable(value)}")
    yield labelled("with", " · ".join(f"{name} {printable(number)}" for name, number in found.versions.items()))


def _way(tried: TriedRoute) -> str:
    if tried.route is None:
        return f"cannot be told: {printable(tried.problem)}"
    if tried.route.proxy is None:
        return printable(tried.route.origin)
    return f"through {printable(tried.route.proxy)} ({printable(tried.route.origin)})"


def _stores(stores: Sequence[TrustStore]) -> Table:
    table = _grid("trust store", "holds", "used by", "where")
    for store in stores:
        where = printable(store.place) + (f": {printable(store.problem)}" if store.problem else "")
        style = "yellow" if store.problem else ""
        cells = (store.title, str(store.certificates), ", ".join(store.clients) or "-", where)
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def _authorities(found: Sequence[InstalledAuthority]) -> Iterator[RenderableType]:
    table = _grid("neither public nor shipped", "until", "in", "product")
    for authority in found[:MOST_AUTHORITIES]:
        product = authority.listed or (authority.product.product if authority.product else "")
        until = f"{authority.not_after:%Y-%m-%d}"
        table.add_row(*map(Text, (printable(authority.title), until, ", ".join(authority.stores), printable(product))))
    yield table
    if len(found) > MOST_AUTHORITIES:
        yield Text(f"and {len(found) - MOST_AUTHORITIES} more")


def _grid(*headings: str) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    table.add_row(*(Text(heading, style="dim") for heading in headings))
    return table


def _ending(found: Diagnosis) -> Iterator[RenderableType]:
    for each in found.findings:
        yield finding_line(each)
    acted_on = sum(each.severity in ACTED_ON for each in found.findings)
    if acted_on:
        yield Text(f"{counted(acted_on, 'finding')} somebody should act on.", style="bold")
    else:
        yield Text("Nothing here that somebody has to act on.", style="bold")
    yield Text(found.note, style="dim")
