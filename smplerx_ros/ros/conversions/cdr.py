"""Serialization of messages without Python message objects, which are slow for large messages.

Plain CDR, little-endian (OMG RTPS 2.3, chapter 10; DDS-XTypes 1.3, 7.4.1), which every ROS 2 middleware reads. Values
are aligned to their own size, counted from the end of the encapsulation header. A string is its length, its bytes and a
terminating zero; a sequence is a count and its elements. Times: benchmarks/results/serialization.md.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from std_msgs.msg import Header

ENCAPSULATION = bytes([0, 1, 0, 0])  # CDR_LE, no options


class CdrWriter:
    """Serializes one message field by field."""

    def __init__(self) -> None:
        self._body = bytearray()

    def message(self) -> bytes:
        """The bytes written so far, as `rclpy.serialization.serialize_message` would return them."""
        return ENCAPSULATION + bytes(self._body)

    def align(self, size: int) -> int:
        """Pad to a multiple of `size` bytes; returns the position in units of `size`."""
        self._body.extend(bytes(-len(self._body) % size))
        return len(self._body) // size

    def skip(self, size: int) -> None:
        """Write `size` zero bytes."""
        self._body.extend(bytes(size))

    def numbers(self, kind: str, *values: float) -> None:
        """Write numbers of one type, given as its format character in `struct`."""
        self.align(struct.calcsize(f"={kind}"))
        self._body.extend(struct.pack(f"<{len(values)}{kind}", *values))

    def string(self, value: str) -> None:
        """Write a string."""
        encoded = value.encode() + b"\0"
        self.numbers("I", len(encoded))
        self._body.extend(encoded)

    def sequence(self, values: NDArray[Any]) -> None:
        """Write a sequence of numbers `(N,)`, or of structures of `n` equal fields `(N, n)`."""
        self.numbers("I", len(values))
        if len(values):
            self.align(values.dtype.itemsize)
            self._body.extend(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data.cast("B"))

    def time(self, time: Time) -> None:
        """Write a builtin_interfaces/Time."""
        self.numbers("I", time.sec % 2**32, time.nanosec)

    def header(self, header: Header) -> None:
        """Write a std_msgs/Header."""
        self.time(header.stamp)
        self.string(header.frame_id)
