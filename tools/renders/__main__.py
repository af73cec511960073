"""Renders foregrounds with true alpha by Blender: what folders of real photos have few of.

    pip install "bpy==5.0.1" numpy opencv-python-headless       # Python 3.11, 821 MB
    python tools/renders OUT [--each 40] [--side 512] [--seed 1] [--kind fur]...
    deepmatte train lite --foregrounds OUT --backgrounds photos --out runs/lite

writes OUT/<kind>-<number>.png: fur, hair, dandelions, grass, ferns, feathers, nets, sieves,
springs, lace, glass, bulbs and smoke, under one of the skies that Blender brings (CC0). In half of
them what is not in focus is blurred as by a lens. A second run renders only what is missing. What a
render shows is described in `kinds.py` alone, so it belongs to whoever makes it.

Colours are rendered with few samples and denoised. Alpha has only as many levels as there are
samples: what is opaque gets it from a second pass with many samples and no light.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"

import bpy
import cv2
import numpy as np
from kinds import KINDS, SEEN_THROUGH
from numpy.typing import NDArray
from shapes import Random, material

_COLOUR_SAMPLES, _ALPHA_SAMPLES = 48, 256


def _set_up(rng: Random, side: int) -> None:
    """An empty scene with a sky, a camera that looks at the origin, and the renderer."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    _light(rng, scene)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    angle, height = rng.uniform(-0.6, 0.6), rng.uniform(-0.5, 0.8)
    camera.location = 6 * np.array(
        [math.sin(angle) * math.cos(height), -math.cos(angle) * math.cos(height), math.sin(height)]
    )
    camera.rotation_euler = (math.pi / 2 - height, rng.normal(0, 0.2), angle)
    camera.data.lens = 85 * rng.uniform(0.9, 1.6)
    if rng.random() < 0.5:
        camera.data.dof.use_dof = True
        camera.data.dof.focus_distance = 6 - rng.uniform(-0.8, 0.8)
        camera.data.dof.aperture_fstop = 2 ** rng.uniform(-4.5, -1)
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = side
    scene.render.film_transparent = True
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.cycles.film_transparent_glass = True
    scene.cycles.max_bounces = 12
    scene.cycles.denoiser = "OPENIMAGEDENOISE"
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.seed = int(rng.integers(2**31))
    scene.view_settings.view_transform = "Standard"
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.color_depth = "OPEN_EXR", "RGBA", "32"


def _light(rng: Random, scene: bpy.types.Scene) -> None:
    """One of the skies in Blender's own files, turned about."""
    folder = Path(bpy.utils.resource_path("LOCAL"), "datafiles", "studiolights", "world")
    skies = sorted(folder.glob("*.exr"))
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    nodes, links = scene.world.node_tree.nodes, scene.world.node_tree.links
    nodes.clear()
    sky, shade = nodes.new("ShaderNodeTexEnvironment"), nodes.new("ShaderNodeBackground")
    turn, place = nodes.new("ShaderNodeMapping"), nodes.new("ShaderNodeTexCoord")
    output = nodes.new("ShaderNodeOutputWorld")
    sky.image = bpy.data.images.load(str(skies[rng.integers(len(skies))]))
    turn.inputs["Rotation"].default_value[2] = rng.uniform(0, 2 * math.pi)
    shade.inputs["Strength"].default_value = 2 ** rng.uniform(-0.5, 1.5)
    links.new(place.outputs["Generated"], turn.inputs["Vector"])
    links.new(turn.outputs[0], sky.inputs["Vector"])
    links.new(sky.outputs[0], shade.inputs["Color"])
    links.new(shade.outputs[0], output.inputs["Surface"])


def _rendered(samples: int, *, denoised: bool) -> NDArray[np.float32]:
    """The scene, (side, side, 4): linear light multiplied by alpha, blue first, and alpha."""
    scene = bpy.context.scene
    scene.cycles.samples, scene.cycles.use_denoising = samples, denoised
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder, "render.exr"))
        bpy.ops.render.render(write_still=True)
        return np.asarray(cv2.imread(scene.render.filepath, cv2.IMREAD_UNCHANGED), np.float32)


def _alpha() -> NDArray[np.float32]:
    """Alpha of what is opaque, with many samples: nothing but a white glow has to be traced."""
    layer = bpy.context.view_layer
    layer.material_override = material("ShaderNodeEmission")
    bpy.context.scene.cycles.max_bounces = 0
    alpha = _rendered(_ALPHA_SAMPLES, denoised=False)[..., 3]
    layer.material_override = None
    return alpha


def render(kind: Callable[[Random], None], rng: Random, side: int) -> NDArray[np.uint8]:
    """A foreground of a kind, (side, side, 4), uint8, blue first, colours not multiplied."""
    _set_up(rng, side)
    kind(rng)
    through = kind in SEEN_THROUGH
    picture = _rendered(_ALPHA_SAMPLES if through else _COLOUR_SAMPLES, denoised=True)
    own = picture[..., 3].clip(0, 1)
    alpha = own if through else _alpha().clip(0, 1)
    # Colours where there is something to see, spread from there to where there is next to nothing.
    weight = (own > 0.02).astype(np.float32)
    colours = picture[..., :3] / np.maximum(own, 0.02)[..., None]
    for sigma in (2, 8, 32, 128):
        spread = cv2.GaussianBlur(np.dstack([colours * weight[..., None], weight]), (0, 0), sigma)
        empty = (weight == 0) & (spread[..., 3] > 1e-4)
        colours[empty] = (spread[..., :3] / np.maximum(spread[..., 3:], 1e-6))[empty]
        weight[empty] = 1
    encoded = np.where(
        colours < 0.0031308, colours * 12.92, 1.055 * colours.clip(0) ** (1 / 2.4) - 0.055
    )
    return np.asarray(np.rint(np.dstack([encoded.clip(0, 1), alpha]) * 255), np.uint8)


def main() -> None:
    """Render what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--each", type=int, default=40, help="renders of a kind")
    parser.add_argument("--side", type=int, default=512, help="of one render, pixels")
    parser.add_argument("--seed", type=int, default=1)
    names = [kind.__name__ for kind in KINDS]
    parser.add_argument("--kind", action="append", choices=names, help="only these kinds")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for index in range(arguments.each):
        for order, kind in enumerate(KINDS):
            path = arguments.out / f"{kind.__name__}-{index}.png"
            if path.exists() or kind.__name__ not in (arguments.kind or names):
                continue
            rng = np.random.default_rng((arguments.seed, order, index))
            part = path.with_suffix(".part.png")
            cv2.imwrite(str(part), render(kind, rng, arguments.side))
            part.replace(path)


if __name__ == "__main__":
    main()
