"""Detects depth images that are never usable, for example because of wrong units or registration."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.depth import MAX_RATIO, MIN_RATIO, DepthReading

_MIN_DURATION_NS = 3_000_000_000  # people may be briefly at the border, or behind a table
_MIN_FRAMES = 3  # frames
_MAX_READINGS = 90  # of the last readings; also the minimum number of frames without stamps
# Likely cause by the ratio of measured to estimated distances: depth is in metres, or in millimetres if integer.
_UNITS = {
    1000.0: "millimetres where metres are expected",
    100.0: "centimetres where metres are expected",
    10.0: "tenths of a millimetre where millimetres are expected",
    4.0: "quarters of a millimetre where millimetres are expected",
    0.1: "centimetres where millimetres are expected",
    0.001: "metres where millimetres are expected",
}
_UNIT_TOLERANCE = 0.6  # of the ratio's logarithm, for errors of the estimated distances


class DepthMonitor:
    """Monitors one camera's depth readings."""

    def __init__(self) -> None:
        self._first_ns = 0
        self._frames = 0  # in a row
        self._ratios: deque[float] = deque(maxlen=_MAX_READINGS)

    def problem(self, stamp_ns: int, readings: Sequence[DepthReading]) -> str:
        """Description of the problem, given the readings of a frame's people; empty if there is none yet.

        A problem is one only if no reading is usable for some seconds.
        """
        if not readings:
            return ""
        if any(reading.usable for reading in readings):
            self._frames = 0
            self._ratios.clear()
            return ""
        self._first_ns = self._first_ns if self._frames else stamp_ns
        self._frames += 1
        self._ratios.extend(reading.ratio for reading in readings)
        unstamped = not stamp_ns and self._frames >= _MAX_READINGS
        if not unstamped and (self._frames < _MIN_FRAMES or stamp_ns - self._first_ns < _MIN_DURATION_NS):
            return ""
        return _unused_depth(np.array(self._ratios))


def _unused_depth(ratios: FloatArray) -> str:
    """Why depth with these ratios of measured to estimated distances is not used."""
    known = ratios[np.isfinite(ratios)]
    begin = "depth is not used for anybody"
    if len(known) <= len(ratios) / 2:
        return f"{begin}: it has no measurements where people are (too near, too far, or not registered to the image)"
    ratio = float(np.median(known))
    if MIN_RATIO <= ratio <= MAX_RATIO:
        return (
            f"{begin}: its measurements of a person contradict each other, at {ratio:.2g} times the distance that the "
            "image shows; it must be registered to the image"
        )
    unit = min(_UNITS, key=lambda factor: abs(np.log(ratio / factor)))
    alike = abs(np.log(ratio / unit)) <= _UNIT_TOLERANCE
    guess = f" (like {_UNITS[unit]})" if alike else ""
    return (
        f"{begin}: it puts people at {ratio:.3g} times the distance that the image shows{guess}; "
        "convert it to metres (messages: 32FC1 in metres, 16UC1 in millimetres)"
    )
