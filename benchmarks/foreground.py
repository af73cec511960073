"""Compare ways to estimate foreground colours, on pictures whose true foreground is known.

    python benchmarks/foreground.py                                   # procedural textures
    python benchmarks/foreground.py --cutouts DIR --photos DIR --json result.json

Subjects are hair, defocused shapes, veils and (with --cutouts, a folder of RGBA pictures) real
cut-outs; subjects and backgrounds carry textures, from --photos if given. One background in four
is a bright green screen. Pictures get sensor noise and 8 bits. Columns:

- error: RMSE of alpha F where 0 < alpha < 1, in grey levels of 255. With the true alpha this is
  also the error of a composite over any new background.
- distorted: RMSE of a composite over a bright new background when alpha itself is wrong.
- spill: green that low alpha (below 0.3) shows over a green screen and the subject has not.
- s/MP: seconds a megapixel on one core, with every pixel of the picture soft.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from foreground_rivals import blur_fusion, multi_level
from numpy.typing import NDArray

from deepmatte.foreground import estimate_foreground

Array = NDArray[np.float32]
Method = Callable[[Array, Array], Array]

SIZE = 384
GREEN_SCREEN = np.array([0.05, 0.9, 0.15], np.float32)
BRIGHT = np.array([1.0, 0.95, 0.6], np.float32)
NOISE = 0.006  # of a decent camera, in units of full white


@dataclass(frozen=True)
class Scene:
    """A composite and its truth: pictures (H, W, 3), mattes (H, W), all 0..1."""

    kind: str
    image: Array
    alpha: Array
    distorted_alpha: Array
    foreground: Array
    green_screen: bool


@dataclass(frozen=True)
class Score:
    """One row of the table."""

    method: str
    error: dict[str, float]
    mean_error: float
    distorted: float
    spill: float
    seconds_per_megapixel: float


def main() -> None:
    """Read the options, make the scenes, print a row per method."""
    parser = argparse.ArgumentParser(description="Compare foreground estimation methods.")
    parser.add_argument("--cutouts", type=Path, help="folder of RGBA pictures")
    parser.add_argument("--photos", type=Path, help="folder of photos")
    parser.add_argument("--scenes", type=int, default=12, help="scenes of each kind")
    parser.add_argument("--json", type=Path, help="write the table to this file")
    options = parser.parse_args()

    cv2.setNumThreads(1)
    scenes = make_scenes(options.cutouts, options.photos, options.scenes)
    kinds = list(dict.fromkeys(scene.kind for scene in scenes))
    heads = "".join(f"{kind:>9}" for kind in [*kinds, "mean"])
    print(f"{'method':<22}{heads}{'distorted':>11}{'spill':>8}{'s/MP':>8}")
    scores = []
    for name, method in methods().items():
        score = measure(name, method, scenes, kinds)
        scores.append(score)
        errors = "".join(f"{value:9.2f}" for value in [*score.error.values(), score.mean_error])
        row = f"{score.distorted:11.2f}{score.spill:8.4f}{score.seconds_per_megapixel:8.2f}"
        print(f"{name:<22}{errors}{row}", flush=True)
    if options.json:
        rows = [asdict(score) for score in scores]
        options.json.write_text(json.dumps({"scenes": len(scenes), "scores": rows}, indent=2))


def methods() -> dict[str, Method]:
    """The rivals by name; pymatting only where it is installed."""
    rivals: dict[str, Method] = {
        "picture itself": lambda image, alpha: image,
        "blur fusion x1": lambda image, alpha: blur_fusion(image, alpha, passes=1),
        "blur fusion x2": lambda image, alpha: blur_fusion(image, alpha, passes=2),
        "multi-level (NumPy)": multi_level,
    }
    if importlib.util.find_spec("pymatting"):
        from pymatting import estimate_foreground_ml

        rivals["pymatting ml"] = lambda image, alpha: np.asarray(
            estimate_foreground_ml(image, alpha), np.float32
        )
    rivals["deepmatte"] = estimate_foreground
    return rivals


def measure(name: str, method: Method, scenes: list[Scene], kinds: list[str]) -> Score:
    """Run one method over all scenes and once over a large picture for its speed."""
    squares: dict[str, list[float]] = {kind: [] for kind in kinds}
    distorted_squares: list[float] = []
    spills: list[float] = []
    for scene in scenes:
        alpha = scene.alpha[..., None]
        soft = (scene.alpha > 0) & (scene.alpha < 1)
        estimate = method(scene.image, scene.alpha)
        difference = 255 * alpha * (estimate - scene.foreground)
        squares[scene.kind].append(float((difference[soft] ** 2).mean()))

        wrong = scene.distorted_alpha[..., None]
        composite = wrong * method(scene.image, scene.distorted_alpha) + (1 - wrong) * BRIGHT
        difference = 255 * (composite - alpha * scene.foreground - (1 - alpha) * BRIGHT)
        distorted_squares.append(float((difference[soft] ** 2).mean()))

        if scene.green_screen:
            added = green_excess(estimate) - green_excess(scene.foreground)
            spills.append(float(np.maximum(added, 0)[soft & (scene.alpha < 0.3)].mean()))
    means = {kind: float(np.mean(values)) for kind, values in squares.items()}
    return Score(
        method=name,
        error={kind: float(np.sqrt(value)) for kind, value in means.items()},
        mean_error=float(np.sqrt(np.mean(list(means.values())))),
        distorted=float(np.sqrt(np.mean(distorted_squares))),
        spill=float(np.mean(spills)) if spills else 0.0,
        seconds_per_megapixel=seconds_per_megapixel(method),
    )


def seconds_per_megapixel(method: Method) -> float:
    """The better of two runs over 3 megapixels without a single known pixel."""
    random = np.random.default_rng(0)
    image = random.random((1500, 2000, 3), np.float32)
    alpha = random.uniform(0.01, 0.99, (1500, 2000)).astype(np.float32)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        method(image, alpha)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / 3


def make_scenes(cutouts: Path | None, photos: Path | None, count: int) -> list[Scene]:
    """`count` scenes of each kind, always the same ones."""
    random = np.random.default_rng(0)
    photo_files = pictures_in(photos) if photos else []
    cutout_files = [file for file in pictures_in(cutouts) if is_soft(file)] if cutouts else []
    shapes = {"hair": hair, "defocus": defocus, "veil": veil}
    kinds = [*shapes, "cut-out"] if cutout_files else [*shapes]
    scenes = []
    for kind in kinds:
        for index in range(count):
            background = texture(random, photo_files)
            if index % 4 == 3:
                background = np.broadcast_to(GREEN_SCREEN, background.shape)
            if kind == "cut-out":
                foreground, alpha = read_cutout(random, cutout_files)
            else:
                foreground, alpha = texture(random, photo_files), shapes[kind](random)
                if index % 2:  # real hair and cloth have less texture than a whole photo
                    smooth = cv2.GaussianBlur(foreground, (0, 0), 8)
                    foreground = (0.25 * foreground + 0.75 * smooth).astype(np.float32)
            opacity = alpha[..., None]
            image = opacity * foreground + (1 - opacity) * background
            image = np.clip(image + random.normal(0, NOISE, image.shape), 0, 1)
            scenes.append(
                Scene(
                    kind=kind,
                    image=(np.round(255 * image) / 255).astype(np.float32),
                    alpha=alpha,
                    distorted_alpha=distort(random, alpha),
                    foreground=foreground,
                    green_screen=index % 4 == 3,
                )
            )
    return scenes


def texture(random: np.random.Generator, files: list[Path]) -> Array:
    """A square piece of a photo, or without photos a sum of random waves of several sizes."""
    if files:
        image = read_picture(files[random.integers(len(files))])[..., :3]
        scale = max(1.5 * SIZE / min(image.shape[:2]), 0.5)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        photo = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
        top = random.integers(photo.shape[0] - SIZE + 1)
        left = random.integers(photo.shape[1] - SIZE + 1)
        return np.asarray(photo[top : top + SIZE, left : left + SIZE], np.float32)
    waves = np.full((SIZE, SIZE, 3), random.uniform(0.2, 0.8, 3))
    for cells, strength in ((3, 0.25), (12, 0.12), (60, 0.06), (SIZE, 0.03)):
        grid = random.normal(0, strength, (cells, cells, 3))
        waves += cv2.resize(grid, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(waves, 0, 1), np.float32)


def hair(random: np.random.Generator) -> Array:
    """A head with strands of many widths and opacities, drawn four times larger and reduced."""
    side = 4 * SIZE
    drawing = np.zeros((side, side), np.uint8)
    radius = side / 5
    cv2.circle(drawing, (side // 2, side // 2), int(radius), 255, -1)
    for _ in range(350):
        angle = random.uniform(0, 2 * np.pi)
        root = side / 2 + 0.9 * radius * np.array([np.cos(angle), np.sin(angle)])
        headings = angle + random.normal(0, 0.4) + random.normal(0, 0.02) * np.arange(40)
        steps = random.uniform(8, 16, (40, 1)) * np.column_stack(
            [np.cos(headings), np.sin(headings)]
        )
        points = (root + steps.cumsum(axis=0)).astype(np.int32)
        opacity, width = int(random.integers(120, 255)), int(random.integers(1, 7))
        cv2.polylines(drawing, [points], False, opacity, width, cv2.LINE_AA)
    small = cv2.resize(drawing, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def defocus(random: np.random.Generator) -> Array:
    """A polygon out of focus."""
    corners = random.uniform(0.2 * SIZE, 0.8 * SIZE, (9, 2)).astype(np.int32)
    alpha = np.zeros((SIZE, SIZE), np.float32)
    cv2.fillPoly(alpha, [cv2.convexHull(corners)], 1.0)
    blurred = cv2.GaussianBlur(alpha, (0, 0), random.uniform(3, 12))
    return np.asarray(np.clip(blurred, 0, 1), np.float32)


def veil(random: np.random.Generator) -> Array:
    """A disc of slowly varying transparency around a small opaque core."""
    centre = (SIZE // 2, SIZE // 2)
    disc = np.zeros((SIZE, SIZE), np.float32)
    cv2.circle(disc, centre, SIZE // 3, 1.0, -1)
    density = cv2.resize(random.random((9, 9)), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    alpha = np.clip(0.15 + 0.8 * density, 0, 1) * cv2.GaussianBlur(disc, (0, 0), 2)
    cv2.circle(alpha, centre, SIZE // 10, 1.0, -1)
    return np.asarray(np.clip(alpha, 0, 1), np.float32)


def distort(random: np.random.Generator, alpha: Array) -> Array:
    """A matte with smooth mistakes of a network's size: most at 0.5, none at 0 and 1."""
    waves = random.normal(0, 1, (24, 24))
    mistakes = cv2.resize(waves, alpha.shape[::-1], interpolation=cv2.INTER_CUBIC)
    distorted = alpha + 0.5 * mistakes * alpha * (1 - alpha)
    return np.asarray(np.clip(distorted, 0, 1), np.float32)


def green_excess(picture: Array) -> Array:
    """How far green stands above both other channels."""
    return np.maximum(picture[..., 1] - np.maximum(picture[..., 0], picture[..., 2]), 0)


def pictures_in(folder: Path) -> list[Path]:
    """Picture files of a folder and its subfolders, in a fixed order."""
    return sorted(file for file in folder.rglob("*") if file.suffix in (".png", ".jpg", ".jpeg"))


def read_picture(file: Path) -> Array:
    """RGB or RGBA, (H, W, 3 or 4), 0..1."""
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SystemExit(f"{file.name} is not a picture that OpenCV reads")
    white = 65535 if picture.dtype == np.uint16 else 255
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    code = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return (cv2.cvtColor(picture, code) / white).astype(np.float32)


def is_soft(file: Path) -> bool:
    """A cut-out of 100 to 900 pixels with at least 3 % soft pixels."""
    picture = read_picture(file)
    sides = picture.shape[:2]
    if picture.shape[2] != 4 or min(sides) < 100 or max(sides) > 900:
        return False
    alpha = picture[..., 3]
    return bool(((alpha > 0) & (alpha < 1)).mean() > 0.03)


def read_cutout(random: np.random.Generator, files: list[Path]) -> tuple[Array, Array]:
    """Foreground and alpha of a cut-out, fitted into the square with premultiplied resampling."""
    picture = read_picture(files[random.integers(len(files))])
    picture[..., :3] *= picture[..., 3:]
    scale = min(0.9 * SIZE / max(picture.shape[:2]), 1.5)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    height, width = fitted.shape[:2]
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    canvas = np.zeros((SIZE, SIZE, 4), np.float32)
    canvas[top : top + height, left : left + width] = fitted
    alpha = canvas[..., 3]
    foreground = np.clip(canvas[..., :3] / np.maximum(alpha, 1e-3)[..., None], 0, 1)
    alpha = np.where(alpha > 0.998, 1, np.where(alpha < 0.002, 0, alpha))
    return foreground.astype(np.float32), alpha.astype(np.float32)


if __name__ == "__main__":
    main()
