"""Long hair: heads with falling, curly or flying hair, and locks across the whole frame."""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.training.synthetic.bodies import Contour, body, figure, relief
from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    brighter,
    filled,
    grain,
    lit,
    local_mean,
    over,
    resized,
    smooth_noise,
    softened,
    tinted,
)
from deepmatte.training.synthetic.paint import Colour, Sheet, band, natural, varied
from deepmatte.training.synthetic.strands import StrandStyle, border_roots, grow, paint, streaks


def coat(
    rng: np.random.Generator, height: int, width: int, texture: Texture
) -> tuple[Colour, FloatArray]:
    """The colour (3,) of hair or fur and how it varies over the frame (H, W, 3).

    Mostly one that hair has, else that of the texture; brighter and darker in bands.
    """
    colour, gain = grain(rng, height, width, texture)
    if rng.random() < 0.55:
        colour = natural(rng, "hair")
    # Room for highlights, which would be cut off at 1.
    colour = colour * np.float32(min(1.0, 0.65 / float(colour.max())))
    keep = float(rng.uniform(0.0, 0.8))
    coarse = local_mean(gain, max(3, min(height, width) // 40))
    gain = np.asarray(cv2.addWeighted(coarse, keep, coarse, 0.0, 1.0 - keep), np.float32)
    bands = smooth_noise(rng, height, width, min(height, width) * float(rng.uniform(0.1, 0.3)))
    shine = 1.0 + np.float32(rng.uniform(0.0, 0.9)) * np.maximum(bands, 0.0) ** 2
    return colour, brighter(gain, shine)


def directions(
    rng: np.random.Generator, mask: FloatArray, outward: float, wander: float, common: float
) -> FloatArray:
    """Angles (H / 2, W / 2) that hair lies along: out of a body, and in a common direction."""
    height, width = mask.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    extent = float(np.sqrt(rows * columns))
    wide = softened(resized(mask, rows, columns, cv2.INTER_AREA), 0.08 * extent)
    slope_y, slope_x = np.gradient(wide)
    scale = np.float32(-outward / (np.abs(slope_x).max() + np.abs(slope_y).max() + 1e-6))
    rest = np.float32(1.0 - outward)
    turned = common + wander * smooth_noise(rng, rows, columns, 0.5 * extent)
    x = scale * slope_x + rest * np.cos(turned)
    y = scale * slope_y + rest * np.sin(turned)
    return np.asarray(np.arctan2(y, x), np.float32)


def hairy_mass(
    rng: np.random.Generator,
    mask: FloatArray,
    angles: FloatArray,
    reach: float,
    colour: Colour,
    gain: FloatArray,
    hardness: float,
) -> Layer:
    """A body of hair so dense that it is opaque: streaks along ``angles``, a frayed border.

    ``mask`` (H, W) is 0.5 at the border and soft over ``reach`` or less; 1 leaves its border as it
    is, more ``hardness`` tears it into tufts.
    """
    height, width = mask.shape
    cell = 1.0 + float(rng.uniform(0.0, 0.035)) * min(reach, 80.0)
    pattern = streaks(rng, (height, width), angles, max(reach, 10.0), cell)
    light = np.exp(np.clip(np.float32(rng.uniform(0.08, 0.3)) * pattern, -1.5, 0.7))
    frayed = mask + np.float32(0.08 * hardness) * pattern * (4.0 * mask * (1.0 - mask))
    alpha = np.clip((frayed - 0.5) * np.float32(hardness) + 0.5, 0.0, 1.0)
    return lit(tinted(gain, colour), light), alpha


def flyaways(
    rng: np.random.Generator,
    size: tuple[int, int],
    contour: Contour,
    colour: Colour,
    count: int,
    reach: float = 0.3,
) -> Layer:
    """Single thin hairs, some in loops, out of the rest by about ``reach`` times the frame."""
    style = StrandStyle(
        points=18,
        wander=1.5,
        curl=float(rng.uniform(0.8, 2.5)),
        clump=1,
        pull=0.0,
        widths=(0.5, float(rng.uniform(0.6, 1.3))),
        contrast=0.35,
    )
    roots, angles = border_roots(rng, contour, count, (1.0, 0.1 * min(size)))
    angles = (angles + rng.normal(0.0, 0.7, count)).astype(np.float32)
    lengths = (rng.gamma(2.0, 0.5 * reach, count) * min(size)).astype(np.float32)
    sheet = Sheet(*size)
    paint(rng, sheet, grow(rng, size, roots, angles, lengths, style), style, colour, 5)
    return sheet.layer(opacity=float(rng.uniform(0.35, 1.0)))


def long_hair(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A head of long hair that falls or flies across the frame, with stray hairs far out."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    contour = figure(rng, height, width, (0.15, 0.45))
    colour, gain = coat(rng, height, width, texture)
    curly = rng.random() < 0.3
    style = StrandStyle(
        points=30 if curly else 16,
        wander=float(rng.uniform(0.3, 1.6)),
        curl=float(rng.uniform(0.1, 0.8)),
        wave=float(rng.uniform(0.5, 1.4)) if curly else float(rng.choice([0.0, 0.3])),
        pace=float(rng.uniform(6.0, 16.0)) if curly else float(rng.uniform(3.0, 9.0)),
        clump=int(np.exp(rng.uniform(np.log(2), np.log(30)))),
        pull=float(rng.uniform(0.3, 0.95)),
        widths=(0.5, float(rng.uniform(0.8, 2.6))),
        contrast=float(rng.uniform(0.1, 0.35)),
        depth=float(rng.uniform(0.1, 0.6)),
    )
    reach = float(rng.uniform(0.12, 0.5)) * extent
    soft = float(rng.uniform(0.003, 0.04)) * extent
    mask = softened(filled(*size, [contour.points - 1.5 * soft * contour.normals]), soft)
    if rng.random() < 0.75:
        gain = brighter(gain, relief(rng, mask))
    # One common direction: gravity or wind.
    common = float(rng.normal(np.pi / 2, 0.8))
    field = directions(rng, mask, float(rng.uniform(0.1, 0.8)), style.wander, common)
    count = int(np.exp(rng.uniform(np.log(400), np.log(3000))))
    roots, normals = border_roots(rng, contour, count, (-0.005 * extent, 0.15 * extent))
    row = np.clip(roots[:, 1] / 2, 0, field.shape[0] - 1).astype(np.intp)
    column = np.clip(roots[:, 0] / 2, 0, field.shape[1] - 1).astype(np.intp)
    away = float(rng.uniform(0.1, 0.7))
    lying = field[row, column]
    turned = np.arctan2(
        (1 - away) * np.sin(lying) + away * np.sin(normals),
        (1 - away) * np.cos(lying) + away * np.cos(normals),
    )
    # Many short hairs among the long ones thicken the mane towards the head.
    lengths = (reach * rng.gamma(1.8, 0.45, count)).astype(np.float32)
    sheet = Sheet(*size)
    paths = grow(rng, size, roots, turned.astype(np.float32), lengths, style)
    paint(rng, sheet, paths, style, colour)
    back = hairy_mass(rng, mask, field, reach, colour, gain, float(rng.uniform(1.5, 5.0)))
    if rng.random() < 0.35:
        # A face, a collar: something without hair in the midst of it.
        back = over(body(rng, height, width, texture, (0.05, 0.3)), back)
    # Hair thinner than the thinnest line covers less of its pixels.
    thin = float(rng.choice([1.0, rng.uniform(0.4, 1.0)]))
    layer = over(sheet.layer(gain, thin), back)
    strays = flyaways(rng, size, contour, colour, int(np.exp(rng.uniform(1.5, 4.5))))
    return over(layer, strays) if rng.random() < 0.5 else over(strays, layer)


def _lock(
    rng: np.random.Generator, guide: FloatArray, half: float, count: int, fan: float
) -> FloatArray:
    """Paths (count, points, 2) beside a guide (points, 2): a lock, open at its end by ``fan``."""
    along = np.linspace(0.0, 1.0, len(guide))
    tangent = np.gradient(guide, axis=0)
    aside = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    aside /= np.linalg.norm(aside, axis=1, keepdims=True) + 1e-6
    pinch = 1.0 - 0.6 * np.exp(-(((along - rng.uniform(0, 1)) / 0.2) ** 2))
    profile = half * pinch * (1.0 + fan * along**2)
    offset = rng.normal(0.0, 0.5, (count, 1))
    drift = np.cumsum(rng.normal(0.0, 0.06, (count, len(guide))), axis=1)
    wave = 0.25 * np.sin(rng.uniform(4, 14) * along + rng.normal(0.0, 0.9, (count, 1)))
    beside = (offset + drift + wave * rng.uniform(0, 1)) * profile
    ends = 1.0 - rng.gamma(1.2, 0.15, (count, 1)).clip(0.0, 0.8)
    # Hairs end at different places: each is the guide's course squeezed to its own length.
    at = along * ends * (len(guide) - 1)
    low = np.clip(at.astype(np.intp), 0, len(guide) - 2)
    part = (at - low)[..., None]
    course = guide[low] * (1 - part) + guide[low + 1] * part
    side = aside[low] * (1 - part) + aside[low + 1] * part
    return (course + side * beside[..., None]).astype(np.float32)


def locks(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Locks and single hairs that enter at one side and cross the frame, some dense, some not."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    colour, gain = coat(rng, height, width, texture)
    style = StrandStyle(
        points=34,
        wander=float(rng.uniform(0.2, 1.2)),
        curl=float(rng.uniform(0.0, 0.4)),
        wave=float(rng.choice([0.0, rng.uniform(0.1, 0.6)])),
        pace=float(rng.uniform(4.0, 16.0)),
        clump=1,
        pull=0.0,
        widths=(0.5, float(rng.uniform(0.8, 2.4))),
        contrast=float(rng.uniform(0.1, 0.4)),
        depth=float(rng.uniform(0.2, 0.7)),
    )
    heading = float(rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else rng.normal(np.pi / 2, 0.4))
    forward = np.array([np.cos(heading), np.sin(heading)])
    sideways = np.array([-forward[1], forward[0]])
    number = int(rng.integers(2, 10))
    spread = rng.normal(rng.uniform(-0.2, 0.2), rng.uniform(0.08, 0.3), number)
    start = np.array([width, height]) / 2 - forward * 0.72 * extent
    roots = (start + spread[:, None] * sideways * extent).astype(np.float32)
    angles = (heading + rng.normal(0.0, 0.12, number)).astype(np.float32)
    lengths = (rng.uniform(0.6, 1.7, number) * extent).astype(np.float32)
    guides = grow(rng, size, roots, angles, lengths, style)
    sheet = Sheet(*size)
    fan, along = float(rng.uniform(-0.6, 1.0)), np.linspace(0.0, 1.0, style.points)
    for guide in guides:
        half = float(np.exp(rng.uniform(np.log(0.02), np.log(0.16)))) * extent
        inner = 0.75 * half * (1.0 + fan * along**2)
        inner *= np.clip(2.2 - 2.9 * along, 0.0, 1.0)
        tone = varied(rng, colour, 0.25, 0.06)
        if rng.random() < 0.7:
            sheet.polygon(band(guide, np.maximum(inner, 0.5)), tone * np.float32(0.6))
        dense = int(np.clip(half * rng.uniform(3.0, 10.0), 12, 260))
        paint(rng, sheet, _lock(rng, guide, half, dense, fan), style, tone)
    loose = int(rng.integers(5, 60))
    roots = (start + rng.uniform(-0.7, 0.7, (loose, 1)) * sideways * extent).astype(np.float32)
    angles = (heading + rng.normal(0.0, 0.35, loose)).astype(np.float32)
    lengths = (rng.uniform(0.4, 1.8, loose) * extent).astype(np.float32)
    paint(rng, sheet, grow(rng, size, roots, angles, lengths, style), style, colour)
    lying = np.full((height // 2 + 1, width // 2 + 1), heading, np.float32)
    light = streaks(rng, size, lying, 0.5 * extent, float(rng.uniform(2.0, 8.0)))
    gain = brighter(gain, np.exp(np.float32(rng.uniform(0.0, 0.3)) * light))
    layer = sheet.layer(gain)
    return over(layer, body(rng, *size, texture, (0.1, 0.35))) if rng.random() < 0.3 else layer
