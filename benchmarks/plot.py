"""Figures as SVG: points joined by lines, and bars. They follow the reader's light or dark scheme.

No plotting library: these few shapes are less than its configuration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_COLOURS = ("#2f7fd1", "#d9822b", "#1f9e77", "#c8488f", "#8a6fd1", "#a08a00", "#d1493f", "#6b7b8c")
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _LINE = 760, 70, 540, 44, 300, 22
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #33383e; }
.title { font-weight: 600; }
.grid { stroke: #dfe2e6; }
@media (prefers-color-scheme: dark) { text { fill: #dde1e6; } .grid { stroke: #3a4048; } }
"""


@dataclass(frozen=True)
class Curve:
    """Points that belong together.

    Attributes:
        name: in the key.
        points: (x, y), in the order in which they are joined.
        joined: whether a line joins them.
        dashed: whether that line is dashed and without points: a fit, a limit.
    """

    name: str
    points: Sequence[tuple[float, float]]
    joined: bool = True
    dashed: bool = False


@dataclass(frozen=True)
class _Axis:
    """Where numbers lie along an axis, from ``start`` to ``end`` in the drawing."""

    low: float
    high: float
    ticks: tuple[float, ...]
    start: float
    end: float
    logarithmic: bool

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def curves(
    title: str, across: str, upward: str, drawn: Sequence[Curve], *, logarithmic: bool = False
) -> str:
    """A figure of curves.

    Args:
        title: above it.
        across: what the x axis shows, with its unit.
        upward: what the y axis shows, with its unit.
        drawn: at least one curve with a point.
        logarithmic: both axes; then all numbers must be positive. Else both begin at zero.
    """
    points = [point for curve in drawn for point in curve.points]
    x = _axis([point[0] for point in points], _LEFT, _RIGHT, logarithmic)
    y = _axis([point[1] for point in points], _BOTTOM, _TOP, logarithmic)
    body = [*_grid(x, y, across, upward)]
    for index, curve in enumerate(drawn):
        colour = _COLOURS[index % len(_COLOURS)]
        body += _curve(curve, colour, x, y)
        body += _key(index, curve.name, colour, dashed=curve.dashed)
    return _document(title, max(_BOTTOM + 56, _TOP + _LINE * len(drawn)), body)


def bars(title: str, unit: str, rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """A figure of horizontal bars, each of parts that add up.

    Args:
        title: above it.
        unit: of the parts.
        rows: name and parts of each bar; parts of one name have one colour.
    """
    left, height = 190, 26
    names = list(dict.fromkeys(part for _, parts in rows for part in parts))
    totals = [sum(parts.values()) for _, parts in rows]
    bottom = _TOP + height * len(rows)
    axis = _axis([0, *totals], left, _RIGHT, False)
    body = []
    for tick in axis.ticks:
        at = axis.at(tick)
        body.append(
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 4}" y2="{bottom}"/>'
        )
        body.append(_text(at, bottom + 18, _number(tick), "middle"))
    body.append(_text((left + _RIGHT) / 2, bottom + 40, unit, "middle"))
    for index, (name, parts) in enumerate(rows):
        top, value = _TOP + height * index, 0.0
        body.append(_text(left - 8, top + 16, name, "end"))
        for part, amount in parts.items():
            colour = _COLOURS[names.index(part) % len(_COLOURS)]
            start, end = axis.at(value), axis.at(value + amount)
            size = f'width="{end - start:.1f}" height="{height - 6}"'
            body.append(f'<rect x="{start:.1f}" y="{top + 1}" {size} fill="{colour}"/>')
            value += amount
    if len(names) > 1:
        for index, name in enumerate(names):
            body += _key(index, name, _COLOURS[index % len(_COLOURS)])
    keys = _LINE * len(names) if len(names) > 1 else 0
    return _document(title, max(bottom + 56, _TOP + keys + 10), body)


def _axis(values: Sequence[float], start: float, end: float, logarithmic: bool) -> _Axis:
    low, high = min(values), max(values)
    if not logarithmic:
        step = _tidy(high / 5)
        count = max(1, math.ceil(high / step - 1e-9))
        ticks = tuple(step * index for index in range(count + 1))
        return _Axis(0, step * count, ticks, start, end, False)
    low, high = low / 1.15, high * 1.15
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    candidates = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    found = [tick for tick in candidates if low <= tick <= high]
    return _Axis(low, high, tuple(found), start, end, True)


def _tidy(number: float) -> float:
    """The next number above that is 1, 2 or 5 times a power of ten."""
    if number <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= number * 0.999)


def _grid(x: _Axis, y: _Axis, across: str, upward: str) -> Iterator[str]:
    for tick in y.ticks:
        at = y.at(tick)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield _text(_LEFT - 8, at + 4, _number(tick), "end")
    for tick in x.ticks:
        at = x.at(tick)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_BOTTOM}"/>'
        yield _text(at, _BOTTOM + 20, _number(tick), "middle")
    yield _text((_LEFT + _RIGHT) / 2, _BOTTOM + 42, across, "middle")
    yield _text(_LEFT - 8, _TOP - 10, upward, "end" if len(upward) < 9 else "start")


def _curve(curve: Curve, colour: str, x: _Axis, y: _Axis) -> Iterator[str]:
    places = [(x.at(across), y.at(upward)) for across, upward in curve.points]
    if curve.joined:
        path = " ".join(f"{across:.1f},{upward:.1f}" for across, upward in places)
        dashes = ' stroke-dasharray="6 5"' if curve.dashed else ""
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
    if not curve.dashed:
        for across, upward in places:
            yield f'<circle cx="{across:.1f}" cy="{upward:.1f}" r="3.5" fill="{colour}"/>'


def _key(index: int, name: str, colour: str, *, dashed: bool = False) -> Iterator[str]:
    y, left = _TOP + index * _LINE, _RIGHT + 20
    dashes = ' stroke-dasharray="6 5"' if dashed else ""
    stroke = f'stroke="{colour}" stroke-width="3"{dashes}'
    yield f'<line x1="{left}" x2="{left + 20}" y1="{y}" y2="{y}" {stroke}/>'
    yield _text(left + 28, y + 4, name, "start")


def _number(value: float) -> str:
    return f"{value:.6g}"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _document(title: str, height: float, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'width="{_WIDTH}" height="{height:.0f}">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n"
        f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )
