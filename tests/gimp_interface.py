"""The part of GIMP 3.0's interface for plug-ins that deepmatte's plug-in uses, over NumPy arrays.

Names, arguments and return values are those of GIMP 3.0's introspection data (Gimp-3.0.gir); where
GIMP refuses a call, so does this. Debian's GIMP is 2.10, so that the plug-in cannot run in GIMP
itself here.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow


class Item:
    """Something that has a name, in an image or on its way there."""

    def __init__(self, pixels: Any, name: str = "") -> None:
        self.pixels, self._name = pixels, name  # (H, W, 4) of a layer, else (H, W)
        self.offsets, self.visible = (0, 0), True
        self.image: Image | None = None

    def get_name(self) -> str:
        return self._name

    def set_name(self, name: str) -> bool:
        self._name = name
        return True

    def get_parent(self) -> None:
        return None

    def set_visible(self, visible: bool) -> bool:
        self.visible = visible
        return True

    def get_offsets(self) -> tuple[bool, int, int]:
        return (True, *self.offsets)

    def get_buffer(self) -> Buffer:
        return Buffer(self.pixels)


class Channel(Item):
    """A channel or the selection."""


class Layer(Item):
    """A layer and, maybe, its mask."""

    mask: Any = None

    @staticmethod
    def new_from_drawable(drawable: Item, dest_image: Image) -> Layer:
        pixels = drawable.pixels
        if pixels.ndim == 2:
            pixels = np.dstack([pixels] * 3 + [np.full_like(pixels, 255)])
        return Layer(pixels.copy(), drawable.get_name())

    def set_offsets(self, offx: int, offy: int) -> bool:
        self.offsets = (offx, offy)
        return True

    def resize_to_image_size(self) -> bool:
        assert self.image is not None, "the layer is in no image"
        canvas = np.zeros((self.image.height, self.image.width, 4), np.uint8)
        left, top = self.offsets
        canvas[top : top + len(self.pixels), left : left + self.pixels.shape[1]] = self.pixels
        self.pixels, self.offsets = canvas, (0, 0)
        return True

    def create_mask(self, mask_type: int) -> Item:
        assert mask_type == Gimp.AddMaskType.WHITE
        return Item(np.full(self.pixels.shape[:2], 255, np.uint8))

    def add_mask(self, mask: Item) -> bool:
        assert self.image is not None, "the layer is in no image"
        self.mask = mask
        return True


class Image:
    """An image; its first layer is the top one."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.layers = width, height, list[Layer]()
        self.selection = Channel(np.zeros((height, width), np.uint8))
        self.channels: list[Channel] = []
        self.undo_groups = 0

    @staticmethod
    def new(width: int, height: int, base_type: int) -> Image:
        return Image(width, height)

    def get_width(self) -> int:
        return self.width

    def get_height(self) -> int:
        return self.height

    def get_layers(self) -> list[Layer]:
        return list(self.layers)

    def get_item_position(self, item: Layer) -> int:
        return self.layers.index(item)

    def insert_layer(self, layer: Layer, parent: None, position: int) -> bool:
        assert layer.image is None, "the layer is in an image already"
        layer.image = self
        self.layers.insert(position, layer)
        return True

    def remove_layer(self, layer: Layer) -> bool:
        self.layers.remove(layer)
        return True

    def get_selection(self) -> Channel:
        return self.selection

    def remove_channel(self, channel: Channel) -> bool:
        self.channels.remove(channel)
        return True

    def undo_group_start(self) -> bool:
        self.undo_groups += 1
        return True

    def undo_group_end(self) -> bool:
        self.undo_groups -= 1
        return True

    def delete(self) -> bool:
        return True


class Selection(Channel):
    """The functions of an image's selection."""

    @staticmethod
    def bounds(image: Image) -> tuple[bool, bool, int, int, int, int]:
        rows, columns = np.nonzero(image.selection.pixels)
        if not rows.size:
            return True, False, 0, 0, image.width, image.height
        ends = int(columns.max()) + 1, int(rows.max()) + 1
        return (True, True, int(columns.min()), int(rows.min()), *ends)

    @staticmethod
    def none(image: Image) -> bool:
        image.selection.pixels[:] = 0
        return True

    @staticmethod
    def save(image: Image) -> Channel:
        image.channels.append(Channel(image.selection.pixels.copy(), "Selection Mask copy"))
        return image.channels[-1]


class Buffer:
    """GEGL's, of a drawable."""

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels

    def get(self, rect: Rectangle, scale: float, format_name: str, repeat_mode: int) -> bytes:
        assert (scale, format_name) == (1.0, "Y u8")
        part = self._pixels[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
        return bytes(part.tobytes())


class Rectangle:
    """GEGL's."""

    @staticmethod
    def new(x: int, y: int, width: int, height: int) -> Rectangle:
        made = Rectangle()
        made.x, made.y, made.width, made.height = x, y, width, height
        return made

    x: int
    y: int
    width: int
    height: int


class Procedure:
    """An image procedure, and what is told about it."""

    def __init__(self, name: str, run: Any) -> None:
        self.name, self.run, self.told = name, run, dict[str, Any]()

    @staticmethod
    def new(plug_in: Any, name: str, proc_type: str, run_func: Any, data: Any) -> Procedure:
        assert proc_type == "plug-in"
        return Procedure(name, run_func)

    def set_image_types(self, image_types: str) -> None:
        self.told["types"] = image_types

    def set_sensitivity_mask(self, sensitivity_mask: int) -> None:
        self.told["sensitivity"] = sensitivity_mask

    def set_menu_label(self, menu_label: str) -> None:
        self.told["label"] = menu_label

    def add_menu_path(self, menu_path: str) -> None:
        self.told["path"] = menu_path

    def set_documentation(self, blurb: str, text: str, help_id: str) -> None:
        self.told["help"] = help_id

    def set_attribution(self, authors: str, notice: str, date: str) -> None:
        self.told["authors"] = authors

    def new_return_values(self, status: str, error: Error) -> tuple[str, str]:
        return status, error.message


class Error(Exception):
    """GLib's."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class PlugIn:
    """What a plug-in is derived from."""

    __gtype__ = None


class Gimp:
    """The module's other names."""

    AddMaskType = types.SimpleNamespace(WHITE=0)
    ImageBaseType = types.SimpleNamespace(RGB=0)
    PDBProcType = types.SimpleNamespace(PLUGIN="plug-in")
    PDBStatusType = types.SimpleNamespace(EXECUTION_ERROR="error", SUCCESS="success")
    ProcedureSensitivityMask = types.SimpleNamespace(DRAWABLE=1)
    RunMode = types.SimpleNamespace(NONINTERACTIVE=1)
    _copied: Any = None

    @staticmethod
    def message(message: str) -> bool:
        return bool(message)

    @staticmethod
    def displays_flush() -> bool:
        return True

    @staticmethod
    def file_save(run_mode: int, image: Image, file: Path, options: None) -> bool:
        (layer,) = [layer for layer in image.layers if layer.visible]
        assert layer.pixels.shape == (image.height, image.width, 4)
        Pillow.fromarray(layer.pixels).save(file)
        return True

    @staticmethod
    def file_load_layer(run_mode: int, image: Image, file: Path) -> Layer:
        with Pillow.open(file) as stored:
            return Layer(np.asarray(stored.convert("RGBA")).copy(), file.name)

    @classmethod
    def edit_copy(cls, drawables: list[Layer]) -> bool:
        (layer,) = drawables
        assert layer.image is not None, "the layer is in no image"
        assert not layer.image.selection.pixels.any(), "only the selection would be copied"
        cls._copied = layer.pixels.copy()
        return True

    @classmethod
    def edit_paste(cls, drawable: Item, paste_into: bool) -> list[Any]:
        return [(drawable, cls._copied[..., 0])]

    @staticmethod
    def floating_sel_anchor(floating_sel: Any) -> bool:
        drawable, pixels = floating_sel
        drawable.pixels = pixels
        return True


def modules() -> dict[str, types.ModuleType]:
    """``gi`` and ``gi.repository`` as they would be in GIMP's Python."""
    kinds = {"Image": Image, "ImageProcedure": Procedure, "Layer": Layer, "Selection": Selection}
    for name, kind in {**kinds, "PlugIn": PlugIn}.items():
        setattr(Gimp, name, kind)
    gi, repository = types.ModuleType("gi"), types.ModuleType("gi.repository")
    gi.require_version = lambda namespace, version: None  # type: ignore[attr-defined]
    gegl = types.SimpleNamespace(Rectangle=Rectangle, AbyssPolicy=types.SimpleNamespace(CLAMP=1))
    gio = types.SimpleNamespace(File=types.SimpleNamespace(new_for_path=Path))
    glib = types.SimpleNamespace(Error=Error)
    for name, value in (("Gimp", Gimp), ("Gegl", gegl), ("Gio", gio), ("GLib", glib)):
        setattr(repository, name, value)
    return {"gi": gi, "gi.repository": repository}
