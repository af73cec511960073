"""Cuts the subject of the active layer out to a new layer with a transparency mask.

Krita before 5.2 cannot be told by a plug-in to make such a mask; there the layer itself is
transparent.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from krita import Document, Extension, Krita, Node, Selection
from PyQt5.QtCore import QByteArray
from PyQt5.QtGui import QImage
from PyQt5.QtWidgets import QMessageBox

from .deepmatte_host import Hints, HostError, box_of, matte

TRIMAP = "trimap"
"""The name of the layer that is read as a trimap."""


class CutOut(Extension):  # type: ignore[misc]
    """The menu's entry."""

    def setup(self) -> None:
        """Nothing, at Krita's start."""

    def createActions(self, window: Any) -> None:  # noqa: N802 (Krita's name)
        """Put it into the menu."""
        action = window.createAction("deepmatte_cut_out", "Cut out with deepmatte", "tools/scripts")
        action.triggered.connect(run)


def run() -> None:
    """Cut out, and tell the user what went wrong or should be known."""
    document = Krita.instance().activeDocument()
    if document is None:
        QMessageBox.information(None, "deepmatte", "Open a picture first.")
        return
    try:
        notes = cut_out(document, document.activeNode())
    except HostError as error:
        QMessageBox.warning(None, "deepmatte", str(error))
    else:
        if notes:
            QMessageBox.information(None, "deepmatte", "\n".join(notes))


def cut_out(document: Document, source: Node | None) -> list[str]:
    """Add a layer of another layer's subject above it, and hide the other.

    Args:
        document: what is open.
        source: the layer with the photo.

    Returns:
        Sentences that the user should read.

    Raises:
        HostError: there is no layer, or deepmatte says what is wrong.
    """
    trimap = _named(document.rootNode(), TRIMAP)
    if source is None or source == trimap:
        raise HostError("The active layer is no photo; choose the one to be cut out.")
    width, height = document.width(), document.height()
    with tempfile.TemporaryDirectory(prefix="deepmatte-") as name:
        folder = Path(name)
        files = [folder / f"{part}.png" for part in ("picture", "foreground", "alpha")]
        _save(document, source, files[0])
        hints = _hints(document, trimap, folder)
        notes = matte(files[0], hints, foreground=files[1], alpha=files[2])
        colours = QImage(str(files[1])).convertToFormat(QImage.Format_ARGB32)  # B, G, R, A
        alpha = QImage(str(files[2])).convertToFormat(QImage.Format_Grayscale8)
    layer = document.createNode(f"{source.name()} (cut out)", "paintlayer")
    _convert(document, layer)
    source.parentNode().addChildNode(layer, source)
    if hasattr(document, "createTransparencyMask"):  # since Krita 5.2
        layer.setPixelData(_bytes(colours, 4), 0, 0, width, height)
        selection = Selection()
        selection.setPixelData(_bytes(alpha, 1), 0, 0, width, height)
        mask = document.createTransparencyMask("alpha")
        layer.addChildNode(mask, None)
        mask.setSelection(selection)
    else:  # Layer > Split Alpha > Alpha into Mask makes one of it
        pixels = bytearray(_bytes(colours, 4))
        pixels[3::4] = bytes(_bytes(alpha, 1))
        layer.setPixelData(QByteArray(bytes(pixels)), 0, 0, width, height)
    source.setVisible(False)
    if trimap is not None:
        trimap.setVisible(False)
    document.setActiveNode(layer)
    document.refreshProjection()
    return notes


def _convert(document: Document, layer: Node) -> None:
    """Make a new layer 8 bit sRGB, as deepmatte's files are; Krita mixes it with any other."""
    layer.setColorSpace("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")


def _named(node: Node, name: str) -> Node | None:
    """The first layer of a name, wherever it is."""
    for child in node.childNodes():
        if child.name().strip().lower() == name:
            return child
        found = _named(child, name)
        if found is not None:
            return found
    return None


def _save(document: Document, node: Node, path: Path) -> None:
    """A layer as it looks by itself, in 8 bit sRGB, as a PNG."""
    copy = node.duplicate()
    copy.setColorSpace("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
    width, height = document.width(), document.height()
    pixels = copy.projectionPixelData(0, 0, width, height)
    image = QImage(bytes(pixels), width, height, 4 * width, QImage.Format_ARGB32)
    if not image.save(str(path), "PNG"):
        raise HostError(f"The layer {node.name()} cannot be read.")


def _hints(document: Document, trimap: Node | None, folder: Path) -> Hints:
    if trimap is not None:
        _save(document, trimap, folder / "trimap.png")
        return Hints(trimap=folder / "trimap.png")
    selection = document.selection()
    if selection is None:
        return Hints()
    left, top, wide, high = selection.x(), selection.y(), selection.width(), selection.height()
    if box_of(bytes(selection.pixelData(left, top, wide, high)), wide, high):
        return Hints(box=(left, top, left + wide, top + high))
    width, height = document.width(), document.height()
    pixels = bytes(selection.pixelData(0, 0, width, height))
    QImage(pixels, width, height, width, QImage.Format_Grayscale8).save(str(folder / "mask.png"))
    return Hints(mask=folder / "mask.png")


def _bytes(image: QImage, depth: int) -> QByteArray:
    """The pixels without the padding at the end of each row."""
    width, height, stride = image.width(), image.height(), image.bytesPerLine()
    pixels = bytes(image.constBits().asarray(stride * height))
    rows = (pixels[stride * y : stride * y + depth * width] for y in range(height))
    return QByteArray(b"".join(rows))
