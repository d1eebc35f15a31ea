"""Ground truth from several cameras: known points, known faults of calibration and landmarks, known estimates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smplerx_ros.backbones.lite.topology import BODY_INDEX, BODY_POINTS
from smplerx_ros.body import BodyModel
from smplerx_ros.body.skeleton import EXTRA_JOINT_INDEX, JOINT_INDEX
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.research.evaluation import multiview, pose2sim
from smplerx_ros.research.evaluation.landmarks2d import Landmarks2D, mirrored_landmarks
from smplerx_ros.research.evaluation.triangulation import (
    View,
    reprojection_errors,
    resample_to_common_clock,
    triangulate,
)
from smplerx_ros.types import Person, SmplxParams
from support.bodies import standin

Array = NDArray[np.float64]

RATE, FRAMES = 60.0, 40


def looking_at_origin(position: tuple[float, float, float]) -> View:
    """A camera upright in a world with z up."""
    forward = -np.array(position) / np.linalg.norm(position)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    k = np.array([[1600.0, 0, 540], [0, 1600, 960], [0, 0, 1]])
    camera = Camera(1080, 1920, k, np.array([-0.05, 0.1, 0.001, 0, 0]))
    return View(camera, np.stack([right, np.cross(forward, right), forward]), np.array(position))


@pytest.fixture
def views() -> list[View]:
    return [looking_at_origin(p) for p in ((4, 0.5, 1), (-0.5, 4, 1.2), (-4, -0.5, 0.8), (0.3, -4, 1.1))]


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return standin()


@pytest.fixture(scope="module")
def motion(body: BodyModel) -> tuple[list[SmplxParams], Array]:
    """Somebody who turns and moves the arms; parameters in the world and all 33 landmarks `(T, 33, 3)`."""
    upright = Rotation.from_euler("x", 90, degrees=True)
    params = []
    for i in range(FRAMES):
        pose = np.zeros((21, 3))
        pose[[15, 16], 2] = [-0.8 + 0.3 * np.sin(i / 8), 0.8]
        pose[[17, 18], 1] = [-0.6, 0.4 + 0.2 * np.cos(i / 6)]
        orient = (Rotation.from_euler("z", 0.02 * i) * upright).as_rotvec()
        params.append(replace(SmplxParams.rest(), global_orient=orient, body_pose=pose.ravel()))
    points = body.landmarks144(SmplxParams.stack(params))
    return params, points[:, [_number(name) for name in BODY_POINTS]]


def _number(landmark: str) -> int:
    """Of the body model's 144 points; any point of the same side does where the test measures nothing."""
    toes = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}
    name = toes.get(landmark, landmark)
    if name in JOINT_INDEX and not name.endswith("eye"):
        return JOINT_INDEX[name]
    if name in EXTRA_JOINT_INDEX:
        return 55 + EXTRA_JOINT_INDEX[name]
    side = "left" if "left" in name else "right"
    return JOINT_INDEX[f"{side}_wrist"] if any(f in name for f in ("pinky", "index", "thumb")) else JOINT_INDEX["head"]


def seen(views: list[View], world: Array, noise: float = 0.0) -> list[Landmarks2D]:
    rng = np.random.default_rng(0)
    pixels = [view.camera.project(view.to_optical(world)) for view in views]
    return [Landmarks2D(p + rng.normal(0, noise, p.shape) * (noise > 0), np.ones(p.shape[:2])) for p in pixels]


def test_points_seen_by_all_cameras_are_found(views: list[View], motion: tuple[list[SmplxParams], Array]) -> None:
    rays = np.stack([v.camera.normalize(s.points) for v, s in zip(views, seen(views, motion[1]), strict=True)])
    found = triangulate(views, rays, np.ones(rays.shape[:-1]))
    np.testing.assert_allclose(found, motion[1], atol=1e-6)
    np.testing.assert_allclose(reprojection_errors(views, rays, found), 0, atol=1e-3)


def test_one_wrong_camera_does_not_move_a_point(views: list[View]) -> None:
    point = np.array([[0.1, 0.2, 0.3]])
    rays = np.stack([v.camera.normalize(v.camera.project(v.to_optical(point))) for v in views])
    rays[2] += 0.2  # 320 pixels
    np.testing.assert_allclose(triangulate(views, rays, np.ones((4, 1))), point, atol=0.01)


def test_late_cameras_are_brought_to_the_common_time(views: list[View]) -> None:
    times = np.arange(30.0)
    late = replace(views[0], delay=0.4)
    moving = np.stack([0.01 * (times + 0.4), 0.001 * (times + 0.4) ** 2], axis=-1)[None, :, None]
    common = resample_to_common_clock([late], moving)[0, 1:-1, 0]
    np.testing.assert_allclose(common, np.stack([0.01 * times, 0.001 * times**2], axis=-1)[1:-1], atol=1e-9)


def test_faults_of_calibration_and_exchanged_sides_are_found(
    views: list[View], motion: tuple[list[SmplxParams], Array]
) -> None:
    landmarks = seen(views, motion[1], noise=3.0)
    exchanged = landmarks[1].points.copy()
    exchanged[10:20] = exchanged[10:20][:, mirrored_landmarks()]
    landmarks[1] = Landmarks2D(exchanged, landmarks[1].visibility)
    turned = Rotation.from_rotvec(np.radians([0.5, 0, 0])).as_matrix() @ views[3].optical_from_world
    believed = [*views[:3], replace(views[3], optical_from_world=turned)]
    truth = multiview.reconstruct_ground_truth(believed, landmarks, RATE)
    assert truth.swapped_sides[1, 10:20].all()
    assert truth.swapped_sides.sum() == 20
    assert truth.reprojection_error < 5
    limbs = [BODY_INDEX[name] for name in multiview.LIMB_JOINTS]
    assert np.linalg.norm(truth.world - motion[1], axis=-1)[:, limbs].mean() < 0.012
    for length, spread in truth.bone_lengths.values():
        assert 0.2 < length < 0.5
        assert spread < 0.01
    assert truth.leave_one_out_change.max() < 0.01


def _people(views: list[View], motion: tuple[list[SmplxParams], Array], body: BodyModel, k: int) -> list[list[Person]]:
    """The true people in camera `k`'s frame."""
    people = []
    for params in motion[0]:
        turn = Rotation.from_matrix(views[k].optical_from_world)
        rest = body.rest_joints(params.betas)[0, 0]
        place = views[k].to_optical(rest + params.transl)
        orient = (turn * Rotation.from_rotvec(params.global_orient)).as_rotvec()
        local = replace(params, global_orient=orient, transl=place - rest)
        joints = body.joints(local)[0]
        person = Person("p1", 1.0, Box(0, 0, 1, 1), local, joints, np.zeros((55, 2)), np.ones(55))
        people.append([person])
    return people


def test_a_perfect_estimate_scores_nothing_and_a_known_error_itself(
    views: list[View], motion: tuple[list[SmplxParams], Array], body: BodyModel
) -> None:
    truth = multiview.GroundTruth(motion[1], tuple(views), np.zeros((4, FRAMES, 2), bool), 0.0, np.zeros(4), {})
    people = _people(views, motion, body, 2)
    perfect = multiview.score(truth, 2, people, body, RATE)
    assert perfect.followed == perfect.frames == FRAMES
    assert perfect.identities == 1
    for error in (perfect.mpjpe, perfect.pa_mpjpe, perfect.extremities, perfect.distance_error):
        assert error == pytest.approx(0, abs=1e-5)
    assert perfect.acceleration == pytest.approx(perfect.truth_acceleration, rel=1e-3)

    # 5 % farther away along the ray of the mid-hips, a stranger beside, and lost in one frame under a new id.
    farther = []
    for frame in people:
        person = frame[0]
        away = 0.05 * person.joints[[1, 2]].mean(axis=0)
        params = replace(person.params, transl=person.params.transl + away)
        moved = replace(person, params=params, joints=person.joints + away)
        stranger = replace(moved, id="p2", joints=moved.joints + 2, params=replace(params, transl=params.transl + 2))
        farther.append([stranger, moved])
    farther[5] = farther[5][:1]
    farther[6] = [replace(farther[6][1], id="p3")]
    wrong = multiview.score(truth, 2, farther, body, RATE)
    assert wrong.distance_error == pytest.approx(0.05, rel=0.01)
    assert wrong.distance_bias == pytest.approx(0.05, rel=0.01)
    assert wrong.mpjpe == pytest.approx(0, abs=1e-5)
    assert (wrong.followed, wrong.identities) == (FRAMES - 1, 2)


def test_nobody_followed_is_no_score(
    views: list[View], motion: tuple[list[SmplxParams], Array], body: BodyModel
) -> None:
    truth = multiview.GroundTruth(motion[1], tuple(views), np.zeros((4, FRAMES, 2), bool), 0.0, np.zeros(4), {})
    nobody = multiview.score(truth, 0, [[] for _ in range(FRAMES)], body, RATE)
    assert nobody.followed == 0
    assert np.isnan(nobody.mpjpe)
    with pytest.raises(InputError, match="frames"):
        multiview.score(truth, 0, [[]], body, RATE)


def test_other_side_is_its_own_inverse() -> None:
    partner = mirrored_landmarks()
    assert (partner[partner] == np.arange(len(BODY_POINTS))).all()
    assert [BODY_POINTS[i] for i in np.flatnonzero(partner == np.arange(len(BODY_POINTS)))] == ["nose"]


def test_a_folder_without_the_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Demo_SinglePerson"):
        pose2sim.clip_folder(tmp_path)
