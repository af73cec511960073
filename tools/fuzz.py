"""Fuzzes what deepmatte reads from others: pictures, trimaps, networks, checkpoints, projects.

Sound files are made, some of their bytes changed, and opened in a process of its own, which must
answer within a while: with a result, or with a `MattingError` of one line. Anything else is printed
and its input kept. The same seed gives the same inputs. Checkpoints need torch, and the studio's
projects Node.js 20.19 or newer, since the page's own JavaScript reads them.

Example:
    python tools/fuzz.py --seconds 600 --seed 7 --keep failures
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import multiprocessing
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import fuzz_projects
import numpy as np
from PIL import Image

import deepmatte
from deepmatte.errors import MattingError

PATIENCE = 60.0
"""Seconds in which an input must be answered; the machine may be busy."""
SIZE = (37, 29)

Content = bytes
Generator = np.random.Generator


# --- sound inputs -------------------------------------------------------------------------------


def pictures() -> dict[str, Content]:
    """Small pictures of the formats and modes that are read."""
    made: dict[str, Content] = {}
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 4), np.uint8)
    rgba = Image.fromarray(noise)
    deep = Image.fromarray(noise[..., :2].copy().view(np.uint16)[..., 0])
    for kind, modes in {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
        "JPEG": ("L", "RGB", "CMYK"),
        "WEBP": ("RGB", "RGBA"),
        "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"),
        "BMP": ("1", "L", "RGB"),
        "GIF": ("L", "P"),
        "AVIF": ("RGB", "RGBA"),
    }.items():
        for mode in modes:
            for name, options in _options(kind):
                stream = io.BytesIO()
                try:
                    rgba.convert("RGB").convert(mode).save(stream, kind, **options)
                except (OSError, KeyError, ValueError):  # this Pillow has not all of them
                    continue
                made[f"{kind}-{mode}{name}"] = stream.getvalue()
    for kind in ("PNG", "TIFF"):
        stream = io.BytesIO()
        deep.save(stream, kind)
        made[f"{kind}-I;16"] = stream.getvalue()
    with contextlib.suppress(ImportError):
        import tifffile

        stream = io.BytesIO()
        planes = noise[..., :3].transpose(2, 0, 1) * np.uint16(257)
        tifffile.imwrite(stream, planes, planarconfig="separate", photometric="rgb", rowsperstrip=9)
        made["TIFF-planes"] = stream.getvalue()
    return made


def _options(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Camera"
    yield "", {}
    if kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        yield "-exif", {"exif": exif.tobytes()}
    if kind == "TIFF":
        for name in ("tiff_lzw", "tiff_deflate", "jpeg", "group4", "packbits"):
            yield f"-{name}", {"compression": name}
    if kind == "JPEG":
        yield "-progressive", {"progressive": True}


def networks() -> dict[str, Content]:
    """The default network, as it is and as a user's own file."""
    from deepmatte.weights import catalogue
    from deepmatte.weights.seal import sealed

    return {"lite": catalogue.find("lite"), "own": sealed(catalogue.find("lite"))}


def stored() -> dict[str, Content]:
    """Checkpoints and safetensors, where torch is installed."""
    try:
        import safetensors.torch
        import torch
    except ImportError:
        return {}
    weights = {f"layer{index}.weight": torch.ones(3, 3) for index in range(4)}
    stream = io.BytesIO()
    torch.save({"step": 3, "network": weights, "training": {"seed": 1}}, stream)
    settings = json.dumps({"width": 0.0625, "batch_norm": [], "fc6_kernel": None})
    return {
        "checkpoint.pt": stream.getvalue(),
        "dim.safetensors": safetensors.torch.save(weights, {"deep_image_matting": settings}),
    }


# --- changes ------------------------------------------------------------------------------------


def changed(content: Content, random: Generator) -> Content:
    """Some bytes other, or the end gone, or parts swapped, doubled, or of huge numbers."""
    data = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        at = int(random.integers(0, len(data)))
        match int(random.integers(0, 7)):
            case 0:
                data[at] = int(random.integers(0, 256))
            case 1:
                data[at] ^= 1 << int(random.integers(0, 8))
            case 2:
                del data[at:]
            case 3:
                del data[at : at + int(random.integers(1, 64))]
            case 4:
                data[at:at] = data[at : at + int(random.integers(1, 64))]
            case 5:
                data[at : at + 4] = struct.pack(
                    random.choice(["<I", ">I"]),
                    int(random.choice([0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])),
                )
            case 6:
                start = int(random.integers(0, min(64, len(data))))
                data[start : start + 8] = random.bytes(8)
        if not data:
            break
    return bytes(data)


def changed_project(content: Content, random: Generator) -> Content:
    """Some bytes other, or some values."""
    return (changed if random.random() < 0.3 else fuzz_projects.changed)(content, random)


# --- what is done with them ---------------------------------------------------------------------


def matte(content: Content, folder: Path) -> None:
    """As a photo, as a trimap, and as a mask."""
    from deepmatte import trimap
    from deepmatte.images import encode_image, open_image

    picture = open_image(content)
    encode_image(picture.levels, ".png", metadata=picture.metadata)
    for opened in (trimap.open_trimap, trimap.from_mask, trimap.from_alpha):
        try:
            opened(content)
        except MattingError as error:
            _check(error)


def load(content: Content, folder: Path) -> None:
    """As a user's network, on a small picture."""
    path = folder / "network.onnx"
    path.write_bytes(content)
    labels = np.full((40, 40), 128, np.uint8)
    labels[:10], labels[30:] = 0, 255
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    deepmatte.Matter(path, threads=1)(noise, labels)


def restore(content: Content, folder: Path) -> None:
    """As a checkpoint, a public one, and a network of the paper."""
    from deepmatte import networks
    from deepmatte.networks.convert import convert
    from deepmatte.training import checkpoint

    path = folder / "file"
    path.write_bytes(content)
    for opened in (checkpoint.load, convert, networks.load):
        try:
            opened(path)
        except MattingError as error:
            _check(error)


def _check(error: MattingError) -> None:
    if "\n" in str(error) or not str(error):
        raise AssertionError(f"not one line: {error}")


def answer(pipe: Connection) -> None:
    """Take in inputs until the pipe ends; for each send "" or what is wrong."""
    import warnings

    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        while True:
            try:
                work, content = pipe.recv()
            except EOFError:
                return
            try:
                work(content, Path(folder))
                said = ""
            except MattingError as error:
                said = "" if "\n" not in str(error) else f"several lines: {error}"
            except MemoryError:
                said = ""
            except BaseException:
                said = traceback.format_exc()
            pipe.send(said)


class Worker:
    """A process that opens inputs; another takes its place when it dies or does not answer."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=answer, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, work: Callable[[Content, Path], None], content: Content) -> str:
        """What is wrong with the answer, "" where nothing is."""
        try:
            self._pipe.send((work, content))
            if self._pipe.poll(PATIENCE):
                return str(self._pipe.recv())
            said = f"no answer within {PATIENCE:g} s"
        except (EOFError, OSError):
            said = ""
        self._process.kill()
        self._process.join()
        code = self._process.exitcode
        self._start()
        return said or f"the process died: exit code {code}"


class Kind(NamedTuple):
    """How a kind of input is made, changed and opened, and its share of all inputs."""

    make: Callable[[], dict[str, Content]]
    change: Callable[[Content, Generator], Content]
    work: Callable[[Content, Path], None]
    share: float


KINDS = {
    "pictures": Kind(pictures, changed, matte, 0.7),
    "networks": Kind(networks, changed, load, 0.1),
    "stored": Kind(stored, changed, restore, 0.1),
    "projects": Kind(fuzz_projects.make, changed_project, fuzz_projects.open_project, 0.1),
}


def main() -> None:
    """Fuzz for some seconds; exit code 1 where anything was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--inputs", type=int, help="so many, however long they take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for inputs that fail")
    parser.add_argument("--only", choices=KINDS)
    arguments = parser.parse_args()
    kinds = {arguments.only: KINDS[arguments.only]} if arguments.only else KINDS
    sound = {name: kind.make() for name, kind in kinds.items()}
    names = [name for name, made in sound.items() if made]
    shares = np.array([kinds[name].share for name in names])
    random = np.random.default_rng(arguments.seed)
    worker, counts, failures = Worker(), Counter[str](), 0
    end = time.monotonic() + arguments.seconds
    while counts.total() < arguments.inputs if arguments.inputs else time.monotonic() < end:
        name = str(random.choice(names, p=shares / shares.sum()))
        which = str(random.choice(list(sound[name])))
        content = kinds[name].change(sound[name][which], random)
        said = worker.ask(kinds[name].work, content)
        counts[name] += 1
        if said:
            failures += 1
            digest = hashlib.sha256(content).hexdigest()[:8]
            print(f"--- {name} {which} {digest}\n{said}", flush=True)
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{name}-{which.replace(';', '')}-{digest}").write_bytes(content)
    print(f"{dict(counts)} inputs, {failures} failures, seed {arguments.seed}")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
