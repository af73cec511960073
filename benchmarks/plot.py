"""Figures as SVG: points joined by lines, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepmatte.evaluation.plot import COLOURS, add_key, as_svg, new_figure


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
    figure, axes = new_figure(title, across, upward)
    lines = {}
    for index, curve in enumerate(drawn):
        style = "--" if curve.dashed else "o-" if curve.joined else "o"
        colour = COLOURS[index % len(COLOURS)]
        x, y = zip(*curve.points, strict=True)
        (lines[curve.name],) = axes.plot(x, y, style, color=colour, markersize=5)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    add_key(axes, lines)
    return as_svg(figure)


def bars(title: str, unit: str, rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """A figure of horizontal bars, each of parts that add up.

    Args:
        title: above it.
        unit: of the parts.
        rows: name and parts of each bar; parts of one name have one colour.
    """
    figure, axes = new_figure(title, unit, "", height=1.2 + 0.3 * len(rows))
    names = [name for name, _ in rows]
    starts = [0.0] * len(rows)
    parts = {}
    for index, part in enumerate(dict.fromkeys(part for _, row in rows for part in row)):
        widths = [row.get(part, 0.0) for _, row in rows]
        parts[part] = axes.barh(names, widths, left=starts, color=COLOURS[index % len(COLOURS)])
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    axes.invert_yaxis()
    if len(parts) > 1:
        add_key(axes, parts)
    return as_svg(figure)
