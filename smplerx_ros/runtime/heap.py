"""Memory of images from the process's heap. The C library gives it back to the system, and gets it page by page."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST = 32 * 2**20  # bytes: the most that mallopt(3) allows on machines of 64 bits; an image of 4K has 25 MB
_KEPT = 2 * _LARGEST  # bytes at a heap's end that may stay free


def keep_freed_memory() -> bool:
    """Keep freed memory for the next image; for processes that handle one after the other. False: not with this libc.

    A new page costs some 2 us, an image of 1920x1080 has 1519 of them, and rclpy copies it twice on its way in.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(_TRIM_THRESHOLD, _KEPT)) and bool(mallopt(_MMAP_THRESHOLD, _LARGEST))
