#!/usr/bin/env python3
"""GIMP 3's plug-in: Layer > Transparency > Cut out with deepmatte.

Written for the interface that GIMP 3.0 documents; the part that does the work is the module that it
shares with Krita's plug-in.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
from deepmatte_host import Hints, HostError, box_of, matte  # noqa: E402
from gi.repository import Gegl, Gimp, Gio, GLib  # noqa: E402

NAME = "plug-in-deepmatte-cut-out"
TRIMAP = "trimap"
"""The name of the layer that is read as a trimap."""


class CutOut(Gimp.PlugIn):  # type: ignore[misc]
    """The plug-in."""

    def do_query_procedures(self) -> list[str]:
        """The one procedure that there is."""
        return [NAME]

    def do_set_i18n(self, name: str) -> bool:
        """No translations."""
        return False

    def do_create_procedure(self, name: str) -> Any:
        """The menu's entry."""
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("RGB*, GRAY*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_menu_label("Cut out with deepmatte")
        procedure.add_menu_path("<Image>/Layer/Transparency")
        procedure.set_documentation(
            "Cut the subject out, down to single hairs",
            "Makes a layer with a mask of the subject of the active layer. Where the subject is it"
            " learns from a layer named trimap, or from the selection, or finds out by itself.",
            name,
        )
        procedure.set_attribution("deepmatte", "deepmatte", "2026")
        return procedure


def run(procedure: Any, mode: Any, image: Any, drawables: list[Any], config: Any, data: Any) -> Any:
    """Cut out, as GIMP calls it."""
    image.undo_group_start()
    try:
        for note in cut_out(image, drawables):
            Gimp.message(note)
    except HostError as error:
        failure = GLib.Error(str(error))
        return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, failure)
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, GLib.Error())


def cut_out(image: Any, drawables: list[Any]) -> list[str]:
    """Add a layer with a mask above the active one, and hide the active one.

    Returns:
        Sentences that the user should read.

    Raises:
        HostError: not one layer is active, or deepmatte says what is wrong.
    """
    if len(drawables) != 1 or not isinstance(drawables[0], Gimp.Layer):
        raise HostError("Choose one layer: the photo to be cut out.")
    source = drawables[0]
    with tempfile.TemporaryDirectory(prefix="deepmatte-") as name:
        folder = Path(name)
        picture, foreground, alpha = (
            folder / f"{part}.png" for part in ("picture", "foreground", "alpha")
        )
        _save(image, source, picture)
        notes = matte(picture, _hints(image, source, folder), foreground=foreground, alpha=alpha)
        layer, levels = _load(image, foreground), _load(image, alpha)
    parent = source.get_parent()
    image.insert_layer(layer, parent, image.get_item_position(source))
    layer.set_name(f"{source.get_name()} (cut out)")
    image.insert_layer(levels, parent, 0)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    Gimp.Selection.none(image)  # else only what is selected would be copied
    Gimp.edit_copy([levels])
    for floating in Gimp.edit_paste(mask, True):
        Gimp.floating_sel_anchor(floating)
    image.remove_layer(levels)
    source.set_visible(False)
    return notes


def _save(image: Any, drawable: Any, path: Path) -> None:
    """A layer or a channel as it looks by itself, at the image's size, as a PNG."""
    copy = Gimp.Image.new(image.get_width(), image.get_height(), Gimp.ImageBaseType.RGB)
    layer = Gimp.Layer.new_from_drawable(drawable, copy)
    copy.insert_layer(layer, None, 0)
    _, left, top = drawable.get_offsets()
    layer.set_offsets(left, top)
    layer.resize_to_image_size()
    layer.set_visible(True)
    saved = Gimp.file_save(
        Gimp.RunMode.NONINTERACTIVE, copy, Gio.File.new_for_path(str(path)), None
    )
    copy.delete()
    if not saved:
        raise HostError(f"The layer {drawable.get_name()} cannot be saved.")


def _load(image: Any, path: Path) -> Any:
    return Gimp.file_load_layer(
        Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path))
    )


def _hints(image: Any, source: Any, folder: Path) -> Hints:
    for layer in image.get_layers():
        if layer.get_name().strip().lower() == TRIMAP and layer != source:
            _save(image, layer, folder / "trimap.png")
            layer.set_visible(False)
            return Hints(trimap=folder / "trimap.png")
    _, selected, left, top, right, bottom = Gimp.Selection.bounds(image)
    if not selected:
        return Hints()
    area = Gegl.Rectangle.new(left, top, right - left, bottom - top)
    buffer = image.get_selection().get_buffer()
    levels = buffer.get(area, 1.0, "Y u8", Gegl.AbyssPolicy.CLAMP)
    if box_of(bytes(levels), right - left, bottom - top):
        return Hints(box=(left, top, right, bottom))
    channel = Gimp.Selection.save(image)
    _save(image, channel, folder / "mask.png")
    image.remove_channel(channel)
    return Hints(mask=folder / "mask.png")


if __name__ == "__main__":
    Gimp.main(CutOut.__gtype__, sys.argv)
