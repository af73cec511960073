"""Procedural foregrounds with exact alpha, to train a matting network without labelled photos.

Each kind of foreground is a function ``(rng, height, width, texture) -> (foreground, alpha)``: long
hair (`hair`), coats and tufts (`fur`), yarn, wires and twigs (`threads`), plants (`foliage`),
`feathers`, nets and baskets (`meshes`), lace and knitwear (`cloth`), smoke, spray, glass, plastic
and veils (`translucent`), plain objects (`solids`). They are put together from bodies (`bodies`),
strands (`strands`) and painted shapes (`paint`). `optics` blurs any of them. What each looks like:
docs/synthetic.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepmatte.training.synthetic.cloth import knit, lace
from deepmatte.training.synthetic.feathers import feathers
from deepmatte.training.synthetic.fields import Layer, Texture, noise_texture
from deepmatte.training.synthetic.foliage import bush, flowers, grass, plant
from deepmatte.training.synthetic.fur import fluff, fur, tuft
from deepmatte.training.synthetic.hair import locks, long_hair
from deepmatte.training.synthetic.meshes import basket, net
from deepmatte.training.synthetic.optics import defocus, motion_blur
from deepmatte.training.synthetic.solids import solid
from deepmatte.training.synthetic.threads import fringe, twigs, wires
from deepmatte.training.synthetic.translucent import glass, plastic, smoke, spray, veil

__all__ = ["KINDS", "Kind", "noise_texture", "random_kind", "synthetic_foreground"]

Kind = Callable[[np.random.Generator, int, int, Texture], Layer]

KINDS: dict[Kind, float] = {
    long_hair: 0.11,
    locks: 0.06,
    fur: 0.12,
    fluff: 0.06,
    tuft: 0.06,
    fringe: 0.04,
    wires: 0.03,
    twigs: 0.03,
    plant: 0.06,
    bush: 0.04,
    flowers: 0.02,
    grass: 0.02,
    feathers: 0.03,
    net: 0.04,
    basket: 0.04,
    lace: 0.01,
    knit: 0.03,
    smoke: 0.02,
    spray: 0.05,
    glass: 0.04,
    plastic: 0.02,
    veil: 0.025,
    solid: 0.045,
}
"""How often each kind is drawn; the weights sum to 1."""


def random_kind(rng: np.random.Generator) -> Kind:
    """One of `KINDS`, as often as is said there."""
    kinds, weights = list(KINDS), np.array(list(KINDS.values()))
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]


def synthetic_foreground(
    rng: np.random.Generator,
    height: int,
    width: int,
    texture: Texture,
    kind: Kind | None = None,
) -> Layer:
    """Draws one random foreground and its exact alpha.

    Args:
        rng: the only source of randomness: the same state gives the same arrays.
        height: rows in pixels, at least 16.
        width: columns in pixels, at least 16.
        texture: ``texture(rng, height, width)`` gives a patch of colours, float32 RGB
            (H, W, 3) in 0..1: a photo crop, or `noise_texture` where there are no photos.
        kind: one of `KINDS`; None takes a random one.

    Returns:
        foreground: float32 RGB (H, W, 3) in 0..1, defined everywhere (not premultiplied).
        alpha: float32 (H, W) in 0..1.

    Raises:
        ValueError: if the frame is smaller than 16 by 16 pixels.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> foreground, alpha = synthetic_foreground(rng, 64, 96, noise_texture)
        >>> foreground.shape, alpha.shape
        ((64, 96, 3), (64, 96))
    """
    if min(height, width) < 16:
        raise ValueError(f"a frame of {height} x {width} came, at least 16 x 16 was expected")
    kind = kind or random_kind(rng)
    layer = kind(rng, height, width, texture)
    for _ in range(3):
        if 0.04 < float(layer[1].mean()) < 0.95:
            break
        layer = kind(rng, height, width, texture)
    if rng.random() < 0.25:
        layer = defocus(rng, layer)
    if rng.random() < 0.10:
        layer = motion_blur(rng, layer)
    foreground = np.clip(layer[0], 0.0, 1.0, dtype=np.float32)
    return foreground, np.clip(layer[1], 0.0, 1.0, dtype=np.float32)
