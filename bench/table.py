"""The table: one row a measurement, in Markdown, printed as soon as it is known."""

from dataclasses import dataclass

_WIDTHS = (46, 64, 7, 7, 4)


@dataclass(frozen=True)
class Row:
    """One measurement. `ok` is None where there is no budget and the number is only told."""

    what: str
    measured: str
    ratio: float | None = None
    budget: str = ""
    ok: bool | None = None


def header() -> str:
    return _line("what", "measured", "ratio", "budget", "") + "\n" + _line(*("-" * width for width in _WIDTHS))


def line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} ×"
    return _line(row.what, row.measured, ratio, row.budget, {True: "ok", False: "over", None: ""}[row.ok])


def _line(*cells: str) -> str:
    return "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)) + " |"


def against(what: str, measured: str, ratio: float, limit: float) -> Row:
    """A row whose budget is a ratio."""
    return Row(what, measured, ratio, f"≤ {limit:g} ×", ratio <= limit)
