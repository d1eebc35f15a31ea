"""Finding people: images in, boxes out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
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


def load_detectors(
    config: Mapping[str, Any], threads: int | None = None
) -> tuple[Detector, Detector] | tuple[None, None]:
    """`load_detector`, and one for detections beside the estimation, which on a CPU has half of the threads.

    A network that shares its cores with another one waits for the slower half of each step.
    """
    from ..runtime.providers import CPU

    detector = load_detector(config, threads)
    if detector is None:
        return None, None
    count = threads or os.cpu_count() or 1
    if count == 1 or getattr(detector, "provider", None) != CPU:
        return detector, detector
    beside = load_detector(config, count // 2)
    assert beside is not None
    return detector, beside


def load_detector(config: Mapping[str, Any], threads: int | None = None) -> Detector | None:
    """The detector that the parameters of `config.PARAMETERS` ask for; None where boxes come with the frames.

    Raises ConfigError for parameters that do not fit together, ModelFileError for a file that cannot be used.
    """
    kind, threshold = config["detector"], config["detection.threshold"]
    if kind != "onnx" and config["detection.model"]:
        raise ConfigError(f"parameter 'detection.model': detector {kind!r} takes no file; use detector: onnx")
    if kind == "topic":
        return None
    if kind == "full_frame":
        from .full_frame import FullFrameDetector

        return FullFrameDetector()
    if kind == "onnx":
        from .onnx import OnnxDetector

        if not config["detection.model"]:
            raise ConfigError("parameter 'detection.model': detector 'onnx' needs the path of an ONNX file")
        chosen = {"person": config["detection.class"], "format": config["detection.format"]}
        return OnnxDetector(config["detection.model"], config["device"], threads, threshold, **chosen)
    from .builtin import BuiltinDetector

    return BuiltinDetector(config["device"], threads, threshold)
