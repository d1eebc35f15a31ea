"""The camera's calibration comes late, or changes: people are elsewhere than was thought, and nobody has moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.body.stature import MEAN_STATURE
from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.types import BodyEstimate, Estimated, Frame, Observation, Person, SmplxParams
from support.bodies import standin

BODY = standin()
IMAGE = np.zeros((480, 640, 3), np.uint8)
BOX = Box(200, 90, 420, 390, 0.9)
PIXEL, HEIGHT = np.array([310.0, 240.0]), 300.0  # of the pelvis; and of the person, in pixels
SECOND = 1_000_000_000
NARROW = replace(Camera.from_fov(640, 480, 40.0), calibrated=True)
SHIFTED = replace(NARROW, k=NARROW.k + [[0, 0, 25.0], [0, 0, 0], [0, 0, 0]])
BENT = replace(NARROW, d=np.array([-0.3, 0.1, 0.0, 0.0, 0.0]))
FISHEYE = replace(NARROW, d=np.zeros(4), model="equidistant")


class Picture:
    """Somebody whose picture stays the same, wherever that is through the camera; and who raises an arm slowly."""

    name, runtime, confirms_people = "picture", "none", True

    def estimate(self, observations: list[Observation]) -> list[BodyEstimate]:
        return [self._body(o) for o in observations]

    def _body(self, observation: Observation) -> BodyEstimate:
        camera = observation.frame.camera
        assert camera is not None
        distance = MEAN_STATURE * camera.k[1, 1] / HEIGHT
        rest = SmplxParams.rest()
        transl = distance * np.append(camera.normalize(PIXEL), 1.0) - BODY.rest_joints(rest.betas)[0, 0]
        params = replace(rest, global_orient=[np.pi, 0, 0], transl=transl, estimated=Estimated.TRANSL)
        return BodyEstimate(0.9, params, np.ones(55))

    def forget(self, ids: object) -> None:
        pass

    def reset(self) -> None:
        pass


def seen(*cameras: Camera | None, smoothing: bool = True, depth: float | None = None) -> list[Person]:
    """The person in a third of a second through each of the cameras; `depth` (metres) is in the first image alone."""
    estimator = Estimator(Picture(), None, BODY, Options(smoothing_enabled=smoothing))
    people = []
    for k, camera in enumerate([camera for camera in cameras for _ in range(10)]):
        measured = None if depth is None or k else np.full(IMAGE.shape[:2], depth, np.float32)
        stamp = SECOND + k * SECOND // 30
        people += estimator.estimate(Frame(IMAGE, camera, stamp, depth=measured, detections=None if k else (BOX,)))
    return people


@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize(("before", "after"), [(None, NARROW), (NARROW, SHIFTED), (NARROW, BENT), (NARROW, FISHEYE)])
def test_another_camera_moves_nobody(before: Camera | None, after: Camera, smoothing: bool) -> None:
    people = seen(before, after, smoothing=smoothing)
    alone = seen(after, smoothing=smoothing)
    assert {person.id for person in people} == {"p1"}
    for k, person in enumerate(people):
        assert np.isnan(person.root_velocity).all() == (k in (0, 10))
        assert k in (0, 10) or np.linalg.norm(person.root_velocity) < 0.01
    for person, expected in zip(people[10:], alone, strict=True):
        np.testing.assert_allclose(person.joints, expected.joints, atol=1e-4)
        np.testing.assert_allclose(person.joints_image[0], PIXEL, atol=0.1)


def test_the_same_calibration_again_changes_nothing() -> None:
    again = replace(NARROW, k=NARROW.k * (1 + 1e-7) - [[0, 0, 0], [0, 0, 0], [0, 0, 1e-7]])
    for other in (again, replace(NARROW, model="rational_polynomial", d=np.zeros(8))):
        people = seen(NARROW, other)
        assert np.isfinite([person.root_velocity for person in people[1:]]).all()


def test_sizes_that_depth_showed_through_another_camera_are_forgotten() -> None:
    """Two metres and a half of what should be five: with the right camera, that would be a person half as tall."""
    people, alone = seen(None, NARROW, depth=2.5), seen(NARROW)
    assert people[9].joints[0, 2] == pytest.approx(2.6, abs=0.1)
    np.testing.assert_allclose(people[-1].joints, alone[-1].joints, atol=1e-4)
