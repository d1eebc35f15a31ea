"""Finding people: images in, boxes out."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.geometry.boxes import Box


class Detector(Protocol):
    """Finds people in images; `threshold` is the least score of those it answers."""

    threshold: float

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """Boxes per image, pixels."""


class OneAtATime:
    """A detector that two threads share: they take turns."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._turn = Lock()

    @property
    def threshold(self) -> float:
        """The detector's."""
        return self._detector.threshold

    @threshold.setter
    def threshold(self, least: float) -> None:
        self._detector.threshold = least

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """The detector's boxes."""
        with self._turn:
            return self._detector.detect(images)
