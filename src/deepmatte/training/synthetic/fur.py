"""Fur: short coats around whole bodies, down and mohair, tufts and bristles on bare ones."""

from __future__ import annotations

import numpy as np

from deepmatte.training.synthetic.bodies import body, figure, relief
from deepmatte.training.synthetic.fields import (
    Layer,
    Texture,
    brighter,
    filled,
    lit,
    material,
    over,
    softened,
)
from deepmatte.training.synthetic.hair import coat, directions, flyaways, hairy_mass
from deepmatte.training.synthetic.paint import Sheet, natural, varied
from deepmatte.training.synthetic.strands import StrandStyle, arc_roots, border_roots, grow, paint


def fur(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A body with dense fur all around: plush of a few pixels up to long shaggy coats."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    contour = figure(rng, height, width, (0.2, 0.6))
    colour, gain = coat(rng, height, width, texture)
    reach = float(np.exp(rng.uniform(np.log(0.01), np.log(0.13)))) * extent
    style = StrandStyle(
        points=7,
        wander=float(rng.uniform(0.2, 1.2)),
        curl=float(rng.uniform(0.2, 1.3)),
        clump=int(rng.integers(2, 16)),
        pull=float(rng.uniform(0.2, 0.95)),
        widths=(0.5, float(rng.uniform(0.8, 1.0 + 0.08 * reach))),
        contrast=float(rng.uniform(0.06, 0.3)),
        depth=float(rng.uniform(0.0, 0.4)),
    )
    inset = 0.8 * reach
    soft = float(rng.uniform(0.06, 0.25)) * reach + 0.5
    mask = softened(filled(*size, [contour.points - 0.15 * reach * contour.normals]), soft)
    if rng.random() < 0.75:
        gain = brighter(gain, relief(rng, mask))
    field = directions(rng, mask, float(rng.uniform(0.3, 0.9)), 1.2, float(rng.uniform(0, 6.28)))
    count = int(np.clip(120 * extent / (reach + 4.0), 1500, 5000))
    roots, angles = border_roots(rng, contour, count, (0.0, inset))
    lean = float(rng.normal(0.0, 0.5))
    angles = (angles + lean + rng.normal(0.0, 0.18, count)).astype(np.float32)
    lengths = (reach * rng.gamma(5.0, 1 / 5, count)).astype(np.float32)
    sheet = Sheet(*size)
    paint(rng, sheet, grow(rng, size, roots, angles, lengths, style), style, colour, 12)
    hardness = float(rng.uniform(1.5, 5.0))
    back = hairy_mass(rng, mask, field, max(6.0, reach), colour, gain, hardness)
    if rng.random() < 0.3:
        # Eyes, a muzzle, a scarf: something bare in the midst of the fur.
        back = over(body(rng, height, width, texture, (0.03, 0.2)), back)
    layer = over(sheet.layer(gain), back)
    if rng.random() < 0.4:
        layer = over(layer, flyaways(rng, size, contour, colour, int(rng.integers(4, 30))))
    return layer


def fluff(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A fringe of very many thin faint hairs: wide soft ramps, as of down and mohair."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    contour = figure(rng, height, width, (0.2, 0.5))
    colour, gain = coat(rng, height, width, texture)
    reach = float(np.exp(rng.uniform(np.log(0.02), np.log(0.14)))) * extent
    style = StrandStyle(
        points=7,
        wander=1.0,
        curl=float(rng.uniform(0.5, 2.2)),
        clump=int(rng.integers(1, 6)),
        pull=float(rng.uniform(0.0, 0.5)),
        widths=(0.5, 0.9),
        contrast=float(rng.uniform(0.03, 0.2)),
        depth=0.2,
    )
    # So many hairs that they merge: a smooth ramp, streaked by the ones that can be told apart.
    mask = softened(filled(*size, [contour.points]), reach * float(rng.uniform(0.1, 0.35)))
    if rng.random() < 0.75:
        gain = brighter(gain, relief(rng, mask))
    field = directions(rng, mask, 0.8, 1.5, float(rng.uniform(0, 6.28)))
    hardness = float(rng.uniform(0.9, 1.8))
    layer = hairy_mass(rng, mask, field, max(4.0, 0.4 * reach), colour, gain, hardness)
    for faint in (0.35, 0.8):
        count = int(rng.integers(600, 3000))
        roots, angles = border_roots(rng, contour, count, (0.0, 0.4 * reach))
        angles = (angles + rng.normal(0.0, 0.6, count)).astype(np.float32)
        lengths = (reach * rng.gamma(2.5, 0.4, count)).astype(np.float32)
        sheet = Sheet(*size)
        paint(rng, sheet, grow(rng, size, roots, angles, lengths, style), style, colour, 6)
        layer = over(sheet.layer(gain, faint * float(rng.uniform(0.4, 1.0))), layer)
    return layer


def tuft(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A bare body with hair, bristles or whiskers on parts of its border only."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    contour = figure(rng, height, width, (0.2, 0.55))
    colour, gain = coat(rng, height, width, texture)
    skin = material(rng, height, width, texture)
    mask = filled(*size, [contour.points])
    if rng.random() < 0.5:
        skin = lit(skin, relief(rng, mask))
    layer = (skin, mask)
    for _ in range(int(rng.integers(2, 6))):
        stiff = rng.random() < 0.4
        reach = float(np.exp(rng.uniform(np.log(0.03), np.log(0.3)))) * extent
        style = StrandStyle(
            points=9,
            wander=0.2 if stiff else float(rng.uniform(0.3, 1.5)),
            curl=0.15 if stiff else float(rng.uniform(0.2, 1.2)),
            wave=0.0 if stiff else float(rng.choice([0.0, 0.5])),
            clump=1 if stiff else int(rng.integers(2, 20)),
            pull=0.0 if stiff else float(rng.uniform(0.3, 0.95)),
            widths=(0.6, float(np.exp(rng.uniform(np.log(0.8), np.log(1.5 + 0.02 * reach))))),
            contrast=float(rng.uniform(0.1, 0.4)),
            depth=float(rng.uniform(0.1, 0.6)),
        )
        first = float(rng.uniform(0.0, 1.0))
        arc = float(np.exp(rng.uniform(np.log(0.03), np.log(0.5))))
        dense = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
        around = arc * 2.2 * extent
        count = int(np.clip(around * dense, 6, 900))
        inset = float(rng.uniform(0.05, 0.8)) * reach
        roots, angles = arc_roots(rng, contour, count, (0.0, inset), (first, first + arc))
        angles = angles + np.float32(rng.normal(0.0, 0.3))
        angles = (angles + rng.normal(0.0, rng.uniform(0.05, 0.5), count)).astype(np.float32)
        lengths = (reach * rng.gamma(8.0, 1 / 8, count)).astype(np.float32)
        tone = varied(rng, colour, 0.2, 0.1) if rng.random() < 0.6 else natural(rng, "hair")
        sheet = Sheet(*size)
        paint(rng, sheet, grow(rng, size, roots, angles, lengths, style), style, tone, 9)
        tufts = sheet.layer(gain)
        layer = over(tufts, layer) if rng.random() < 0.6 else over(layer, tufts)
    return layer
