"""Cut-outs to train on from photos of animals, toys and shoes, made by this package itself.

    python docs/photo_cutouts.py OUT --photos DIR

DIR is google/dreambooth's dataset (CC BY 4.0 and Unsplash) as one folder of `NNN_subject__NN.jpg`,
or any folder with some of those names below it: only what is found is cut out. A rectangle around
each subject, below, becomes a trimap by GrabCut, and that a matte. Whatever is wrong with a matte
is no error in a composite of it: its alpha is the truth there. What it has of a photo, and no drawn
foreground has, are real hair's colours, light and blur.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from deepmatte import Matter
from deepmatte.images import open_image
from deepmatte.trimap import from_box

BAND = 0.06
"""Width of the unknown band as a share of the longer side: fur must fit in."""

# By the number that a file's name begins with: left, top, right, bottom in percent of the sides.
BOXES = {
    2: (20, 3, 98, 95), 6: (27, 24, 85, 92), 9: (35, 18, 92, 92), 10: (18, 15, 77, 94),
    11: (36, 12, 80, 70), 12: (25, 9, 82, 85), 13: (18, 7, 80, 84), 14: (14, 1, 88, 92),
    22: (28, 10, 74, 87), 23: (26, 11, 72, 90), 29: (33, 13, 84, 62), 31: (23, 28, 77, 82),
    32: (25, 33, 77, 82), 33: (15, 2, 80, 98), 35: (4, 7, 99, 92), 36: (22, 4, 77, 98),
    38: (2, 6, 74, 92), 39: (22, 8, 74, 97), 40: (1, 4, 58, 99), 41: (22, 4, 74, 99),
    42: (16, 2, 84, 99), 46: (13, 6, 87, 97), 47: (15, 5, 87, 97), 49: (10, 28, 64, 78),
    50: (10, 18, 95, 85), 51: (10, 28, 89, 88), 53: (13, 28, 77, 82), 54: (24, 22, 78, 99),
    55: (3, 3, 99, 95), 56: (3, 2, 99, 99), 57: (17, 17, 88, 95), 58: (3, 1, 99, 99),
    59: (7, 1, 97, 99), 60: (1, 8, 99, 99), 61: (23, 22, 78, 92), 63: (10, 10, 80, 95),
    71: (10, 6, 80, 99), 72: (3, 1, 97, 99), 73: (2, 1, 98, 99), 74: (8, 8, 97, 99),
    75: (8, 1, 94, 99), 76: (3, 1, 98, 99), 77: (13, 2, 93, 99), 78: (22, 17, 78, 99),
    79: (17, 1, 83, 99), 80: (28, 18, 75, 97), 81: (17, 3, 93, 99), 84: (12, 1, 88, 99),
    85: (12, 1, 97, 98), 87: (12, 5, 97, 99), 88: (8, 8, 97, 99), 89: (15, 8, 99, 99),
    90: (22, 3, 99, 99), 91: (18, 16, 83, 92), 92: (14, 10, 88, 98), 93: (18, 18, 88, 83),
    94: (28, 33, 78, 78), 95: (8, 8, 97, 92), 96: (18, 13, 80, 75), 97: (3, 1, 93, 88),
    98: (16, 6, 78, 97), 99: (8, 13, 78, 92), 100: (13, 3, 90, 92), 101: (28, 16, 78, 80),
    103: (8, 6, 95, 95), 104: (13, 13, 83, 88), 105: (18, 8, 81, 88), 117: (28, 25, 73, 70),
    118: (18, 28, 68, 88), 121: (18, 20, 83, 91), 122: (28, 13, 83, 88), 125: (18, 6, 88, 91),
    131: (18, 2, 88, 98), 132: (12, 4, 83, 99), 133: (25, 3, 85, 97), 134: (15, 5, 90, 97),
    137: (18, 23, 88, 88), 138: (8, 18, 93, 83), 139: (18, 28, 83, 88), 141: (12, 20, 92, 88),
    149: (35, 10, 68, 88), 154: (23, 8, 88, 93), 155: (28, 13, 83, 78), 156: (23, 18, 88, 83),
    157: (8, 13, 93, 93),
}  # fmt: skip


def main() -> None:
    """Cut out what is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    matter = Matter()
    for path in sorted(options.photos.rglob("*__*.jpg")):
        number = path.name.split("_")[0]
        box = BOXES.get(int(number)) if number.isdecimal() else None
        if box is None:
            continue
        picture = open_image(path)
        height, width = picture.shape
        left, top, right, bottom = (
            round(share / 100 * side)
            for share, side in zip(box, (width, height, width, height), strict=True)
        )
        trimap = from_box(path, (left, top, right, bottom), width=BAND * max(height, width))
        matter(picture, trimap).cutout().save(options.out / f"{path.stem}.png")


if __name__ == "__main__":
    main()
