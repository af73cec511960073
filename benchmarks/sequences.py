"""Are the edges of a shot steadier when its frames are matted together?

Composes shots with known alpha: a cut-out stands still, drifts or turns before a background that
stands still or drifts, with a camera's noise. Only the first frame has a trimap. Each shot is
matted with and without holding alpha, and frame by frame with a trimap from each true alpha.

    python benchmarks/sequences.py --images images --alphas alphas --backgrounds photos
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from measuring import table

from deepmatte.batch.sequence.shot import Frame, matte_shot
from deepmatte.evaluation.temporal import Steadiness
from deepmatte.images import Picture, open_alpha, open_image
from deepmatte.matting import Matter
from deepmatte.trimap import from_alpha

_SIDE = 480
_NOISE = 0.012
_MOTIONS = {"still": (0.0, 0.0), "drift": (1.3, 0.0), "turn": (0.0, 0.4)}


def main() -> None:
    """Compose, matte, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--alphas", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=6)
    parser.add_argument("--frames", type=int, default=24)
    arguments = parser.parse_args()
    backgrounds = sorted(arguments.backgrounds.rglob("*.jpg"))
    alphas = sorted(arguments.alphas.iterdir())
    step = max(1, len(alphas) // arguments.shots)
    matter = Matter(threads=1)
    rows = []
    for motion, (pixels, degrees) in _MOTIONS.items():
        figures: dict[str, list[tuple[float, float, float]]] = {}
        for index, path in enumerate(alphas[::step][: arguments.shots]):
            image = next(arguments.images.glob(f"{path.stem}.*"))
            shot = list(
                _shot(
                    image,
                    path,
                    backgrounds[index * 7 % len(backgrounds)],
                    pixels,
                    degrees,
                    arguments.frames,
                )
            )
            for way in ("frame by frame", "carried", "carried and held"):
                figures.setdefault(way, []).append(_measure(shot, matter, way))
        for way, found in figures.items():
            error, dtssd, messddt = np.mean(found, axis=0)
            rows.append(
                [f"{motion}, {way}", f"{error:.4f}", f"{dtssd * 1e2:.3f}", f"{messddt * 1e3:.3f}"]
            )
    print(table(["shot", "mean error", "dtSSD (1e-2)", "MESSDdt (1e-3)"], rows))


def _shot(
    image: Path, alpha: Path, background: Path, pixels: float, degrees: float, frames: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames, uint8 (H, W, 3), and their true alphas, float32 (H, W)."""
    matte = open_alpha(alpha)
    scale = _SIDE / max(matte.shape)
    size = round(matte.shape[1] * scale), round(matte.shape[0] * scale)
    colours = cv2.resize(open_image(image).rgb, size, interpolation=cv2.INTER_AREA)
    matte = np.asarray(cv2.resize(matte, size, interpolation=cv2.INTER_AREA), np.float32)
    behind = cv2.resize(open_image(background).rgb, size, interpolation=cv2.INTER_AREA)
    chance = np.random.default_rng(0)
    centre = size[0] / 2, size[1] / 2
    for number in range(frames):
        moved = cv2.getRotationMatrix2D(centre, degrees * number, 1.0)
        moved[0, 2] += pixels * number
        true = cv2.warpAffine(matte, moved, size, flags=cv2.INTER_LINEAR)
        front = cv2.warpAffine(
            colours, moved, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        mixed = true[..., None] * front + (1 - true[..., None]) * behind
        noisy = mixed + chance.normal(0, _NOISE, mixed.shape)
        yield np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8), true.astype(np.float32)


def _measure(
    shot: list[tuple[np.ndarray, np.ndarray]], matter: Matter, way: str
) -> tuple[float, float, float]:
    """Mean absolute error and dtSSD, MESSDdt, in a band around the true edge of each frame."""
    bands = [from_alpha(true, erode=6, dilate=6) for _, true in shot]
    frames = [
        Frame(str(number), Picture(levels), bands[number] if number == 0 or way[0] == "f" else None)
        for number, (levels, _) in enumerate(shot)
    ]
    steadiness, errors = Steadiness(), []
    ended = matte_shot(frames, matter, steady=way.endswith("held"))
    for (_, true), band, end in zip(shot, bands, ended, strict=True):
        assert isinstance(end, tuple), end
        alpha = end[1].alpha
        counts = band == 128
        errors.append(float(np.mean(np.abs(alpha - true)[counts])))
        steadiness.add(alpha, true, counts)
    return float(np.mean(errors)), steadiness.dtssd, steadiness.messddt


if __name__ == "__main__":
    main()
