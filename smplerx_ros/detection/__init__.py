"""Person detection: bounding boxes of people in images."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.geometry.boxes import Box


class Detector(Protocol):
    """Detects people in images; `threshold` is the minimum score of the returned boxes."""

    threshold: float

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """Detect people.

        Args:
            images: `(H, W, 3) uint8` each, RGB.

        Returns:
            Boxes in each image, pixels.
        """


class LockedDetector:
    """Serializes the calls of a detector that several threads share."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._lock = Lock()

    @property
    def threshold(self) -> float:
        """Minimum score of the returned boxes."""
        return self._detector.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        self._detector.threshold = value

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """Detect people; see `Detector.detect`."""
        with self._lock:
            return self._detector.detect(images)
