"""Messages as they travel, written directly: made of Python objects, large ones take many times as long.

Plain CDR (OMG RTPS 2.3, chapter 10; DDS-XTypes 1.3, 7.4.1), least byte first: what every ROS 2 middleware reads. Values
are aligned to their own size, counted from behind the header; strings are length, text and a zero; sequences are a
count and their elements.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from std_msgs.msg import Header

ENCAPSULATION = bytes([0, 1, 0, 0])


class CdrWriter:
    """Bytes of one message, field after field."""

    def __init__(self) -> None:
        self._body = bytearray()

    def message(self) -> bytes:
        """All so far, as `rclpy.serialization` would write it."""
        return ENCAPSULATION + bytes(self._body)

    def align(self, size: int) -> int:
        """Go on at a multiple of `size` bytes; answers which."""
        self._body.extend(bytes(-len(self._body) % size))
        return len(self._body) // size

    def skip(self, size: int) -> None:
        """Leave `size` bytes zero."""
        self._body.extend(bytes(size))

    def numbers(self, kind: str, *values: float) -> None:
        """Numbers of one type, by its letter in `struct`."""
        self.align(struct.calcsize(f"={kind}"))
        self._body.extend(struct.pack(f"<{len(values)}{kind}", *values))

    def text(self, text: str) -> None:
        """A string."""
        encoded = text.encode() + b"\0"
        self.numbers("I", len(encoded))
        self._body.extend(encoded)

    def sequence(self, values: NDArray[Any]) -> None:
        """A sequence of structures of equal numbers: `values (N, n)`, or `(N,)` of numbers."""
        self.numbers("I", len(values))
        if len(values):
            self.align(values.dtype.itemsize)
            self._body.extend(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data.cast("B"))

    def time(self, time: Time) -> None:
        """builtin_interfaces/Time."""
        self.numbers("I", time.sec % 2**32, time.nanosec)

    def header(self, header: Header) -> None:
        """std_msgs/Header."""
        self.time(header.stamp)
        self.text(header.frame_id)
