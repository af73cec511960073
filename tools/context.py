"""How much of a picture must be seen around some pixels for their matte to be right?

    python tools/context.py alphamatting [--kind Trimap1] [--squares 3]

Cuts squares of 160 pixels out of each picture, at unknown pixels drawn at random, with more and
more around them, mattes what was cut out, and prints SAD (in thousands) in the squares.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from deepmatte.datasets.layouts import open_dataset
from deepmatte.evaluation.metrics import sad
from deepmatte.images import open_alpha, open_image
from deepmatte.solver.engine import Engine
from deepmatte.solver.tiles import STRIDE
from deepmatte.trimap import UNKNOWN, open_trimap

SIDE = 160
MARGINS = (32, 64, 96, 128, 192, 256, 320)


def main() -> None:
    """Print the mean SAD of all squares for each margin."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--kind", default="Trimap1")
    parser.add_argument("--squares", type=int, default=3, help="of each picture")
    arguments = parser.parse_args()
    engine, rng = Engine(), np.random.default_rng(0)
    errors: dict[int, list[float]] = {margin: [] for margin in MARGINS}
    for sample in open_dataset(arguments.dataset).samples:
        image = open_image(sample.image).levels
        alpha = open_alpha(sample.alpha)
        trimap = open_trimap(sample.trimaps[arguments.kind], alpha.shape)
        for place in rng.choice(np.argwhere(trimap == UNKNOWN), arguments.squares):
            first = np.clip(place - SIDE // 2, 0, np.subtract(trimap.shape, SIDE))
            first = first // STRIDE * STRIDE  # the network is blind to shifts by these alone
            for margin, found in errors.items():
                seen = tuple(slice(max(0, at - margin), at + SIDE + margin) for at in first)
                inside = tuple(
                    slice(at - span.start, at - span.start + SIDE)
                    for at, span in zip(first, seen, strict=True)
                )
                matte = engine(image[seen], trimap[seen])[inside]
                square = alpha[seen][inside], trimap[seen][inside]
                found.append(sad(matte, *square))
    for margin, found in errors.items():
        print(f"{margin} pixels around: {np.mean(found):.3f}")


if __name__ == "__main__":
    main()
