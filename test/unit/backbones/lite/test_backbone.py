"""The backbone with perfect landmarks: each person's hands are theirs, left and right, and relax where they hide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.backbones.lite.backbone import LiteBackbone
from smplerx_ros.backbones.lite.landmarks import LandmarkQuery, PersonLandmarks
from smplerx_ros.backbones.lite.sides import MAX_HELD, swapped_sides
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import BodyEstimate, Estimated, Frame, Observation
from support.bodies import standin
from support.synthetic import landmarks_of, random_params

BODY = standin()
CAMERA = Camera.from_fov(1280, 720)
IMAGE = np.zeros((720, 1280, 3), np.uint8)
FRAME_NS = 33_333_333
PARAMS = [random_params(seed) for seed in (3, 11)]
FINGERS = slice(0, 36)  # without the thumb


class Perfect:
    """Answers what it is told to see."""

    provider = "none"

    def __init__(self) -> None:
        self.people: list[PersonLandmarks] = [landmarks_of(BODY, params, CAMERA) for params in PARAMS]

    def estimate(self, queries: list[LandmarkQuery]) -> list[PersonLandmarks]:
        return self.people


@pytest.fixture
def landmarks() -> Perfect:
    return Perfect()


@pytest.fixture
def backbone(landmarks: Perfect) -> LiteBackbone:
    return LiteBackbone(BODY, landmarks)  # type: ignore[arg-type]


def estimates(backbone: LiteBackbone, k: int) -> list[BodyEstimate]:
    frame = Frame(IMAGE, CAMERA, stamp_ns=(k + 1) * FRAME_NS)
    found = backbone.estimate([Observation(frame, name, Box(0, 0, 1280, 720)) for name in ("p1", "p2")])
    assert None not in found
    return found  # type: ignore[return-value]


def test_hands_are_their_own_persons(backbone: LiteBackbone) -> None:
    for body, true in zip(estimates(backbone, 0), PARAMS, strict=True):
        for name in ("left_hand_pose", "right_hand_pose"):
            # The forearm is fitted too: its error adds to the fingers', and tips are skinned points, not joints.
            np.testing.assert_allclose(getattr(body.params, name)[FINGERS], getattr(true, name)[FINGERS], atol=0.3)
        assert Estimated.LEFT_HAND_POSE | Estimated.RIGHT_HAND_POSE in body.params.estimated


def test_a_hidden_hand_relaxes(backbone: LiteBackbone, landmarks: Perfect) -> None:
    first = estimates(backbone, 0)
    landmarks.people = [replace(landmarks.people[0], left_hand=None), landmarks.people[1]]
    then = estimates(backbone, 1)
    assert Estimated.LEFT_HAND_POSE not in then[0].params.estimated
    assert Estimated.RIGHT_HAND_POSE in then[0].params.estimated
    share = np.exp(-FRAME_NS * 1e-9 / 0.5)  # half a second's memory
    np.testing.assert_allclose(then[0].params.left_hand_pose, share * first[0].params.left_hand_pose, atol=1e-6)
    np.testing.assert_allclose(then[1].params.left_hand_pose, first[1].params.left_hand_pose, atol=0.05)


def test_a_start_with_sides_exchanged_ends(backbone: LiteBackbone, landmarks: Perfect) -> None:
    """The first images show the arms of one of two people on the wrong sides: for a while that is held to be true."""
    landmarks.people = [landmarks_of(BODY, random_params(4), CAMERA), landmarks.people[1]]
    true = estimates(LiteBackbone(BODY, landmarks), 0)  # type: ignore[arg-type]
    wrong, other = swapped_sides(landmarks.people[0], True, False), landmarks.people[1]
    landmarks.people = [wrong, other]
    for k in range(3):
        estimates(backbone, k)
    landmarks.people = [swapped_sides(wrong, True, False), other]
    held = int(MAX_HELD * 1e9 / FRAME_NS)
    found = [estimates(backbone, 3 + k) for k in range(held + 4)]

    def misses(bodies: list[BodyEstimate], person: int) -> float:
        places = [BODY.joints(body.params)[0, :22] for body in (bodies[person], true[person])]
        return float(np.linalg.norm(np.subtract(*(each - each[0] for each in places)), axis=-1).mean())

    assert misses(found[held - 2], 0) > 0.2  # metres
    assert max(misses(bodies, 0) for bodies in found[held + 1 :]) < 0.04
    assert max(misses(bodies, 1) for bodies in found) < 0.03


@pytest.mark.parametrize("period_s", [0.1, 1.0, 5.0])
def test_a_shape_is_remembered_however_rare_images_are(
    backbone: LiteBackbone, landmarks: Perfect, period_s: float
) -> None:
    """One person in many poses: the shapes that single images tell differ more than those of somebody known."""

    def shape(known: LiteBackbone, k: int) -> np.ndarray:
        frame = Frame(IMAGE, CAMERA, stamp_ns=10**9 + round(k * period_s * 1e9))
        estimate, _ = known.estimate([Observation(frame, name, Box(0, 0, 1280, 720)) for name in ("p1", "p2")])
        assert estimate is not None
        return np.asarray(estimate.params.betas)

    known, alone = [], []
    for k in range(8):
        params = replace(random_params(20 + k), betas=PARAMS[0].betas)
        landmarks.people = [landmarks_of(BODY, params, CAMERA), landmarks.people[1]]
        known.append(shape(backbone, k))
        alone.append(shape(LiteBackbone(BODY, landmarks), k))  # type: ignore[arg-type]
    remembered, single = (np.linalg.norm(np.diff(shapes[3:], axis=0), axis=1).mean() for shapes in (known, alone))
    assert remembered < 0.6 * single


def test_a_pose_of_long_ago_says_nothing(backbone: LiteBackbone, landmarks: Perfect) -> None:
    """After a second somebody may stand as they like: the fit begins as for somebody new."""
    estimates(backbone, 0)
    landmarks.people = [
        landmarks_of(BODY, replace(random_params(5), betas=PARAMS[0].betas), CAMERA),
        *landmarks.people[1:],
    ]
    later, new = estimates(backbone, 60)[0], estimates(LiteBackbone(BODY, landmarks), 60)[0]  # type: ignore[arg-type]
    places = [BODY.joints(body.params)[0, :22] for body in (later, new)]
    assert np.linalg.norm(np.subtract(*(each - each[0] for each in places)), axis=-1).mean() < 0.02


def test_another_camera_is_begun_with_as_with_somebody_new(backbone: LiteBackbone, landmarks: Perfect) -> None:
    """Where the calibration comes late the same landmarks are another pose, and another shape."""
    for k in range(10):
        estimates(backbone, k)
    narrow = Camera.from_fov(1280, 720, 40.0)
    frame = Frame(IMAGE, narrow, stamp_ns=11 * FRAME_NS)
    observations = [Observation(frame, name, Box(0, 0, 1280, 720)) for name in ("p1", "p2")]
    fresh = LiteBackbone(BODY, landmarks)  # type: ignore[arg-type]
    for later, new in zip(backbone.estimate(observations), fresh.estimate(observations), strict=True):
        assert later is not None
        assert new is not None
        np.testing.assert_allclose(later.params.flat, new.params.flat, atol=1e-5)


def seen_points(person: PersonLandmarks, points: int) -> PersonLandmarks:
    """With nothing but the first body points seen: hips, shoulders, head."""
    order = [11, 12, 23, 24, 0, 2, 5, 7, 8, 13, 14]
    visibility = np.isin(np.arange(33), order[:points]).astype(float)
    return replace(person, body=replace(person.body, visibility=visibility), left_hand=None, right_hand=None)


@pytest.mark.parametrize("points", [0, 1, 7])
def test_who_is_hardly_seen_is_not_found_and_not_remembered(
    backbone: LiteBackbone, landmarks: Perfect, points: int
) -> None:
    """They would be at the optical centre, and sure of it: nothing of what is seen tells where they are."""
    whole = landmarks.people
    landmarks.people = [seen_points(whole[0], points), whole[1]]
    frames = [Frame(IMAGE, CAMERA, stamp_ns=(k + 1) * FRAME_NS) for k in range(2)]
    first, other = backbone.estimate([Observation(frames[0], name, Box(0, 0, 9, 9)) for name in ("p1", "p2")])
    assert first is None
    assert other is not None
    np.testing.assert_allclose(BODY.joints(other.params)[0, 0], BODY.joints(PARAMS[1])[0, 0], atol=0.3)

    landmarks.people = whole
    after, new = estimates(backbone, 1)[0], estimates(LiteBackbone(BODY, landmarks), 1)[0]  # type: ignore[arg-type]
    np.testing.assert_allclose(BODY.joints(after.params), BODY.joints(new.params), atol=1e-3)


def test_a_head_and_shoulders_and_hips_are_enough(backbone: LiteBackbone, landmarks: Perfect) -> None:
    landmarks.people = [seen_points(landmarks.people[0], 9), landmarks.people[1]]
    body = estimates(backbone, 0)[0]
    pelvis, true = BODY.joints(body.params)[0, 0], BODY.joints(PARAMS[0])[0, 0]
    assert np.linalg.norm(pelvis - true) < 0.25 * np.linalg.norm(true)


def test_who_is_where_the_lens_model_ends_is_not_found(landmarks: Perfect) -> None:
    """A calibration whose polynomial folds inside the image: pixels beyond have no rays."""
    k = np.array([[700.0, 0, 640], [0, 700, 360], [0, 0, 1]])
    folded = Camera(1280, 720, k, np.array([-0.9, 0, 0, 0, 0]))
    body = landmarks.people[0].body
    moved = replace(body, points=0.1 * (body.points - body.roi[[0, 1, 3]]) + [1200.0, 60, 0])
    assert np.isnan(folded.normalize(moved.points[:, :2])).all()
    landmarks.people = [replace(landmarks.people[0], body=moved, left_hand=None, right_hand=None)]
    observation = Observation(Frame(IMAGE, folded, stamp_ns=FRAME_NS), "p1", Box(0, 0, 9, 9))
    assert LiteBackbone(BODY, landmarks).estimate([observation]) == [None]  # type: ignore[arg-type]
