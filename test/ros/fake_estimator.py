"""A quick estimator with a known answer, for tests of the node; run as a script it is the node with that estimator.

The parameter `weights` chooses how it fails: `fail_to_load`, `raise`, `hang`, `slow`, `not_finite`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from smplerx_ros.backbones.smpler_x.prediction import ESTIMATED
from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.errors import ModelFileError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.pipeline.localization.distance import measured_by_depth
from smplerx_ros.types import PARAM_SIZES, BodyEstimate, Frame, Observation, People, Person, SmplxParams

HANG_S, SLOW_S = 30.0, 0.7


def random_params(seed: int, distance: float = 3.0) -> SmplxParams:
    """Somebody in front of the camera in some pose; eyes not estimated."""
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(0, 0.3, size).astype(np.float32) for name, size in PARAM_SIZES.items()}
    values["leye_pose"][:] = values["reye_pose"][:] = np.nan
    values["transl"][:] = (0.0, 0.3, distance)
    return SmplxParams(**values, estimated=ESTIMATED)


def make_person(body: BodyModel, camera: Camera, params: SmplxParams, person_id: str = "p1") -> Person:
    joints = body.joints(params)[0]
    image = camera.project(joints)
    (x0, y0), (x1, y1) = image.min(axis=0), image.max(axis=0)
    return Person(person_id, 0.9, Box(x0, y0, x1, y1), params, joints, image, np.linspace(0, 1, 55))


def make_people(frame: Frame, body: BodyModel, people: Sequence[Person], camera: Camera) -> People:
    return People(
        frame=frame,
        people=tuple(people),
        camera=camera,
        backbone="fake",
        body_model=body.name,
        runtime="none",
        stage_seconds={"detection": 0.25, "fit": 1.5},
    )


@cache
def _body() -> BodyModel:
    """Read once: some tests make many estimators."""
    return load_body()


class FakeEstimator:
    """Sees one person in every image that is not black, or as many as there are detections, up to `max_people`.

    A reset and a step back in time give new ids.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self.failure = values["weights"]
        if self.failure == "fail_to_load":
            raise ModelFileError("parameter weights: 'fail_to_load' is no file")
        self.body = _body()
        self.max_people = int(str(values["max_people"]))
        self.prefix = str(values["id_prefix"] or "p")
        self.resets = 0
        self.stamps: dict[str, int] = {}
        self.steps_back: Counter[str] = Counter()

    def warm_up(self) -> None:
        pass

    def update(self, values: Mapping[str, object]) -> None:
        self.max_people = int(str(values.get("max_people", self.max_people)))

    def reset(self) -> None:
        self.resets += 1

    def close(self, timeout: float) -> bool:
        return True

    def process(self, frames: Mapping[str, Frame]) -> dict[str, People]:
        return {name: self._process(frame) for name, frame in frames.items()}

    def _process(self, frame: Frame) -> People:
        if frame.stamp_ns < self.stamps.get(frame.source, 0):
            self.steps_back[frame.source] += 1
        self.stamps[frame.source] = frame.stamp_ns
        height, width = frame.image.shape[:2]
        camera = frame.camera or Camera.from_fov(width, height)
        if not frame.image.any():
            return make_people(frame, self.body, [], camera)
        if self.failure == "raise":
            raise ValueError("the network said no")
        if self.failure == "hang":
            time.sleep(HANG_S)
        if self.failure == "slow":
            time.sleep(SLOW_S)
        seen = 1 if frame.detections is None else len(frame.detections)
        not_estimated = max(0, seen - self.max_people)
        estimate = self._estimate(frame, camera)
        person = make_person(self.body, camera, estimate.params)
        person = replace(person, distance_source=estimate.distance_source, since_detection_s=0.0)
        start = self.resets + self.steps_back[frame.source]
        ids = [f"{self.prefix}{start}{frame.source}{k or ''}" for k in range(seen - not_estimated)]
        people = [replace(person, id=name) for name in ids]
        if self.failure == "not_finite":
            people.append(replace(person, id="broken", joints=np.log(np.full((55, 3), -1.0))))
        return replace(make_people(frame, self.body, people, camera), num_not_estimated=not_estimated)

    def _estimate(self, frame: Frame, camera: Camera) -> BodyEstimate:
        """3 m away, or where the frame's depth says."""
        seen = Observation(replace(frame, camera=camera), "p", Box(0, 0, 1, 1))
        (estimate,) = measured_by_depth(self.body, [seen], [BodyEstimate(0.9, random_params(1), np.ones(55))])
        assert estimate is not None
        return estimate


if __name__ == "__main__":
    from smplerx_ros.ros.node.main import main

    sys.exit(main(estimator_factory=FakeEstimator))
