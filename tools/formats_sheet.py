"""Draws docs/formats.jpg: files that deepmatte writes of its sample, as another program reads them.

    python tools/formats_sheet.py docs/formats.jpg

Each panel is a file that `deepmatte matte` wrote, opened with Pillow or psd-tools and shown over
checks where it is transparent.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from psd_tools import PSDImage

from deepmatte.sheet import checkerboard, contact_sheet

WIDTH = 300  # pixels of a panel
SAMPLE = ("cat.jpg", "cat.trimap.png")
COMMANDS = (
    ("--cutout", "cutout.png"),
    ("--alpha", "alpha.tif", "--depth", "16"),
    ("--over", "#2e3f66:#d98f6c", "--composite", "new.jpg"),
    ("--crop", "5%", "--shadow", "60%", "--cutout", "product.webp"),
    ("--layers", "photo.psd"),
)


def written(folder: Path) -> None:
    """Have the command line write all files."""
    for name in SAMPLE:
        data = (resources.files("deepmatte") / "samples" / name).read_bytes()
        (folder / name).write_bytes(data)
    for options in COMMANDS:
        command = [sys.executable, "-m", "deepmatte", "matte", *SAMPLE, *options]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def on_checks(image: Image.Image) -> NDArray[np.float32]:
    """A picture over the checks that show transparency: float32 (H, W, 3), 0..1."""
    pixels = np.asarray(image.convert("RGBA")) / np.float32(255)
    alpha = pixels[..., 3:]
    mixed: NDArray[np.float32] = alpha * pixels[..., :3]
    mixed += (1 - alpha) * checkerboard(image.height, image.width)
    return mixed


def inside(pixels: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A picture of another shape, enlarged in the middle of an empty one of ``shape``."""
    scale = min(shape[0] / pixels.shape[0], shape[1] / pixels.shape[1])
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).resize(size)
    canvas = Image.new("RGB", (shape[1], shape[0]), "#f5f5f5")  # the sheet's paper
    canvas.paste(image, ((shape[1] - size[0]) // 2, (shape[0] - size[1]) // 2))
    placed: NDArray[np.float32] = np.asarray(canvas) / np.float32(255)
    return placed


def panels(folder: Path) -> list[tuple[str, NDArray[Any]]]:
    """What other programs read of the files, with the name of each."""
    cutout = on_checks(Image.open(folder / "cutout.png"))
    levels = np.asarray(Image.open(folder / "alpha.tif"))  # uint16 (H, W)
    product = on_checks(Image.open(folder / "product.webp"))
    top = next(layer for layer in PSDImage.open(folder / "photo.psd") if layer.mask is not None)
    colours, mask = top.topil(apply_icc=False), top.mask
    assert colours is not None and mask is not None  # noqa: PT018
    shown = mask.topil()
    assert shown is not None
    return [
        ("cutout.png", cutout),
        ("alpha.tif, 16 bits", levels / np.float32(65535)),
        ("new.jpg, over a gradient", np.asarray(Image.open(folder / "new.jpg").convert("RGB"))),
        ("product.webp, crop, shadow", inside(product, cutout.shape)),
        ("photo.psd, layer", np.asarray(colours.convert("RGB"))),
        ("photo.psd, its mask", np.asarray(shown.convert("L"))),
    ]


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    target = parser.parse_args().target
    with tempfile.TemporaryDirectory() as name:
        written(Path(name))
        sheet = contact_sheet(panels(Path(name)), columns=3, width=WIDTH)
    Image.fromarray(sheet).save(target, quality=88, optimize=True)


if __name__ == "__main__":
    main()
