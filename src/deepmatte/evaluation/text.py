"""Tables as text, for the terminal and Markdown, and notes on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deepmatte.evaluation.results import Evaluation
from deepmatte.evaluation.tables import Cell, Table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_ERRORS_NOTE = (
    "Errors count the trimap's unknown pixels only; lower is better. SAD, Grad and Conn are in"
    " thousands; the median beside a mean is of the same errors. Seconds are per picture."
)
_FAILED_NOTE = (
    "In parentheses: the mean over the pictures on which the method did not fail. No table marks as"
    " its best a method that failed on one of its pictures."
)
_STAR_NOTE = "A star marks the best."


def print_tables(shown: Sequence[Table], notes: Sequence[str], console: Console) -> None:
    """Print tables, and notes below them.

    The best is bold; a star marks it if the console has no styles, as in a pipe.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    styled = console.color_system is not None
    for table in shown:
        printed = RichTable(
            title=Text(table.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD
        )
        for index, column in enumerate(table.columns):
            name = index < table.names
            printed.add_column(
                column, justify="left" if name else "right", no_wrap=not name, overflow="fold"
            )
        for row in table.rows:
            printed.add_row(*(_text(cell, styled) for cell in row))
        console.print(printed)
    for note in (*([] if styled else [_STAR_NOTE]), *notes):
        console.print(Text(note))


def _text(cell: Cell, styled: bool) -> Text:
    from rich.text import Text

    if not cell.best:
        return Text(cell.text)
    return Text(cell.text, style="bold") if styled else Text(f"*{cell.text}")


def notes(evaluations: Sequence[Evaluation], ranks: str) -> list[str]:
    """Notes on the tables; `ranks` is the note for tables of ranks."""
    failed = any(row.failure is not None for each in evaluations for row in each.rows)
    several = len(evaluations[0].methods) > 1
    return [_ERRORS_NOTE, *([_FAILED_NOTE] if failed else []), *([ranks] if several else [])]


def run_facts(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    """Where and when an evaluation was made, as pairs of a name and a value."""
    return (
        ("machine", evaluation.machine),
        ("date", evaluation.date),
        ("deepmatte", evaluation.version),
    )


def markdown_command(evaluation: Evaluation) -> Iterator[str]:
    """The lines that say how to repeat an evaluation."""
    yield from ("", "```sh", " ".join(evaluation.command.split()), "```")


def markdown_tables(shown: Sequence[Table]) -> Iterator[str]:
    """The lines of tables, each below its title."""
    for table in shown:
        yield from ("", f"## {escape(table.title)}", "", *_markdown_table(table))


def _markdown_table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.columns)} |"
    yield "|---" * table.names + "|---:" * (len(table.columns) - table.names) + "|"
    for row in table.rows:
        texts = [escape(cell.text) for cell in row]
        marked = [f"**{t}**" if cell.best else t for t, cell in zip(texts, row, strict=True)]
        yield f"| {' | '.join(marked)} |"


def escape(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|~#&$])", r"\\\1", " ".join(text.split()))
