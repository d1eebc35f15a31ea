"""Finding people: images in, boxes out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..options import Options
from ..types import Box


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


def load_detectors(options: Options) -> tuple[Detector, Detector] | tuple[None, None]:
    """`load_detector`, and one for detections beside the estimation, which on a CPU has half of the threads.

    A network that shares its cores with another one waits for the slower half of each step.
    """
    from ..runtime.providers import CPU

    detector = load_detector(options)
    if detector is None:
        return None, None
    count = options.threads or os.cpu_count() or 1
    if count == 1 or getattr(detector, "provider", None) != CPU:
        return detector, detector
    beside = load_detector(replace(options, threads=count // 2))
    assert beside is not None
    return detector, beside


def load_detector(options: Options) -> Detector | None:
    """The detector that is asked for; None where boxes come with the frames.

    Raises ConfigError for parameters that do not fit together, ModelFileError for a file that cannot be used.
    """
    kind, threads, threshold = options.detector, options.threads or None, options.detection_threshold
    if kind != "onnx" and options.detection_model:
        raise ConfigError(f"parameter 'detection.model': detector {kind!r} takes no file; use detector: onnx")
    if kind == "topic":
        return None
    if kind == "full_frame":
        from .full_frame import FullFrameDetector

        return FullFrameDetector()
    if kind == "onnx":
        from .onnx import OnnxDetector

        if not options.detection_model:
            raise ConfigError("parameter 'detection.model': detector 'onnx' needs the path of an ONNX file")
        chosen = {"person": options.detection_class, "format": options.detection_format}
        return OnnxDetector(options.detection_model, options.device, threads, threshold, **chosen)
    from .builtin import BuiltinDetector

    return BuiltinDetector(options.device, threads, threshold)
