"""What the plug-ins of drawing programs share: files in, an installed deepmatte, files out.

A drawing program has a Python of its own, in which deepmatte is seldom installed. So the command
`deepmatte` does the work, wherever it is installed, and this module needs nothing but the standard
library. `install.py` copies it beside each plug-in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Variables by which a program points its own Python and libraries at themselves; another Python
# would not start with them.
_FOREIGN = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "QT_PLUGIN_PATH")

# Where installers put commands that a program started from a menu does not find.
_PLACES = ("~/.local/bin", "~/bin", "~/.venv/bin", "/usr/local/bin", "/opt/homebrew/bin")

# How a line begins that the user should read.
_SAYS = "deepmatte: "

# A selection is a box if nearly all of its bounds are fully selected.
_BOX = 0.995


class HostError(Exception):
    """One sentence for the user."""


@dataclass(frozen=True)
class Hints:
    """What is known of where the subject is; at most one of them.

    Attributes:
        trimap: a picture's path: black is background, white is subject, grey is unknown.
        mask: a picture's path: white is subject, roughly.
        box: (left, top, right, bottom) around the subject, pixels.
    """

    trimap: Path | None = None
    mask: Path | None = None
    box: tuple[int, int, int, int] | None = None

    def options(self) -> list[str]:
        """The options of `deepmatte matte`; without a hint it finds the subject by itself."""
        if self.trimap is not None:
            return [str(self.trimap)]
        if self.mask is not None:
            return ["--mask", str(self.mask)]
        if self.box is not None:
            return ["--box", ",".join(str(side) for side in self.box)]
        return ["--subject"]


def box_of(selected: bytes, width: int, height: int) -> bool:
    """Whether a selection is a rectangle.

    Args:
        selected: a byte for each pixel within the selection's bounds, 255 where it is selected.
        width: of the bounds.
        height: of the bounds.
    """
    return selected.count(b"\xff") >= _BOX * width * height


def command() -> str:
    """The installed command: what DEEPMATTE names, or `deepmatte` on the path or nearby.

    Raises:
        HostError: there is none.
    """
    named = os.environ.get("DEEPMATTE")
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(os.path.expanduser, _PLACES)])
    found = shutil.which(named or "deepmatte", path=path)
    if found is None:
        raise HostError(
            f"{named or 'deepmatte'} is not installed where this program can find it: pip install"
            " deepmatte, or let the environment variable DEEPMATTE name the command."
        )
    return found


def matte(
    picture: Path, hints: Hints, *, foreground: Path, alpha: Path, quality: str = "normal"
) -> list[str]:
    """Matte a picture.

    Args:
        picture: to be matted.
        hints: where its subject is.
        foreground: where to write the subject's colours.
        alpha: where to write its alpha.
        quality: ``"normal"`` or ``"high"``.

    Returns:
        Sentences that the user should read.

    Raises:
        HostError: deepmatte is not installed, or says what is wrong.
    """
    outputs = ["--foreground", str(foreground), "--alpha", str(alpha), "--quality", quality]
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    hidden = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    done = subprocess.run(
        [command(), "matte", *outputs, str(picture), *hints.options()],
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        creationflags=hidden,
        check=False,
    )
    # Other lines tell how far it is and how long it took.
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    said = [line[len(_SAYS) :] for line in lines if line.startswith(_SAYS)]
    if done.returncode != 0:
        raise HostError((said or lines or ["deepmatte failed and did not say why."])[-1])
    return said
