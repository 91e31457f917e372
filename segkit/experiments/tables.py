"""Tables of results: one form for Markdown, one for the report page, and one way to fill them from tidy rows."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]
"""A tidy row: one score of one trial, ``{"variant", "seed", "score", "value"}`` and what else distinguishes rows."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A heading and lines of text.

    Attributes:
        head: Heading of every column.
        rows: Lines, as long as the heading.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """Return the table in Markdown, without a line break at its end.

        Example:
            >>> print(Table(["a", "b"], [["1", "2"]]).to_markdown())
            | a | b |
            |---|---|
            | 1 | 2 |
        """
        lines = [self.head, *self.rows]
        # chr(92) is the backslash, which an expression inside an f-string may not hold before Python 3.12.
        shown = [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |" for line in lines]
        return "\n".join([shown[0], f"|{'---|' * len(self.head)}", *shown[1:]])

    def to_html(self) -> str:
        """Return the table for the report page."""
        # Here, not above: plans and tables in Markdown need no imaging library.
        from segkit.report.page import table

        cells = [[f"<td>{html.escape(text)}</td>" for text in line] for line in self.rows]
        return table(list(self.head), cells, kind="numbers")


def mean_and_deviation(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Return mean and standard deviation (of a sample) of the values that are known; ``None`` for what there is not.

    Example:
        >>> mean_and_deviation([1.0, None]), mean_and_deviation([])
        ((1.0, None), (None, None))
    """
    known = [value for value in values if value is not None]
    if not known:
        return None, None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None


def spread_text(values: Sequence[float | None], form: str = ".4f") -> str:
    """Return mean and standard deviation as text; the mean alone of one value, ``"-"`` of none.

    Example:
        >>> spread_text([0.5, 0.7], ".2f")
        '0.60 ± 0.14'
    """
    mean, deviation = mean_and_deviation(values)
    if mean is None:
        return "-"
    shown = f"{mean:{form}}"
    return shown if deviation is None else f"{shown} \N{PLUS-MINUS SIGN} {deviation:{form}}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A column of scores.

    Attributes:
        head: Its heading.
        score: Name of the score in the rows.
        form: Format of a number.
        missing: Text where no value is known.
        show: Called with the values of all trials in place of ``form``.
    """

    head: str
    score: str
    form: str = ".4f"
    missing: str = "-"
    show: Callable[[Sequence[float]], str] | None = None

    def text(self, values: Sequence[float | None]) -> str:
        """Return the text of the column for the values of some trials."""
        known = [value for value in values if value is not None]
        if not known:
            return self.missing
        return self.show(known) if self.show else spread_text(known, self.form)


def summary_table(
    rows: Sequence[Row],
    index: Mapping[str, str],
    columns: Sequence[Column],
    *,
    titles: Mapping[Any, str] | None = None,
    count: str | None = "seeds",
) -> Table:
    """Return a line for every group of rows that agree in some entries, with mean and deviation of their scores.

    Args:
        rows: Tidy rows.
        index: Entries that make a group, with the headings of their columns; groups are in the order of their first
            rows.
        columns: The scores that are shown.
        titles: Names for readers in place of entries.
        count: Heading of the number of seeds of a group; ``None`` for no such column.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in index), []).append(row)
    lines = []
    for key, found in groups.items():
        line = [(titles or {}).get(entry, str(entry)) for entry in key]
        if count is not None:
            line.append(str(len({row["seed"] for row in found})))
        for column in columns:
            line.append(column.text([row["value"] for row in found if row["score"] == column.score]))
        lines.append(line)
    head = [*index.values(), *([count] if count is not None else []), *(column.head for column in columns)]
    return Table(head, lines)
