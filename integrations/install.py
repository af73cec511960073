"""Installs a plug-in: python install.py krita, python install.py gimp.

The folder is the program's own for plug-ins, or the one that --to names.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent


def folder(program: str) -> Path:
    """Where a program looks for a user's plug-ins."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", home / "AppData" / "Roaming"))
        return base / ("krita/pykrita" if program == "krita" else "GIMP/3.0/plug-ins")
    if sys.platform == "darwin":
        base = home / "Library" / "Application Support"
        return base / ("krita/pykrita" if program == "krita" else "GIMP/3.0/plug-ins")
    if program == "krita":
        return Path(os.environ.get("XDG_DATA_HOME", home / ".local/share")) / "krita" / "pykrita"
    return Path(os.environ.get("XDG_CONFIG_HOME", home / ".config")) / "GIMP/3.0/plug-ins"


def install(program: str, target: Path) -> None:
    """Copy a plug-in, and beside it what all of them share."""
    plugin = target / "deepmatte"
    plugin.mkdir(parents=True, exist_ok=True)
    for file in sorted((HERE / program / "deepmatte").iterdir()):
        if file.is_file():
            shutil.copy(file, plugin)
    shutil.copy(HERE / "deepmatte_host.py", plugin)
    if program == "krita":
        shutil.copy(HERE / program / "deepmatte.desktop", target)
    else:
        (plugin / "deepmatte.py").chmod(0o755)  # GIMP runs it
    print(f"Installed in {plugin}; start the program anew.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=("krita", "gimp"))
    parser.add_argument("--to", type=Path, help="the folder of plug-ins")
    arguments = parser.parse_args()
    install(arguments.program, arguments.to or folder(arguments.program))


if __name__ == "__main__":
    main()
