"""Materials and shapes that foregrounds are made of."""

from __future__ import annotations

import math

import bpy

import bmesh  # isort: skip  (bpy brings it)
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Random = np.random.Generator


def material(kind: str, **values: object) -> bpy.types.Material:
    """A material of one shader node, ``kind``, with these values of its inputs."""
    made = bpy.data.materials.new(kind)
    made.use_nodes = True
    nodes = made.node_tree.nodes
    nodes.clear()
    shader, output = nodes.new(kind), nodes.new("ShaderNodeOutputMaterial")
    if kind == "ShaderNodeBsdfHairPrincipled":
        shader.parametrization = "MELANIN"
    for name, value in values.items():
        shader.inputs[name.replace("_", " ")].default_value = value
    socket = "Volume" if "Volume" in kind else "Surface"
    made.node_tree.links.new(shader.outputs[0], output.inputs[socket])
    return made


def paint(rng: Random, hue: tuple[float, float] = (0, 1), rough: float = 0.5) -> bpy.types.Material:
    """A coloured surface of a hue in ``hue``, blotched."""
    made = material("ShaderNodeBsdfPrincipled", Roughness=rough)
    nodes, links = made.node_tree.nodes, made.node_tree.links
    noise, ramp = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeValToRGB")
    noise.inputs["Scale"].default_value = 2 ** rng.uniform(0, 6)
    for stop in ramp.color_ramp.elements:
        stop.color = _colour(rng, hue)
    links.new(noise.outputs[0], ramp.inputs[0])
    links.new(ramp.outputs[0], nodes["Principled BSDF"].inputs["Base Color"])
    return made


def _colour(rng: Random, hue: tuple[float, float] = (0, 1)) -> tuple[float, float, float, float]:
    angle = 2 * math.pi * rng.uniform(*hue)
    third = 2 * math.pi / 3
    saturation, value = rng.uniform(0, 0.9), 2 ** rng.uniform(-4.5, -0.3)
    red, green, blue = (
        float(value * (1 - saturation * (1 - math.cos(angle - turn)) / 2))
        for turn in (0, third, 2 * third)
    )
    return red, green, blue, 1.0


def hair_fibre(rng: Random) -> bpy.types.Material:
    """Hair or fur, from white to black or red."""
    return material(
        "ShaderNodeBsdfHairPrincipled",
        Melanin=rng.uniform(0, 1) ** 1.5,
        Melanin_Redness=rng.uniform(0, 1),
        Random_Color=rng.uniform(0, 0.6),
        Roughness=rng.uniform(0.2, 0.5),
    )


def metal(rng: Random) -> bpy.types.Material:
    """Bare or painted metal."""
    grey = rng.uniform(0.1, 0.9)
    colour = _colour(rng) if rng.random() < 0.5 else (grey, grey, grey, 1.0)
    return material(
        "ShaderNodeBsdfPrincipled",
        Base_Color=colour,
        Metallic=float(rng.random() < 0.7),
        Roughness=rng.uniform(0.05, 0.6),
    )


def clear_glass(rng: Random) -> bpy.types.Material:
    """Glass, tinted perhaps."""
    tint = 1 - rng.uniform(0, 0.5) * rng.uniform(0, 1, 3) * (rng.random() < 0.4)
    return material(
        "ShaderNodeBsdfGlass", Color=(*tint.tolist(), 1.0), Roughness=0.0, IOR=rng.uniform(1.2, 1.5)
    )


def add_strands(points: Array, radius: Array | float, material: bpy.types.Material) -> None:
    """Round strands through ``points`` (strands, points of each, 3), as thick as ``radius``.

    ``radius`` broadcasts to (strands, points of each).
    """
    count, length, _ = points.shape
    curves = bpy.data.hair_curves.new("strands")
    curves.add_curves([length] * count)
    curves.position_data.foreach_set("vector", points.astype(np.float32).ravel())
    thickness = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
    widths = np.broadcast_to(radius, (count, length)).astype(np.float32)
    thickness.data.foreach_set("value", widths.ravel())
    curves.materials.append(material)
    _link(curves)


def add_mesh(vertices: Array, faces: list[list[int]], material: bpy.types.Material) -> None:
    """A surface of faces, each a list of the numbers of its vertices (n, 3)."""
    mesh = bpy.data.meshes.new("mesh")
    mesh.from_pydata(vertices.tolist(), [], faces)
    # Glass and smoke need closed surfaces that face outwards.
    shape = bmesh.new()
    shape.from_mesh(mesh)
    bmesh.ops.remove_doubles(shape, verts=shape.verts, dist=1e-3)
    bmesh.ops.recalc_face_normals(shape, faces=shape.faces)
    shape.to_mesh(mesh)
    shape.free()
    mesh.materials.append(material)
    mesh.shade_smooth()
    _link(mesh)


def _link(data: bpy.types.ID) -> None:
    bpy.context.collection.objects.link(bpy.data.objects.new(data.name, data))


def add_turned(radii: Array, heights: Array, material: bpy.types.Material, sides: int = 64) -> None:
    """A shape as from a lathe: the profile ``radii`` over ``heights`` turned about the z axis."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    vertices = np.concatenate(
        [np.c_[radius * ring, np.full(sides, z)] for radius, z in zip(radii, heights, strict=True)]
    )
    faces = [
        [row * sides + i, row * sides + j, (row + 1) * sides + j, (row + 1) * sides + i]
        for row in range(len(radii) - 1)
        for i, j in zip(range(sides), np.roll(range(sides), -1).tolist(), strict=True)
    ]
    add_mesh(vertices, faces, material)


def add_ball(radius: Array | float, centre: Array, material: bpy.types.Material) -> None:
    """A ball, or an ellipsoid where there is a radius for each axis."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, location=centre.tolist())
    ball = bpy.context.object
    ball.scale = np.broadcast_to(radius, 3).tolist()
    ball.data.materials.append(material)
    ball.data.shade_smooth()


def directions(rng: Random, count: int) -> Array:
    """Unit vectors (count, 3), evenly about a sphere."""
    vectors = rng.normal(size=(count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def grown(
    rng: Random, roots: Array, ways: Array, lengths: Array, *, fall: float, curl: float, steps: int
) -> Array:
    """Strands (n, steps, 3) from ``roots`` along ``ways``, which fall down and curl on the way.

    Neighbours share part of their curl, as locks do.
    """
    along = np.linspace(0, 1, steps)
    locks = directions(rng, 40)
    lock = np.argmax(ways @ locks.T, axis=1)
    phase = rng.uniform(0, 6, (40, 1, 3))[lock] + rng.normal(0, 0.7, (len(roots), 1, 3))
    waves = rng.uniform(3, 12)
    bend = curl * along[:, None] * np.sin(waves * along[:, None] + phase)
    down = np.array([0, 0, -fall]) * (along**2)[:, None]
    path = along[:, None] * ways[:, None] + down + bend
    return np.asarray(roots[:, None] + lengths[:, None, None] * path)
