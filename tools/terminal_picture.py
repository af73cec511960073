"""Runs commands and draws what they say as a terminal, an SVG for the documentation.

    python tools/terminal_picture.py docs/devices.svg "deepmatte matte photo.jpg trimap.png -v" ...

The commands run in a folder that holds the package's own sample as `photo.jpg` and `trimap.png`.
"""

from __future__ import annotations

import argparse
import io
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

from rich.console import Console
from rich.text import Text

_COLUMNS = 110
_PROGRESS = re.compile(r": (working|matting|colours and files)(, \d+%)?$")
_SAMPLE = {"photo.jpg": "fur.jpg", "trimap.png": "fur.trimap.png"}


def said(command: str, folder: Path) -> str:
    """What a command of deepmatte says on both of its streams, without its progress."""
    program, *words = shlex.split(command)
    assert program == "deepmatte"
    done = subprocess.run(
        [sys.executable, "-m", "deepmatte", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if not _PROGRESS.search(line)]
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("commands", nargs="+")
    arguments = parser.parse_args()
    # Sized to the text: `save_svg` shows all that was printed.
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for target, source in _SAMPLE.items():
            sample = resources.files("deepmatte") / "samples" / source
            with resources.as_file(sample) as path:
                shutil.copy(path, folder / target)
        for command in arguments.commands:
            console.print(Text(f"$ {command}", style="bold"))
            console.print(Text(said(command, folder)))
    # Without the font that it would load from another machine.
    picture = re.sub(r"@font-face\s*{.*?}\s*", "", console.export_svg(title=""), flags=re.DOTALL)
    arguments.out.write_text(picture)


if __name__ == "__main__":
    main()
