"""Errors against the trimap's dilation, as a line plot in SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from deepmatte.datasets.trimaps import dilation_of
from deepmatte.evaluation.results import Evaluation
from deepmatte.evaluation.summary import means
from deepmatte.evaluation.tables import LABELS

# Okabe and Ito's idea in tones that stand out from white and from black: most colour-blind people
# tell them apart, and the key names the lines in the order in which they end.
_COLOURS = ("#2f7fd1", "#d9822b", "#1f9e77", "#c8488f", "#8a6fd1", "#a08a00", "#d1493f", "#6b7b8c")
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _LINE = 760, 60, 540, 40, 50, 22
_LONGEST_NAME = 24
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #33383e; }
.title { font-weight: 600; }
.grid { stroke: #dfe2e6; }
@media (prefers-color-scheme: dark) { text { fill: #dde1e6; } .grid { stroke: #3a4048; } }
"""


@dataclass(frozen=True)
class _Line:
    """One method: points of (dilation, error, whether it is a mean over all pictures)."""

    method: str
    colour: str
    points: tuple[tuple[int, float, bool], ...]


@dataclass(frozen=True)
class _Scale:
    """Where numbers lie in the drawing."""

    first: int
    last: int
    top: float
    height: int

    def x(self, dilation: float) -> float:
        return _LEFT + (dilation - self.first) / (self.last - self.first) * (_RIGHT - _LEFT)

    def y(self, error: float) -> float:
        return self.height - _BOTTOM - error / self.top * (self.height - _BOTTOM - _TOP)


def dilations(evaluation: Evaluation) -> dict[int, str]:
    """The kinds of trimap that are dilations, by their pixels, smallest first."""
    numbers = {dilation_of(trimap): trimap for trimap in evaluation.trimaps}
    return {number: numbers[number] for number in sorted(n for n in numbers if n is not None)}


def dilation_plot(evaluation: Evaluation, metric: str) -> str:
    """Draw each method's mean error against the trimap's dilation.

    Hollow points are means over fewer pictures, because the method failed on some; where it failed
    on all of them there is no point.

    Args:
        evaluation: with at least two `dilations`.
        metric: one of `METRICS`.

    Returns:
        An SVG document that follows the reader's light or dark scheme.

    Source: Xu et al. 2017, who compare methods by SAD over dilations from 1 to 19.
    """
    numbers = dilations(evaluation)
    lines = _lines(evaluation, metric, numbers)
    highest = max((error for line in lines for _, error, _ in line.points), default=0.0)
    step = _tidy(highest / 4)
    top = step * max(1, math.ceil(highest / step))
    height = max(340, _TOP + _BOTTOM + _LINE * len(lines))
    scale = _Scale(min(numbers), max(numbers), top, height)
    title = f"{LABELS[metric]} against the trimap's dilation"
    body = (
        f'<text class="title" x="{_LEFT}" y="20">{escape(title)}</text>',
        *_axes(scale, tuple(numbers), step),
        *(part for line in lines for part in _curve(scale, line)),
        *_key(lines),
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _lines(evaluation: Evaluation, metric: str, numbers: dict[int, str]) -> list[_Line]:
    found = {(mean.trimap, mean.method): mean for mean in means(evaluation)}
    lines = []
    for index, method in enumerate(evaluation.methods):
        points = []
        for number, trimap in numbers.items():
            mean = found[trimap, method]
            if mean.errors is not None:
                points.append((number, mean.errors[metric], mean.failed == 0))
        lines.append(_Line(method, _COLOURS[index % len(_COLOURS)], tuple(points)))
    return lines


def _tidy(number: float) -> float:
    """The next number above that is 1, 2 or 5 times a power of ten."""
    if number <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= number * 0.999)


def _axes(scale: _Scale, numbers: tuple[int, ...], step: float) -> Iterator[str]:
    foot = scale.height - _BOTTOM
    for index in range(round(scale.top / step) + 1):
        y = scale.y(index * step)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        label = f"{index * step:.6g}"
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    free = -math.inf
    for number in numbers:
        x = scale.x(number)
        if x - free >= 0:  # labels that would touch are left out
            yield f'<text x="{x:.1f}" y="{foot + 20}" text-anchor="middle">{number}</text>'
            free = x + 24
    middle = (_LEFT + _RIGHT) / 2
    yield f'<text x="{middle}" y="{foot + 42}" text-anchor="middle">dilation, pixels</text>'


def _curve(scale: _Scale, line: _Line) -> Iterator[str]:
    places = [(scale.x(number), scale.y(error), full) for number, error, full in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    yield f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"/>'
    for x, y, full in places:
        fill = line.colour if full else "none"
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{fill}" stroke="{line.colour}"'
            ' stroke-width="1.5"/>'
        )


def _key(lines: list[_Line]) -> Iterator[str]:
    """The methods' names, from the highest line's end to the lowest."""
    left = _RIGHT + 20
    by_end = sorted(lines, key=lambda line: line.points[-1][1] if line.points else 0, reverse=True)
    for index, line in enumerate(by_end):
        y = _TOP + index * _LINE
        name = "".join(c if c.isprintable() else "\ufffd" for c in line.method)
        if len(name) > _LONGEST_NAME:
            name = name[: _LONGEST_NAME - 1] + "\u2026"
        stroke = f'stroke="{line.colour}" stroke-width="2"'
        yield f'<line x1="{left}" x2="{left + 20}" y1="{y}" y2="{y}" {stroke}/>'
        yield f'<text x="{left + 28}" y="{y + 4}">{escape(name)}</text>'
