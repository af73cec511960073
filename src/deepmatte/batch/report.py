"""A page about a batch: what failed and why, then the mattes, the most doubtful first."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable, Sequence
from importlib import resources
from string import Template

from deepmatte.batch.jobs import Pairing
from deepmatte.batch.ledger import Finding, Ledger, key
from deepmatte.images.files import write_files

MATTES_LIMIT = 500
"""Mattes on a page; it still opens at once."""

_ORDER = (
    "A matte is doubtful if much of its trimap was unknown and much of that stayed half"
    " transparent, or if there is a note about it."
)


def write_report(path: str, ledger: Ledger, pairing: Pairing) -> None:
    """Write one page, which needs no other file, about all pictures of a batch.

    Raises:
        ImageError: it cannot be written.
        DataError: the ledger cannot be read.
    """
    ended: list[tuple[str, Finding]] = []
    for job in pairing.jobs:
        finding = ledger.find(key(job.name))
        if finding is not None:
            ended.append((key(job.name), finding))
    failures = [(name, finding.error) for name, finding in ended if finding.error is not None]
    failures += [(key(name), why) for name, why in pairing.unpaired.items()]
    done = sorted(((name, finding) for name, finding in ended if finding.error is None), key=_doubt)
    shown = done[:MATTES_LIMIT]
    left = len(pairing.jobs) - len(ended)
    counts = f"{len(done)} mattes, {len(failures)} failed or skipped" + (
        f", {left} left." if left else "."
    )
    if len(shown) < len(done):
        counts += f" The {len(shown)} most doubtful mattes are shown."
    page = Template(resources.files(__package__).joinpath("report.html").read_text("utf-8"))
    title = f"Batch to {os.path.basename(os.path.dirname(os.path.abspath(ledger.path)))}"
    text = page.substitute(
        title=html.escape(key(title)),
        counts=counts,
        failures=_failures(failures),
        order=_ORDER,
        mattes="\n".join(_figures(shown)),
    )
    write_files([(path, text.encode(errors="replace"))])


def _doubt(matte: tuple[str, Finding]) -> tuple[int, float, str]:
    name, finding = matte
    return -len(finding.notes), -finding.haze, name


def _failures(failures: Sequence[tuple[str, str]]) -> str:
    if not failures:
        return ""
    lines = (
        f"<li><b>{html.escape(name)}</b>: {html.escape(sentence)}</li>"
        for name, sentence in failures
    )
    return '<h2>Failed</h2>\n<ul class="failures">\n' + "\n".join(lines) + "\n</ul>"


def _figures(mattes: Iterable[tuple[str, Finding]]) -> Iterable[str]:
    for name, finding in mattes:
        data = base64.b64encode(finding.thumbnail).decode("ascii")
        notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in finding.notes)
        yield (
            f'<figure><img loading="lazy" alt="{html.escape(name)}: picture and cut-out"'
            f' src="data:image/jpeg;base64,{data}">'
            f"<figcaption><b>{html.escape(name)}</b>"
            f"<p>{finding.width} x {finding.height} pixels, {finding.seconds:.1f} s;"
            f" unknown {finding.unknown:.1%}, haze {finding.haze:.2%}</p>{notes}"
            "</figcaption></figure>"
        )
