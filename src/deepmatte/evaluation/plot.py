"""Line plots in SVG, drawn by matplotlib: errors against the trimap's dilation."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from deepmatte.datasets.trimaps import dilation_of
from deepmatte.evaluation.results import Evaluation
from deepmatte.evaluation.summary import means
from deepmatte.evaluation.tables import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MISSING = "The plot needs matplotlib: pip install 'deepmatte[report]'."

# Colours that most colour-blind people can tell apart, on white and on black (after Okabe and Ito).
COLOURS = ("#2f7fd1", "#d9822b", "#1f9e77", "#c8488f", "#8a6fd1", "#a08a00", "#d1493f", "#6b7b8c")
_GREY = "#7a828c"  # for words and axes: readable on white and on black
_LONGEST_NAME = 24


def is_installed() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def dilations(evaluation: Evaluation) -> dict[int, str]:
    """The dilated kinds of trimaps, smallest dilation first."""
    numbers = {dilation_of(trimap): trimap for trimap in evaluation.trimaps}
    return {number: numbers[number] for number in sorted(n for n in numbers if n is not None)}


def dilation_plot(evaluation: Evaluation, metric: str) -> str:
    """Draw each method's mean error against the trimap's dilation.

    A hollow point is a mean over fewer pictures, because the method failed on some. There is no
    point if it failed on all.

    Args:
        evaluation: with at least two `dilations`.
        metric: one of `METRICS`.

    Returns:
        An SVG document.

    Source: Xu et al. 2017, who compare methods by SAD over dilations from 1 to 19.
    """
    numbers = dilations(evaluation)
    found = {(mean.trimap, mean.method): mean for mean in means(evaluation)}
    figure, axes = new_figure(
        f"{LABELS[metric]} against the trimap's dilation", "dilation, pixels", LABELS[metric]
    )
    lines, last = {}, {}
    for index, method in enumerate(evaluation.methods):
        of_method = {number: found[trimap, method] for number, trimap in numbers.items()}
        errors = {n: mean.errors[metric] for n, mean in of_method.items() if mean.errors}
        colour = COLOURS[index % len(COLOURS)]
        (lines[method],) = axes.plot([*errors], [*errors.values()], color=colour, gid=f"{index}")
        last[method] = [0.0, *errors.values()][-1]
        for number, error in errors.items():
            fill = "none" if of_method[number].failed else colour
            axes.plot([number], [error], "o", color=colour, markerfacecolor=fill, markersize=5)
    axes.set_xticks([*numbers])
    axes.set_ylim(bottom=0)
    by_end = sorted(lines, key=last.__getitem__, reverse=True)  # in the order of the lines' ends
    add_key(axes, {method: lines[method] for method in by_end})
    return as_svg(figure)


def new_figure(title: str, across: str, upward: str, height: float = 3.6) -> tuple[Figure, Axes]:
    """An empty figure with a title and named axes; ``height`` in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", color=_GREY, fontweight="bold", parse_math=False)
    axes.set_xlabel(across, color=_GREY)
    axes.set_ylabel(upward, color=_GREY)
    axes.tick_params(colors=_GREY)
    axes.set_axisbelow(True)
    axes.grid(color=_GREY, alpha=0.25)
    axes.spines[:].set_visible(False)
    return figure, axes


def add_key(axes: Axes, lines: Mapping[str, Line2D | BarContainer]) -> None:
    """Name lines beside the plot, in this order."""
    handles, names = [*lines.values()], [_shown(name) for name in lines]
    key = axes.legend(
        handles, names, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, labelcolor=_GREY
    )
    for text in key.get_texts():
        text.set_parse_math(False)


def as_svg(figure: Figure) -> str:
    """The figure as an SVG document: transparent, its words as text, the same for the same data."""
    import matplotlib

    document = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "deepmatte"}):
        figure.savefig(document, format="svg", transparent=True, metadata={"Date": None})
    return document.getvalue()


def _shown(name: str) -> str:
    """A name, shortened to fit beside the plot."""
    name = "".join(c if c.isprintable() else "\ufffd" for c in name)
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "\u2026"
    return f"\u200b{name}" if name.startswith("_") else name  # matplotlib hides such a name
