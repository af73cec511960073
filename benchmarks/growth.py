"""Does the cost grow with the unknown area, and not with the picture?

    python benchmarks/growth.py [--quick] [--json FILE]

Arrays in, alpha and foreground colours out: decoding and encoding, which do grow with the picture,
are in `stages.py`. One figure is varied at a time: the picture around the same subject with the
same unknown pixels, and the subject with its unknown pixels in a picture of the same size. Then a
picture of 24 megapixels, of which 3 are unknown, beside the crop that holds those 3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import measuring
import numpy as np
import plot
from measuring import Benchmark, Line, Results, line_through, say, seconds, table
from numpy.typing import NDArray
from processes import median, ways

UNKNOWN = 1.5  # megapixels, in pictures of all sizes
SUBJECT = 2.0  # times the unknown area: that of the sample in the picture, the rest is background
PICTURES = (6.0, 12.0, 24.0, 48.0)
PICTURE = 12.0  # megapixels, with any unknown area
UNKNOWNS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
WHOLE, PART = 24.0, 3.0
MARGIN = 64  # of known pixels around the crop, as who crops a picture leaves
REPEAT = 3


@dataclass(frozen=True)
class Point:
    """Megapixels of a picture, and seconds of its two stages."""

    megapixels: float
    unknown: float
    alpha: float
    foreground: float


def measure(quick: bool) -> Results:
    """Points of both lines, and of the picture and its crop."""
    scale, repeat = (0.003, 1) if quick else (1.0, REPEAT)
    way = ways(quick)

    def point(megapixels: float, unknown: float, *, cropped: bool = False) -> Point:
        sizes = scale * megapixels, scale * unknown
        return _told(way.run(time_stages, *sizes, cropped, repeat))

    pictures, unknowns = (PICTURES[:2], UNKNOWNS[:2]) if quick else (PICTURES, UNKNOWNS)
    by_picture = [point(megapixels, UNKNOWN) for megapixels in pictures]
    by_unknown = [point(PICTURE, unknown) for unknown in unknowns]
    whole = point(WHOLE, PART)
    crop = point(WHOLE, PART, cropped=True)
    return {
        "by_picture": measuring.as_rows(by_picture),
        "by_unknown": measuring.as_rows(by_unknown),
        "whole": asdict(whole),
        "crop": asdict(crop),
    }


def _told(point: Point) -> Point:
    say(
        f"{point.megapixels:.2f} MP, {point.unknown:.2f} unknown: alpha {seconds(point.alpha)}, "
        f"foreground {seconds(point.foreground)}"
    )
    return point


def time_stages(megapixels: float, unknown: float, cropped: bool, repeat: int) -> Point:
    """The middle one of some runs of each stage, on a scene or its crop."""
    import scenes

    from deepmatte import Matte, Matter
    from deepmatte.images import Picture

    image, trimap = scenes.scene(megapixels, unknown, SUBJECT * unknown)
    if cropped:
        box = around(np.asarray(trimap == scenes.UNKNOWN))
        image, trimap = image[box].copy(), trimap[box].copy()
    picture = Picture(image)
    matter = Matter()
    matter(*scenes.small())
    result = matter(picture, trimap)
    alpha = median(lambda: matter(picture, trimap), repeat)
    foreground = median(lambda: Matte(picture, trimap, result.predicted).colours, repeat)
    return Point(
        trimap.size / 1e6, float(np.sum(trimap == scenes.UNKNOWN) / 1e6), alpha, foreground
    )


def around(unknown: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The box that holds all unknown pixels, and `MARGIN` around them."""
    rows, columns = (np.flatnonzero(unknown.any(axis=axis)) for axis in (1, 0))
    top, left = (max(0, int(used[0]) - MARGIN) for used in (rows, columns))
    return slice(top, int(rows[-1]) + 1 + MARGIN), slice(left, int(columns[-1]) + 1 + MARGIN)


def lines(results: Results) -> dict[str, dict[str, Line]]:
    """Seconds a megapixel of picture and of unknown area, for each stage."""
    found: dict[str, dict[str, Line]] = {}
    for name, along in (("by_picture", "megapixels"), ("by_unknown", "unknown")):
        x = [row[along] for row in results[name]]
        found[name] = {
            stage: line_through(x, [row[stage] for row in results[name]])
            for stage in ("alpha", "foreground")
        }
    return found


def report(results: Results) -> str:
    """Slopes, the crop beside the whole, and all points."""
    fits = lines(results)
    slopes = table(
        ("", "stage", "seconds a megapixel", "and always", "R²"),
        [
            (
                "of the picture" if name == "by_picture" else "of unknown area",
                stage,
                f"{fit.slope:.3f}",
                seconds(max(0.0, fit.intercept)),
                f"{fit.r_squared:.3f}",
            )
            for name, stages in fits.items()
            for stage, fit in stages.items()
        ],
    )
    whole, crop = results["whole"], results["crop"]
    ratio = whole["alpha"] / crop["alpha"]
    both = (whole["alpha"] + whole["foreground"]) / (crop["alpha"] + crop["foreground"])
    sentence = (
        f"{whole['megapixels']:.0f} megapixels with {whole['unknown']:.1f} unknown cost "
        f"**{ratio:.2f} times** what their crop of {crop['megapixels']:.1f} megapixels costs "
        f"alone; with the foreground colours of the whole picture, {both:.2f} times. "
        f"Each figure is the middle one of {REPEAT} runs."
    )
    rows = [("whole", whole), ("crop", crop)]
    rows += [("larger picture", row) for row in results["by_picture"]]
    rows += [("more unknown", row) for row in results["by_unknown"]]
    points = table(
        ("", "picture", "unknown", "alpha", "foreground"),
        [
            (
                name,
                f"{row['megapixels']:.1f} MP",
                f"{row['unknown']:.2f} MP",
                seconds(row["alpha"]),
                seconds(row["foreground"]),
            )
            for name, row in rows
        ],
    )
    return f"{sentence}\n\n{slopes}\n\n{points}"


def plots(results: Results) -> dict[str, str]:
    """Seconds of alpha against megapixels of picture and of unknown area."""
    fits = lines(results)
    drawn = []
    for name, along, label in (
        ("by_unknown", "unknown", "unknown area"),
        ("by_picture", "megapixels", "picture"),
    ):
        points = [(row[along], row["alpha"]) for row in results[name]]
        fit = fits[name]["alpha"]
        line = [(x, fit.intercept + fit.slope * x) for x in (points[0][0], points[-1][0])]
        drawn.append(plot.Curve(label, points, joined=False))
        drawn.append(
            plot.Curve(f"{round(fit.slope, 2) + 0.0:.2f} s a megapixel", line, dashed=True)
        )
    title = "Time to alpha as one of two areas grows"
    return {"growth": plot.curves(title, "megapixels", "seconds", drawn)}


BENCHMARK = Benchmark("growth", __doc__, measure, report, plots)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
