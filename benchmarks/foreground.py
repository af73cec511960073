"""Which way to estimate foreground colours is the best, and which the fastest?

    python benchmarks/foreground.py [--quick] [--json FILE]           # procedural textures
    python benchmarks/foreground.py --cutouts DIR --photos DIR

Errors are those of pictures whose true foreground is known (`foreground_scenes.py`), in grey
levels of 255 where 0 < alpha < 1:

- error: RMSE of alpha F, with the true alpha: also that of a composite over any new background.
- distorted: RMSE of a composite over a bright new background when alpha itself is wrong.
- spill: green that low alpha (below 0.3) shows over a green screen and the subject has not, 0..1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import measuring
import plot
from measuring import Benchmark, Results, say, seconds, table
from processes import ways

if TYPE_CHECKING:
    import numpy as np
    from foreground_scenes import Scene
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float32]
    Method: TypeAlias = Callable[[Array, Array], Array]

METHODS = (
    "picture itself",
    "blur fusion x1",
    "blur fusion x2",
    "multi-level (NumPy)",
    "multi-level (pymatting)",
    "closed-form (pymatting)",
    "deepmatte",
)
SCENES = 8  # of each kind
SIDE = 384  # of each, pixels
MEGAPIXELS = 3.0  # of the picture that time and memory are measured on
LIMIT = 100.0
BRIGHT = (1.0, 0.95, 0.6)


@dataclass(frozen=True)
class Score:
    """Errors of one method, grey levels; ``error`` by kind of subject."""

    error: dict[str, float]
    mean_error: float
    distorted: float
    spill: float


def measure(quick: bool, cutouts: Path | None = None, photos: Path | None = None) -> Results:
    """A row a method."""
    megapixels, count, side = (0.01, 1, 64) if quick else (MEGAPIXELS, SCENES, SIDE)
    way = ways(quick)
    rows = []
    for name in METHODS[-3:] if quick else METHODS:
        score = way.run(errors, name, cutouts, photos, count, side)
        took = way.cost(prepare, name, megapixels, seconds=LIMIT)
        say(f"{name}: {score.mean_error:.2f} levels, {seconds(took.seconds)} {took.stopped}")
        rows.append({"method": name, **asdict(score), "cost": asdict(took)})
    return {"scenes_of_a_kind": count, "megapixels": megapixels, "rows": rows}


def load(name: str) -> Method:
    """A method by its name in `METHODS`."""
    import numpy as np
    from foreground_rivals import blur_fusion, multi_level

    if name == "picture itself":
        return lambda image, alpha: image
    if name.startswith("blur fusion"):
        return functools.partial(blur_fusion, passes=int(name[-1]))
    if name == "multi-level (NumPy)":
        return multi_level
    if name == "deepmatte":
        from deepmatte.foreground import estimate_foreground

        return estimate_foreground
    import pymatting

    kind = "ml" if name.startswith("multi-level") else "cf"
    estimate: Callable[..., Any] = getattr(pymatting, f"estimate_foreground_{kind}")
    return lambda image, alpha: np.asarray(estimate(image, alpha), np.float32)


def errors(name: str, cutouts: Path | None, photos: Path | None, count: int, side: int) -> Score:
    """Run one method over all scenes."""
    import numpy as np
    from foreground_scenes import make_scenes

    method = load(name)
    squares: dict[str, list[float]] = {}
    distorted_squares: list[float] = []
    spills: list[float] = []
    for scene in make_scenes(cutouts, photos, count, side):
        alpha = scene.alpha[..., None]
        soft = (scene.alpha > 0) & (scene.alpha < 1)
        estimate = method(scene.image, scene.alpha)
        difference = 255 * alpha * (estimate - scene.foreground)
        squares.setdefault(scene.kind, []).append(float((difference[soft] ** 2).mean()))
        distorted_squares.append(distorted_error(method, scene))
        if scene.green_screen:
            added = green_excess(estimate) - green_excess(scene.foreground)
            spills.append(float(np.maximum(added, 0)[soft & (scene.alpha < 0.3)].mean()))
    means = {kind: float(np.mean(values)) for kind, values in squares.items()}
    return Score(
        error={kind: float(np.sqrt(value)) for kind, value in means.items()},
        mean_error=float(np.sqrt(np.mean(list(means.values())))),
        distorted=float(np.sqrt(np.mean(distorted_squares))),
        spill=float(np.mean(spills)) if spills else 0.0,
    )


def distorted_error(method: Method, scene: Scene) -> float:
    """Mean square of the composite's error with the distorted alpha, in levels."""
    import numpy as np

    alpha, wrong = scene.alpha[..., None], scene.distorted_alpha[..., None]
    behind = np.array(BRIGHT, np.float32)
    composite = wrong * method(scene.image, scene.distorted_alpha) + (1 - wrong) * behind
    difference = 255 * (composite - alpha * scene.foreground - (1 - alpha) * behind)
    return float((difference[(scene.alpha > 0) & (scene.alpha < 1)] ** 2).mean())


def green_excess(picture: Array) -> Array:
    """How far green stands above both other channels."""
    import numpy as np

    return np.maximum(picture[..., 1] - np.maximum(picture[..., 0], picture[..., 2]), 0)


def prepare(name: str, megapixels: float) -> Callable[[], object]:
    """The action that is timed: a picture of which a quarter is soft."""
    import cv2
    import numpy as np
    import scenes

    image, trimap = scenes.scene(megapixels, megapixels / 4)
    floats = image / np.float32(255)
    alpha = np.asarray(cv2.GaussianBlur(trimap / np.float32(255), (0, 0), 4), np.float32)
    method = load(name)
    method(floats[:64, :64], alpha[:64, :64])
    return lambda: method(floats, alpha)


def report(results: Results) -> str:
    """A row a method, its time over deepmatte's."""
    own = next(row["cost"] for row in results["rows"] if row["method"] == "deepmatte")
    kinds = list(results["rows"][0]["error"])
    rows = []
    for row in results["rows"]:
        found = row["cost"]
        finished = found["seconds"] is not None
        each = found["seconds"] / results["megapixels"] if finished else None
        rows.append(
            [
                row["method"],
                *(f"{row['error'][kind]:.2f}" for kind in kinds),
                f"{row['mean_error']:.2f}",
                f"{row['distorted']:.2f}",
                f"{row['spill']:.4f}",
                seconds(each) if finished else found["stopped"],
                f"{found['seconds'] / own['seconds']:.2f} x" if finished else "",
                f"{found['peak']:.2f} GB",
            ]
        )
    heads = ("method", *kinds, "mean", "distorted", "spill", "a megapixel", "ratio", "memory")
    sentence = (
        "RMSE in grey levels of 255 where 0 < alpha < 1, by kind of subject: of alpha F with the "
        "true alpha, and of a composite with a distorted one; green spill, 0..1. Time and peak "
        f"memory are those of {results['megapixels']:g} megapixels of which a quarter is soft, on "
        f"all cores. {results['scenes_of_a_kind']} pictures of each kind."
    )
    return f"{sentence}\n\n{table(heads, rows)}"


def plots(results: Results) -> dict[str, str]:
    """Error of each method."""
    rows = [(row["method"], {"error": row["mean_error"]}) for row in results["rows"]]
    title = "Error of the estimated foreground"
    return {"foreground": plot.bars(title, "RMSE of alpha F, grey levels of 255", rows)}


BENCHMARK = Benchmark("foreground", __doc__, measure, report, plots)

if __name__ == "__main__":
    parser = measuring.parser(BENCHMARK)
    parser.add_argument("--cutouts", type=Path, help="folder of RGBA pictures")
    parser.add_argument("--photos", type=Path, help="folder of photos")
    options = parser.parse_args()
    chosen = functools.partial(measure, cutouts=options.cutouts, photos=options.photos)
    measuring.main(Benchmark("foreground", __doc__, chosen, report, plots), options)
