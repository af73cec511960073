"""Draws cut-outs of every procedural kind: a library to train on, or to measure kind by kind.

    python tools/drawn_cutouts.py OUT [--photos DIR]... [--each 6] [--side 512] [--seed 1000]
    deepmatte train lite --foregrounds OUT --backgrounds photos --out runs/lite    # --each 65
    deepmatte compose set --foregrounds OUT --backgrounds held-out/photos --out drawn
    deepmatte evaluate drawn --method lite --method closed-form

writes OUT/<kind>-<number>.png. Colours are patches of the photos, or drawn where there are none. A
training that draws for itself sees none of these: its seeds are pairs, these are triples.
Measure with another --seed than you train with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from deepmatte.images import save_image
from deepmatte.training.pictures import Pictures
from deepmatte.training.scenes import Sources
from deepmatte.training.synthetic import KINDS, synthetic_foreground


def main() -> None:
    """Write all cut-outs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--each", type=int, default=6, help="cut-outs of a kind")
    parser.add_argument("--side", type=int, default=512, help="of one cut-out, pixels")
    parser.add_argument("--seed", type=int, default=1000)
    arguments = parser.parse_args()
    sources = Sources(Pictures([]), Pictures(arguments.photos))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for order, kind in enumerate(KINDS):
        for index in range(arguments.each):
            rng = np.random.default_rng((arguments.seed, order, index))
            side = arguments.side
            colours, alpha = synthetic_foreground(rng, side, side, sources.texture, kind)
            name = f"{kind.__name__}-{index}.png"
            save_image(arguments.out / name, np.dstack([colours, alpha]))


if __name__ == "__main__":
    main()
