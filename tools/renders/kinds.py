"""Kinds of foregrounds: each function fills the space within about one unit of the origin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from shapes import (
    Array,
    Random,
    add_ball,
    add_mesh,
    add_strands,
    add_turned,
    clear_glass,
    directions,
    grown,
    hair_fibre,
    material,
    metal,
    paint,
)


def fur(rng: Random) -> None:
    """A ball of fur, with eyes perhaps."""
    size = rng.uniform(0.45, 0.7, 3)
    ways = directions(rng, int(rng.uniform(8_000, 25_000)))
    lengths = rng.uniform(0.12, 0.45) * rng.uniform(0.5, 1.2, len(ways))
    fall, curl = rng.uniform(0, 0.8), rng.uniform(0.02, 0.4)
    strands = grown(rng, ways * size, ways, lengths, fall=fall, curl=curl, steps=7)
    taper = np.linspace(1, 0.1, 7)
    add_strands(strands, rng.uniform(0.0012, 0.004) * taper, hair_fibre(rng))
    add_ball(size * 0.98, np.zeros(3), paint(rng))


def hair(rng: Random) -> None:
    """Long hair that falls from a head, with single hairs that fly off."""
    ways = directions(rng, int(rng.uniform(6_000, 16_000)))
    ways[:, 2] = np.abs(ways[:, 2]) * 0.9
    roots = ways * 0.42 + np.array([0, 0, 0.45])
    lengths = rng.uniform(0.4, 1.1) * rng.uniform(0.7, 1.1, len(ways))
    outward = ways * rng.uniform(0.3, 0.7)
    flying = rng.random(len(ways)) < rng.uniform(0.005, 0.06)
    outward[flying] *= rng.uniform(1.2, 2.5, (flying.sum(), 1))
    fall, curl = rng.uniform(0.8, 1.5), rng.uniform(0.02, 0.3)
    strands = grown(rng, roots, outward, lengths, fall=fall, curl=curl, steps=14)
    add_strands(strands, rng.uniform(0.001, 0.003) * np.linspace(1, 0.3, 14), hair_fibre(rng))
    add_ball(0.41, np.array([0, 0, 0.45]), paint(rng, (0.0, 0.12)))


def dandelion(rng: Random) -> None:
    """A head of seeds, each a stalk that ends in a parachute of filaments."""
    seeds = directions(rng, int(rng.uniform(60, 220)))
    seeds = seeds[rng.random(len(seeds)) < rng.uniform(0.5, 1.0)]
    ends = seeds * rng.uniform(0.4, 0.55)
    along = np.linspace(0.1, 1, 4)[:, None]
    colour = paint(rng, (0.05, 0.2), rough=0.9)
    add_strands(ends[:, None] * along, 0.002, colour)
    each = int(rng.uniform(14, 36))
    spread = directions(rng, len(seeds) * each).reshape(len(seeds), each, 3)
    ways = seeds[:, None] * rng.uniform(0.2, 0.8) + spread * 0.8
    tips = ends[:, None] + ways * rng.uniform(0.15, 0.3)
    filaments = ends[:, None, None] + along * (tips - ends[:, None])[:, :, None]
    add_strands(filaments.reshape(-1, 4, 3), rng.uniform(0.0008, 0.002), colour)
    add_ball(0.07, np.zeros(3), paint(rng, (0.0, 0.3)))
    stem = np.linspace(0, 1, 12)[:, None] * np.array([rng.uniform(-0.3, 0.3), 0, -1.6])
    add_strands(stem[None], 0.018, paint(rng, (0.15, 0.4)))


def grass(rng: Random) -> None:
    """A tuft of blades or of ears on thin stalks."""
    count = int(rng.uniform(60, 500))
    roots = np.c_[rng.normal(0, 0.15, (count, 2)), np.full(count, -0.9)]
    ways = np.c_[rng.normal(0, rng.uniform(0.2, 0.6), (count, 2)), np.ones(count)]
    lengths = rng.uniform(0.8, 1.7, count)
    strands = grown(rng, roots, ways, lengths, fall=rng.uniform(0, 0.7), curl=0.05, steps=16)
    taper = np.sin(np.linspace(0.9, np.pi - 0.05, 16))
    add_strands(strands, rng.uniform(0.004, 0.016) * taper, paint(rng, (0.1, 0.4)))
    if rng.random() < 0.5:  # ears with awns
        tips = strands[: int(rng.uniform(5, 30)), -6:].reshape(-1, 3).repeat(6, axis=0)
        awns = np.array([0, 0, 0.7]) + directions(rng, len(tips)) * 0.7
        path = np.linspace(0, rng.uniform(0.08, 0.25), 4)[None, :, None]
        add_strands(tips[:, None] + path * awns[:, None], 0.0018, paint(rng, (0.05, 0.3)))


def fern(rng: Random) -> None:
    """Fronds: a bent stalk with leaves on both sides, each with leaflets of its own."""
    for _ in range(int(rng.uniform(1, 5))):
        way = np.array([*rng.normal(0, 0.5, 2), 1.0])
        stalk = grown(
            rng, np.array([[0, 0, -0.9]]), way[None], np.array([1.6]), fall=0.4, curl=0.05, steps=40
        )
        colour = paint(rng, (0.15, 0.4))
        add_strands(stalk, 0.008 * np.linspace(1, 0.2, 40), colour)
        points = stalk[0, 4:]
        across = np.cross(way, rng.normal(size=3))
        across /= np.linalg.norm(across)
        envelope = np.sin(np.linspace(0.5, np.pi, len(points))) * rng.uniform(0.25, 0.5)
        vertices: list[Any] = []
        faces: list[Any] = []
        for point, reach in zip(points, envelope, strict=True):
            for side in (-1, 1):
                _leaf(vertices, faces, point, side * across * reach, way * 0.1 * reach)
        add_mesh(np.array(vertices), faces, colour)


def _leaf(
    vertices: list[Array], faces: list[list[int]], root: Array, along: Array, up: Array
) -> None:
    """Add the leaflets of a leaf from ``root`` to ``root + along``."""
    for share in np.linspace(0.1, 1, 9):
        middle, size = root + share * along, 0.16 * (1.15 - share)
        width = up * 6 * size
        tip = along * size
        first = len(vertices)
        vertices += [middle - width, middle + tip * 0.6, middle + width, middle - tip * 0.4]
        faces.append([first, first + 1, first + 2, first + 3])


def feather(rng: Random) -> None:
    """A feather: barbs on both sides of a shaft, with gaps."""
    shaft = np.linspace(-0.9, 0.9, 300)
    bent = np.c_[0.25 * shaft**2, 0 * shaft, shaft]
    add_strands(bent[None, ::10], 0.012 * np.linspace(1, 0.2, 30), paint(rng))
    width = rng.uniform(0.2, 0.45) * np.sin(np.linspace(0.15, np.pi, 300)) ** 0.6
    sides = []
    for side in (-1, 1):
        ways = np.c_[np.full(300, side), rng.normal(0, 0.04, 300), rng.uniform(0.4, 0.9, 300)]
        loose = rng.random(300) < rng.uniform(0, 0.3)
        ways[loose] += rng.normal(0, 0.3, (loose.sum(), 3))
        barbs = grown(rng, bent, ways, width, fall=0.1, curl=0.03, steps=8)
        sides.append(np.repeat(barbs, 3, axis=0) + rng.normal(0, 0.004, (900, 1, 3)))
    add_strands(np.concatenate(sides), 0.0025 * np.linspace(1, 0.4, 8), paint(rng))


def net(rng: Random) -> None:
    """A net of cords over a bent surface: square or diagonal meshes."""
    lines, steps = int(rng.uniform(8, 40)), 80
    across, along = np.meshgrid(np.linspace(-1, 1, lines), np.linspace(-1, 1, steps), indexing="ij")
    one, two = np.stack([across, along], -1), np.stack([along, across], -1)
    flat = np.concatenate([one, two])
    if rng.random() < 0.5:
        turn = np.array([[1, -1], [1, 1]]) / math.sqrt(2)
        flat = flat @ turn
    waves = rng.uniform(1, 5, 2)
    depth = rng.uniform(0, 0.25) * np.sin(flat @ waves + rng.uniform(0, 6))
    sag = flat + 0.06 * np.sin(3 * flat[..., ::-1] + rng.uniform(0, 6, 2))
    points = np.stack([sag[..., 0], depth, sag[..., 1]], -1)
    add_strands(
        points, rng.uniform(0.1, 0.3) / lines, paint(rng) if rng.random() < 0.5 else metal(rng)
    )


def sieve(rng: Random) -> None:
    """A wire mesh, woven, in a rim with a handle."""
    lines, steps = int(rng.uniform(14, 50)), 160
    place = np.linspace(-0.8, 0.8, lines)
    wire = metal(rng)
    thin = rng.uniform(0.08, 0.22) / lines
    bowl = rng.uniform(0, 0.6)
    for turned in (False, True):
        wires = []
        for number, offset in enumerate(place):
            half = math.sqrt(max(0.8**2 - offset**2, 1e-4))
            run = np.linspace(-half, half, steps)
            x, y = (np.full(steps, offset), run) if turned else (run, np.full(steps, offset))
            weave = thin * np.cos(np.pi * (run / (place[1] - place[0]) + number + turned))
            wires.append(np.c_[x, weave - bowl * (0.64 - x**2 - y**2), y])
        add_strands(np.array(wires), thin, wire)
    angle = np.linspace(0, 2 * np.pi, 120)
    rim = np.c_[0.8 * np.cos(angle), 0 * angle, 0.8 * np.sin(angle)]
    add_strands(rim[None], rng.uniform(0.015, 0.05), wire)
    handle = np.array([[0, 0, -0.8], [0, 0, -1.1], [0, 0, -1.5]])
    add_strands(handle[None], rng.uniform(0.02, 0.06), paint(rng))


def spring(rng: Random) -> None:
    """Coils of wire, one or more."""
    wire = metal(rng)
    for _ in range(int(rng.uniform(1, 4))):
        turns = rng.uniform(6, 30)
        along = np.linspace(0, 1, int(40 * turns))
        angle, radius = 2 * np.pi * turns * along, rng.uniform(0.1, 0.45)
        axis = np.stack([rng.uniform(-0.4, 0.4) + 0.5 * np.sin(rng.uniform(0, 4) * along)] * 2, -1)
        coil = axis * [1, 0.2] + radius * np.c_[np.cos(angle), np.sin(angle)]
        add_strands(np.c_[coil, 1.9 * along - 0.95][None], rng.uniform(0.006, 0.03), wire)


def lace(rng: Random) -> None:
    """A cloth of rosettes joined by loops."""
    thread, depth = rng.uniform(0.0025, 0.006), rng.uniform(0, 0.2)
    cells, petals = int(rng.uniform(4, 9)), int(rng.uniform(5, 10))
    angle = np.linspace(0, 2 * np.pi, 120)
    loops = []
    for row, column in np.ndindex(cells, cells):
        centre = (np.array([row + 0.5 * (column % 2), column]) / cells - 0.5) * 1.9
        for size, wave in ((0.55, 0.3), (0.42, 0.6), (0.3, 0.9), (0.62, 0.05)):
            radius = size / cells * (1 + wave * np.cos(petals * angle))
            loops.append(centre + 1.6 * radius[:, None] * np.c_[np.cos(angle), np.sin(angle)])
    flat = np.array(loops)
    bent = depth * np.sin(flat @ rng.uniform(2, 6, 2))
    add_strands(np.stack([flat[..., 0], bent, flat[..., 1]], -1), thread, paint(rng, rough=0.9))


def glass(rng: Random) -> None:
    """A glass, a bottle or a vase; something to drink in it perhaps."""
    heights = np.linspace(-0.9, 0.9, 60)
    knots = rng.uniform(0.06, 0.5, 7)
    radii = np.interp(heights, np.linspace(-0.9, 0.9, 7), knots)
    radii = np.asarray(cv2.GaussianBlur(radii[:, None], (1, 15), 3)[:, 0], np.float64)
    thick = rng.uniform(0.01, 0.04)
    inner = radii[:3:-1] - thick
    add_turned(
        np.r_[1e-4, radii, inner, 1e-4],
        np.r_[-0.9, heights, heights[:3:-1], heights[4]],
        clear_glass(rng),
    )
    if rng.random() < 0.4:
        top = int(rng.uniform(15, 50))
        filling = np.r_[1e-4, radii[5:top] - 1.05 * thick, 1e-4]
        add_turned(filling, np.r_[heights[5], heights[5:top], heights[top - 1]], paint(rng))


def bulb(rng: Random) -> None:
    """A light bulb: thin glass, a filament, a socket."""
    angle = np.linspace(0.02, np.pi - 0.5, 40)
    outer = np.c_[0.55 * np.sin(angle), 0.2 + 0.55 * np.cos(angle)]
    inner = outer[::-1] * [0.985, 0.99]
    profile = np.r_[outer, inner, outer[:1]]
    add_turned(profile[:, 0], profile[:, 1], clear_glass(rng))
    neck = outer[-1, 0]
    add_turned(np.array([neck, neck, 0.2, 0.01]), np.array([-0.28, -0.6, -0.75, -0.75]), metal(rng))
    along = np.linspace(0, 1, 400)
    turns = 2 * np.pi * rng.uniform(10, 30) * along
    coil = np.c_[0.5 * along - 0.25, 0.02 * np.cos(turns), 0.2 + 0.02 * np.sin(turns)]
    posts = np.array([[[x, 0, 0.2], [x * 0.6, 0, -0.1], [x * 0.4, 0, -0.4]] for x in (-0.25, 0.25)])
    wire = metal(rng)
    add_strands(coil[None], 0.006, wire)
    add_strands(posts, 0.008, wire)


def smoke(rng: Random) -> None:
    """A cloud: a volume whose density is noise, thinner outwards."""
    brightness = rng.uniform(0.2, 1)
    cloud = material("ShaderNodeVolumePrincipled", Color=(*[brightness] * 3, 1.0))
    nodes, links = cloud.node_tree.nodes, cloud.node_tree.links
    noise, position = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeTexCoord")
    noise.inputs["Scale"].default_value = rng.uniform(1.5, 5)
    noise.inputs["Detail"].default_value = 8
    noise.inputs["Distortion"].default_value = rng.uniform(0, 1.5)
    distance, shape, scaled = (nodes.new(f"ShaderNode{kind}Math") for kind in ("Vector", "", ""))
    distance.operation, shape.operation, scaled.operation = "LENGTH", "SUBTRACT", "MULTIPLY"
    links.new(position.outputs["Object"], noise.inputs["Vector"])
    links.new(position.outputs["Object"], distance.inputs[0])
    links.new(noise.outputs[0], shape.inputs[0])
    links.new(distance.outputs["Value"], shape.inputs[1])
    shape.use_clamp = True
    links.new(shape.outputs[0], scaled.inputs[0])
    scaled.inputs[1].default_value = 2 ** rng.uniform(1, 6)
    links.new(scaled.outputs[0], nodes["Principled Volume"].inputs["Density"])
    add_ball(1.0, np.zeros(3), cloud)


KINDS: tuple[Callable[[Random], None], ...] = (
    fur, hair, dandelion, grass, fern, feather, net, sieve, spring, lace, glass, bulb, smoke
)  # fmt: skip
SEEN_THROUGH = (glass, bulb, smoke)
