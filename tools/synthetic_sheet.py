"""Contact sheets of the procedural foregrounds: each kind as composites, with its alpha beside it.

    python tools/synthetic_sheet.py OUT [--photos DIR]... [--side 240] [--each 3] [--seed 2]

writes OUT/synthetic-*.jpg. Colours and backgrounds are patches of the photos, or drawn where there
are none. The sheets of docs/synthetic.md are made with BuddiesOfBudgie/budgie-backgrounds (CC0).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.training.pictures import Pictures
from deepmatte.training.scenes import Sources
from deepmatte.training.synthetic import KINDS, Kind

SHEETS = {
    "hair": ("long_hair", "locks", "fur", "fluff", "tuft", "feathers"),
    "threads": ("fringe", "wires", "twigs", "net", "basket", "lace", "knit"),
    "plants": ("plant", "bush", "flowers", "grass"),
    "clear": ("smoke", "spray", "glass", "plastic", "veil", "solid"),
}
"""The kinds on each sheet, by its name."""

STRIP = 18
"""Pixels above each row for the kind's name."""


def row(kind: Kind, sources: Sources, side: int, each: int, seed: int) -> NDArray[np.uint8]:
    """Composites and alphas of one kind, side by side, below its name and share."""
    pictures = []
    for index in range(each):
        rng = np.random.default_rng((seed, index))
        colour, alpha = kind(rng, side, side, sources.texture)
        opacity = alpha[..., None]
        picture = opacity * colour + (1 - opacity) * sources.background(rng, side)
        pictures += [picture, np.repeat(opacity, 3, axis=2)]
    pixels = (np.hstack(pictures).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    strip = np.full((STRIP, pixels.shape[1], 3), 255, np.uint8)
    label = f"{kind.__name__}, {100 * KINDS[kind]:g} % of the procedural foregrounds"
    cv2.putText(strip, label, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([strip, pixels])


def main() -> None:
    """Write all sheets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--side", type=int, default=240, help="of one picture, pixels")
    parser.add_argument("--each", type=int, default=3, help="pictures of a kind")
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    sources = Sources(Pictures([]), Pictures(arguments.photos))
    kinds = {kind.__name__: kind for kind in KINDS}
    for name, shown in SHEETS.items():
        rows = [
            row(kinds[kind], sources, arguments.side, arguments.each, arguments.seed)
            for kind in shown
        ]
        sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
        path = arguments.out / f"synthetic-{name}.jpg"
        if not cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, 80]):
            raise SystemExit(f"{path} could not be written")


if __name__ == "__main__":
    main()
