"""Opens the page in the browser without telling other users of the machine the token.

All users can read the command line of a process. So the browser gets the name of a file that only
this user can read, and this file redirects to the page.
"""

from __future__ import annotations

import contextlib
import html
import os
import shutil
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

_PAGE = """<!DOCTYPE html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>deepmatte studio</title>
<p><a href="{address}">Go to the studio</a></p>
"""


@contextlib.contextmanager
def opened(address: str) -> Iterator[None]:
    """Open an address in the browser; what leads there is removed when the context ends."""
    folder = tempfile.mkdtemp(prefix="deepmatte-")  # of mode 0700
    try:
        file = Path(folder) / "studio.html"
        page = _PAGE.format(address=html.escape(address, quote=True))
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
            writing.write(page)
        # Some browsers return only when they are closed.
        threading.Thread(target=webbrowser.open, args=(file.as_uri(),), daemon=True).start()
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
