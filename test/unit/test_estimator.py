"""The estimator's own work, with a backbone and a detector that do what a test asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.body import load_body
from smplerx_ros.errors import ConfigError, InputError, ModelFileError
from smplerx_ros.estimator import Estimator, Options
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import BodyEstimate, Box, Estimated, Frame, SmplxParams

BODY = load_body()
IMAGE = np.zeros((480, 640, 3), np.uint8)
FRAME_NS = 33_000_000
FACING = np.array([np.pi, 0, 0])


class FakeDetector:
    """Answers the boxes it holds; counts its calls."""

    def __init__(self, boxes: list[Box]) -> None:
        self.boxes, self.calls = boxes, 0

    def detect(self, images):
        self.calls += len(images)
        return [list(self.boxes) for _ in images]


class FakeBackbone:
    """Puts everybody 3 m ahead, where the box was first; loses the ids in `lost`."""

    name, runtime, confirms_people = "fake", "none", True

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.seen: list[list[str]] = []
        self.forgotten: list[str] = []
        self.places: dict[str, np.ndarray] = {}

    def estimate(self, observations):
        self.seen.append([o.id for o in observations])
        return [None if o.id in self.lost else self._body(o) for o in observations]

    def _body(self, observation):
        assert observation.frame.camera is not None
        middle = (observation.box.xyxy[:2] + observation.box.xyxy[2:]) / 2
        transl = self.places.setdefault(observation.id, 3 * np.append(observation.frame.camera.normalize(middle), 1))
        params = replace(SmplxParams.rest(), global_orient=FACING, transl=transl, estimated=Estimated.TRANSL)
        return BodyEstimate(0.9, params, np.ones(55))

    def forget(self, ids):
        self.forgotten += ids

    def reset(self):
        self.seen.clear()


def frame(k: int, frame_id: str = "camera", camera: Camera | None = None) -> Frame:
    return Frame(IMAGE, camera, stamp_ns=(k + 1) * FRAME_NS, frame_id=frame_id)


@pytest.fixture
def detector() -> FakeDetector:
    return FakeDetector([Box(90, 70, 410, 410, 0.9)])  # arms spread, 3 m away


@pytest.fixture
def backbone() -> FakeBackbone:
    return FakeBackbone()


@pytest.fixture
def estimator(backbone, detector) -> Estimator:
    return Estimator(backbone, detector, BODY, Options(detect_every=5, max_people=2))


def test_joints_are_the_bodys_and_project_to_the_image(estimator):
    camera = Camera.from_fov(640, 480, 70.0)
    (person,) = estimator.estimate(frame(0, camera=camera))
    np.testing.assert_allclose(person.joints, BODY.joints(person.params)[0], atol=1e-5)
    np.testing.assert_allclose(person.joints_image, camera.project(person.joints), atol=1e-2)
    low, high = person.joints_image.min(0), person.joints_image.max(0)
    assert person.box.x0 < low[0] < high[0] < person.box.x1
    assert person.box.y0 < low[1] < high[1] < person.box.y1


def test_assumed_camera_says_so(estimator):
    result = estimator.process([frame(0)])[0]
    assert not result.camera.calibrated
    assert result.frame.camera is None
    assert estimator.process([frame(1, camera=Camera.from_fov(640, 480))])[0].people


def test_detects_every_nth_frame_and_at_once_when_somebody_is_lost(estimator, backbone, detector):
    for k in range(6):
        estimator.estimate(frame(k))
    assert detector.calls == 2
    backbone.lost = {"p1"}
    assert estimator.estimate(frame(6)) == []
    backbone.lost = set()
    (person,) = estimator.estimate(frame(7))
    assert person.id == "p1"
    assert detector.calls == 3


def test_detects_by_time_where_frames_are_rare(estimator, detector):
    for k in (0, 20, 40):
        estimator.estimate(frame(k))
    assert detector.calls == 3


def test_empty_view_gives_no_people_and_keeps_looking(estimator, detector):
    detector.boxes = []
    for k in range(3):
        assert estimator.estimate(frame(k)) == []
    assert detector.calls == 3


def test_no_more_people_than_asked_for(estimator, detector, backbone):
    detector.boxes = [Box(x, 100, x + 80, 400) for x in (0, 150, 300, 450)]
    assert len(estimator.estimate(frame(0))) == 2
    assert backbone.seen[-1] == ["p1", "p2"]


def test_cameras_have_their_own_people_and_share_a_batch(estimator, backbone):
    left, right = estimator.process([frame(0, "left"), frame(0, "right")])
    assert [p.id for p in left.people] == ["p1"]
    assert [p.id for p in right.people] == ["p2"]
    assert backbone.seen == [["p1", "p2"]]


def test_time_going_back_starts_anew_without_using_ids_again(estimator, backbone):
    estimator.estimate(frame(50))
    (person,) = estimator.estimate(frame(3))
    assert person.id == "p2"
    assert backbone.forgotten == ["p1"]


def test_warm_up_uses_everything_and_leaves_nobody(estimator, backbone, detector):
    estimator.warm_up()
    assert detector.calls == 1
    assert backbone.seen == []  # reset
    assert [p.id for p in estimator.estimate(frame(0))] == ["p1"]


def test_reset_forgets_people(estimator):
    estimator.estimate(frame(0))
    estimator.reset()
    assert [p.id for p in estimator.estimate(frame(1))] == ["p2"]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"backbone": "s33"}, ConfigError, "backbone"),
        ({"no_such": 1}, ConfigError, "no_such"),
        ({"body_model": "/nowhere/SMPLX_NEUTRAL.npz"}, ModelFileError, "/nowhere/SMPLX_NEUTRAL.npz"),
        ({"runtime": "torch"}, ConfigError, "runtime"),
    ],
)
def test_bad_configuration_is_named(values, error, words):
    with pytest.raises(error, match=words):
        Estimator.from_config(values)


def with_depth(seen: Frame, metres: float) -> Frame:
    """A wall at `metres` in front of everything."""
    return replace(seen, depth=np.full(IMAGE.shape[:2], metres, np.float32))


def sigma_along_ray(person) -> float:
    ray = person.joints[0] / np.linalg.norm(person.joints[0])
    return float(np.sqrt(ray @ person.pose_covariance[:3, :3] @ ray))


def test_depth_puts_people_where_it_sees_them(estimator):
    camera = Camera.from_fov(640, 480, 70.0)
    (alone,) = estimator.estimate(frame(0, camera=camera))
    estimator.reset()
    (person,) = estimator.estimate(with_depth(frame(1, camera=camera), 2.6))
    assert alone.joints[0, 2] == pytest.approx(3.0, abs=0.05)
    assert 2.6 < person.joints[0, 2] < 2.8  # the pelvis lies behind the skin
    assert person.params.estimated == alone.params.estimated | Estimated.DEPTH
    np.testing.assert_allclose(person.joints, BODY.joints(person.params)[0], atol=1e-5)
    # The picture stays.
    np.testing.assert_allclose(person.joints_image[:22], alone.joints_image[:22], atol=8)
    np.testing.assert_allclose(person.box.xyxy, alone.box.xyxy, atol=12)


def test_people_without_usable_depth_are_as_without(estimator):
    camera = Camera.from_fov(640, 480, 70.0)
    (alone,) = estimator.estimate(frame(0, camera=camera))
    for wall in (np.nan, 30.0, -1.0, np.inf, 0.0):
        estimator.reset()
        (person,) = estimator.estimate(with_depth(frame(1, camera=camera), wall))
        np.testing.assert_array_equal(person.joints, alone.joints)
        assert not person.params.estimated & Estimated.DEPTH


def test_people_say_how_sure_their_place_is(backbone, detector):
    known = Camera(640, 480, np.array([[460.0, 0, 320], [0, 460.0, 240], [0, 0, 1]]))
    sigmas = []
    for height, seen in ((None, frame(0)), (None, frame(0, camera=known)), (1.7, frame(0, camera=known))):
        (person,) = Estimator(backbone, detector, BODY, Options(person_height=height)).estimate(seen)
        assert np.isfinite(person.pose_covariance[:3, :3]).all()
        assert np.isnan(person.pose_covariance[3:]).all()
        sigmas.append(sigma_along_ray(person) / np.linalg.norm(person.joints[0]))
    measured = Estimator(backbone, detector, BODY, Options()).estimate(with_depth(frame(0, camera=known), 2.6))[0]
    sigmas.append(sigma_along_ray(measured) / np.linalg.norm(measured.joints[0]))
    assert sigmas == sorted(sigmas, reverse=True)
    np.testing.assert_allclose(sigmas, [0.307, 0.068, 0.040, 0.017], atol=0.002)


@pytest.mark.parametrize("depth", [np.zeros((480, 640)), np.zeros((240, 320), np.float32), [[1.0]]])
def test_depth_of_another_kind_or_size_is_no_frame(depth):
    with pytest.raises(InputError, match=r"Frame\.depth must be float32 of the image's size"):
        Frame(IMAGE, depth=depth)
