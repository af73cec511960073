"""Hair and fur: bodies with strands growing out of their border."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.training.synthetic.fields import (
    SHIFT,
    Contour,
    FloatArray,
    Layer,
    Texture,
    filled,
    fixed_point,
    local_mean,
    material,
    random_contour,
    smooth_noise,
    softened,
)
from deepmatte.training.synthetic.strands import (
    NEUTRAL_GAIN,
    StrandStyle,
    border_roots,
    draw,
    grow,
    visible,
)


def _finished(
    rng: np.random.Generator,
    size: tuple[int, int],
    texture: Texture,
    body: FloatArray,
    strands: FloatArray,
    gain: NDArray[np.uint8],
) -> Layer:
    """Colours of a body and the strands on it: the body's texture goes on into the strands."""
    base = material(rng, *size, texture, 0.75)
    smooth = local_mean(base, max(4, min(size) // 24))
    keep = np.float32(rng.uniform(0.1, 0.7))
    strand_colour = smooth + keep * (base - smooth)
    brightness = gain.astype(np.float32) / np.float32(NEUTRAL_GAIN)
    brightness = np.asarray(cv2.GaussianBlur(brightness, (3, 3), 0.6), np.float32)
    # Hair shines in bands across it; tips may be lighter or darker than roots.
    shine = np.float32(rng.uniform(0.0, 0.35)) * smooth_noise(rng, *size, min(size) * 0.12)
    away = 1.0 - local_mean(body, max(2, min(size) // 20))
    tip = np.float32(rng.normal(0.0, 0.25)) * away
    brightness = brightness * (1.0 + shine * strands + tip)
    if rng.random() < 0.35:
        # A body of another make than its hair: a face, a doll's cloth.
        inner = body * (1.0 - strands)
        brightness = brightness + inner * (1.0 - brightness)
        other = material(rng, *size, texture)
        base = base + np.float32(rng.uniform(0.2, 1.0)) * (other - base)
        share = (body * (1.0 - strands))[..., None]
    else:
        share = body[..., None]
    colour = strand_colour + share * (base - strand_colour)
    colour = np.clip(colour * brightness[..., None], 0.0, 1.0)
    alpha = 1.0 - (1.0 - body) * (1.0 - strands)
    return colour.astype(np.float32), alpha.astype(np.float32)


def _new_gain(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.full(size, NEUTRAL_GAIN, np.uint8)


def _hidden_body(
    rng: np.random.Generator, size: tuple[int, int], contour: Contour, reach: float
) -> FloatArray:
    """Coverage (H, W) of a body whose border withdraws under the hair, sharp or soft."""
    depth = np.float32(rng.uniform(0.0, 0.7) * reach)
    body = filled(*size, [contour.points - depth * contour.normals])
    if rng.random() < 0.6:
        body = softened(body, 0.5 + 0.3 * float(depth))
    return body


def _inner_strokes(
    rng: np.random.Generator,
    size: tuple[int, int],
    contour: Contour,
    length: float,
    style: StrandStyle,
    gain: NDArray[np.uint8],
) -> None:
    """Strands lying on the body, into the brightness only: the fur's own texture."""
    roots, angles = border_roots(rng, contour, 500, (0.0, 0.0))
    roots = contour.centre + (roots - contour.centre) * np.sqrt(
        rng.uniform(0.02, 1.0, (len(roots), 1)).astype(np.float32)
    )
    lengths = (length * rng.uniform(0.5, 1.2, len(roots))).astype(np.float32)
    paths = visible(grow(rng, size, roots, angles, lengths, style), size)
    for level in rng.permutation(np.linspace(-1.0, 1.0, 6)) * style.contrast * 0.7:
        lines = paths[rng.random(len(paths)) < 0.25]
        value = int(np.clip(NEUTRAL_GAIN * (1.0 + level), 0, 255))
        cv2.polylines(gain, list(fixed_point(lines, 1.0)), False, value, 2, cv2.LINE_AA, SHIFT)


def long_hair(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A head of long hair that falls or flies across the frame, with stray hairs far out."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    contour = random_contour(rng, height, width, (0.15, 0.45))
    style = StrandStyle(
        points=16,
        wander=float(rng.uniform(0.5, 2.0)),
        curl=float(rng.uniform(0.1, 0.8)),
        wave=float(rng.choice([0.0, rng.uniform(0.2, 0.9)])),
        clump=int(rng.integers(3, 16)),
        pull=float(rng.uniform(0.3, 0.9)),
        widths=(0.35, float(rng.uniform(0.8, 2.2))),
        opacities=(float(rng.uniform(0.3, 0.7)), 1.0),
        contrast=float(rng.uniform(0.1, 0.45)),
    )
    count = int(np.exp(rng.uniform(np.log(350), np.log(1500))))
    roots, angles = border_roots(rng, contour, count, (1.0, 0.08 * extent))
    # Towards one common direction: gravity or wind.
    pull = float(rng.uniform(0.0, 0.8))
    common = float(rng.normal(np.pi / 2, 0.8))
    turned = np.arctan2(
        (1 - pull) * np.sin(angles) + pull * np.sin(common),
        (1 - pull) * np.cos(angles) + pull * np.cos(common),
    ).astype(np.float32)
    reach = rng.uniform(0.15, 0.5) * extent
    # Many short hairs among the long ones thicken the mane towards the head.
    lengths = (reach * rng.gamma(1.8, 0.45, len(roots))).astype(np.float32)
    gain = _new_gain(size)
    _inner_strokes(rng, size, contour, reach, style, gain)
    paths = visible(grow(rng, size, roots, turned, lengths, style), size)
    strands = draw(rng, size, paths, style, gain)
    strands = _with_strays(rng, size, contour, strands, gain)
    body = _hidden_body(rng, size, contour, 0.08 * extent)
    return _finished(rng, size, texture, body, strands, gain)


def _with_strays(
    rng: np.random.Generator,
    size: tuple[int, int],
    contour: Contour,
    strands: FloatArray,
    gain: NDArray[np.uint8],
) -> FloatArray:
    """Adds a few single hairs that cross far out of the rest."""
    style = StrandStyle(
        points=18,
        wander=1.5,
        curl=1.6,
        clump=1,
        pull=0.0,
        widths=(0.3, 0.9),
        opacities=(0.3, 0.9),
        contrast=0.3,
    )
    roots, angles = border_roots(rng, contour, int(rng.integers(4, 40)), (1.0, 4.0))
    angles = (angles + rng.normal(0.0, 0.5, len(angles))).astype(np.float32)
    lengths = (rng.uniform(0.1, 0.6, len(roots)) * min(size)).astype(np.float32)
    paths = visible(grow(rng, size, roots, angles, lengths, style), size)
    strays = draw(rng, size, paths, style, gain)
    return strands + strays * (1.0 - strands)


def fur(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A body with short dense fur around its border, as plush toys and animals have."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    contour = random_contour(rng, height, width, (0.2, 0.6), float(rng.uniform(0.05, 0.2)))
    reach = float(rng.uniform(0.02, 0.12)) * extent
    style = StrandStyle(
        points=7,
        wander=float(rng.uniform(0.3, 1.5)),
        curl=float(rng.uniform(0.2, 1.2)),
        clump=int(rng.integers(2, 14)),
        pull=float(rng.uniform(0.2, 0.95)),
        widths=(0.4, float(rng.uniform(0.9, 3.0))),
        opacities=(float(rng.uniform(0.3, 0.7)), 1.0),
        contrast=float(rng.uniform(0.08, 0.4)),
    )
    roots, angles = border_roots(rng, contour, int(rng.integers(900, 2200)), (0.0, 0.7 * reach))
    lean = float(rng.normal(0.0, 0.5))
    angles = (angles + lean + rng.normal(0.0, 0.15, len(angles))).astype(np.float32)
    lengths = (reach * rng.gamma(6.0, 1 / 6, len(roots))).astype(np.float32)
    gain = _new_gain(size)
    if rng.random() < 0.7:
        _inner_strokes(rng, size, contour, reach, style, gain)
    paths = visible(grow(rng, size, roots, angles, lengths, style), size)
    strands = draw(rng, size, paths, style, gain)
    if rng.random() < 0.5:
        strands = _with_strays(rng, size, contour, strands, gain)
    body = _hidden_body(rng, size, contour, 0.8 * reach)
    return _finished(rng, size, texture, body, strands, gain)


def fluff(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A fringe of very many thin faint hairs: wide soft ramps, as of down and mohair."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    contour = random_contour(rng, height, width, (0.2, 0.5), float(rng.uniform(0.05, 0.15)))
    reach = float(rng.uniform(0.05, 0.14)) * extent
    style = StrandStyle(
        points=7,
        wander=1.0,
        curl=float(rng.uniform(0.5, 2.0)),
        clump=int(rng.integers(1, 6)),
        pull=float(rng.uniform(0.0, 0.5)),
        widths=(0.3, 0.7),
        opacities=(0.15, float(rng.uniform(0.35, 0.7))),
        contrast=float(rng.uniform(0.03, 0.2)),
    )
    roots, angles = border_roots(rng, contour, int(rng.integers(1500, 3500)), (0.0, 0.4 * reach))
    angles = (angles + rng.normal(0.0, 0.6, len(angles))).astype(np.float32)
    lengths = (reach * rng.gamma(2.5, 0.4, len(roots))).astype(np.float32)
    gain = _new_gain(size)
    paths = visible(grow(rng, size, roots, angles, lengths, style), size)
    strands = draw(rng, size, paths, style, gain)
    body = filled(height, width, [contour.points])
    # So many hairs that they merge: a smooth ramp, streaked by the ones that can be told apart.
    body = softened(body, reach * float(rng.uniform(0.08, 0.3)))
    streaks = np.float32(rng.uniform(0.0, 0.5)) * (0.5 - strands)
    body = np.clip(body - 4.0 * body * (1.0 - body) * streaks, 0.0, 1.0)
    return _finished(rng, size, texture, body, strands, gain)


def loose_hair(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Locks and single hairs that enter at one side and cross the frame, some dense, some not."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    style = StrandStyle(
        points=20,
        wander=float(rng.uniform(0.5, 1.5)),
        curl=float(rng.uniform(0.1, 0.6)),
        wave=float(rng.uniform(0.0, 0.5)),
        clump=int(rng.integers(6, 30)),
        pull=float(rng.uniform(0.0, 0.6)),
        widths=(0.4, float(rng.uniform(1.0, 3.0))),
        opacities=(0.4, 1.0),
        contrast=float(rng.uniform(0.1, 0.4)),
    )
    direction = float(rng.uniform(0, 2 * np.pi))
    forward = np.array([np.cos(direction), np.sin(direction)])
    sideways = np.array([-forward[1], forward[0]])
    count = int(rng.integers(250, 500))
    # Most strands lie in a dense band, the others beside it.
    spread = rng.normal(0.0, rng.uniform(0.08, 0.22), count) + rng.uniform(-0.25, 0.25)
    wide = rng.random(count) < 0.25
    spread[wide] = rng.uniform(-0.7, 0.7, int(wide.sum()))
    spread.sort()
    start = np.array([width, height]) / 2 - forward * 0.75 * extent
    roots = (start + spread[:, None] * sideways * extent).astype(np.float32)
    angles = np.full(count, direction, np.float32)
    lengths = (rng.uniform(0.7, 1.7, count) * extent).astype(np.float32)
    gain = _new_gain(size)
    paths = visible(grow(rng, size, roots, angles, lengths, style), size)
    strands = draw(rng, size, paths, style, gain)
    half = float(rng.uniform(0.08, 0.25)) * extent
    ends = [start - half * sideways, start + half * sideways]
    tip = start + forward * extent * float(rng.uniform(0.6, 1.2))
    lock = np.array([ends[0], ends[1], tip + 0.3 * half * sideways, tip - 0.3 * half * sideways])
    body = filled(height, width, [lock.astype(np.float32)])
    body = softened(body, 0.035 * extent)
    # Towards its border and its tip a lock falls apart into its strands.
    body = np.clip(body - 3.0 * body * (1.0 - body) * (0.6 - strands), 0.0, 1.0)
    return _finished(rng, size, texture, body, strands, gain)
