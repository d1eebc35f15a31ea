"""Location of the user's cache, which holds converted networks."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_directory() -> Path:
    """`$SMPLERX_CACHE`, or `smplerx_ros` in the platform's cache directory (XDG, ~/Library/Caches, %LOCALAPPDATA%)."""
    chosen = os.environ.get("SMPLERX_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "smplerx_ros"
