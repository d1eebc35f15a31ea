"""A fake backbone: people stand still, 3 m in front of the camera."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.types import BodyEstimate, Estimated, Frame, Observation, SmplxParams

SOMEBODY = Box(200, 60, 440, 420, 0.9)  # in IMAGE
IMAGE = np.zeros((480, 640, 3), np.uint8)
FRAME_NS = 33_000_000
FACING = np.array([np.pi, 0, 0])


class StillPeople:
    """Estimates the same body in every box; raises `error` once if it is set."""

    name, runtime, confirms_people = "still", "none", True

    def __init__(self) -> None:
        self.batches: list[list[str]] = []  # names of the cameras
        self.error: Exception | None = None

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        self.batches.append([o.frame.source for o in observations])
        error, self.error = self.error, None
        if error is not None:
            raise error
        params = replace(SmplxParams.rest(), global_orient=FACING, transl=[0, 0.3, 3], estimated=Estimated.TRANSL)
        return [BodyEstimate(0.9, params, np.ones(55)) for _ in observations]

    def forget(self, ids: Collection[str]) -> None:
        pass

    def reset(self) -> None:
        pass


def frame(k: int = 0, source: str = "") -> Frame:
    """Create the k-th frame of a camera, with one detection."""
    return Frame(IMAGE, stamp_ns=(k + 1) * FRAME_NS, source=source, detections=(SOMEBODY,))
