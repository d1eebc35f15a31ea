"""Persons carry the rotations of their joints, here and in another frame, as the body model has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.body.placement import Placement
from smplerx_ros.body.stature import KNOWN_STATURE_SIGMA, MEAN_STATURE, STATURE_SIGMA
from smplerx_ros.geometry.boxes import Box, pairwise_iou
from smplerx_ros.geometry.camera import NEAR, Camera
from smplerx_ros.geometry.rotations import matrix_from_rotvec
from smplerx_ros.geometry.uncertainty import (
    focal_sigma,
    position_covariance,
    sigma_across,
    sigma_along,
    sigma_along_measured,
)
from smplerx_ros.pipeline.localization.distance import pelvis_covariance
from smplerx_ros.pipeline.localization.persons import box_around, build_persons
from smplerx_ros.types import BodyEstimate, DistanceSource, Frame, Observation, Person, SmplxParams
from smplerx_ros.visualization.rasterizer import rasterize
from support.bodies import standin
from support.human_poses import human_poses

BODY = standin()
FRAME = Frame(np.zeros((480, 640, 3), np.uint8), Camera.from_fov(640, 480))


def someone() -> list[Person]:
    poses = human_poses(3, 3)
    params = [replace(poses[i], transl=np.array([i - 1.0, 0.0, 4.0])) for i in range(3)]
    seen = [Observation(FRAME, f"p{i}", Box(0, 0, 9, 9)) for i in range(3)]
    found = build_persons(BODY, seen, [BodyEstimate(0.9, one, np.ones(55)) for one in params], None)
    return [person for person in found if person is not None]


def test_rotations_and_joints_are_the_body_models() -> None:
    people = someone()
    assert len(people) == 3
    for person in people:
        rotations, joints = BODY.transforms(person.params)
        np.testing.assert_allclose(person.rotations, rotations[0], atol=1e-12)
        np.testing.assert_allclose(person.joints, joints[0], atol=1e-6)


def test_a_person_says_what_was_estimated() -> None:
    one = replace(human_poses(1, 3)[0], transl=np.array([0.0, 0.0, 4.0]))
    confidence = np.linspace(0.1, 0.9, 55)
    landmarks = np.random.default_rng(0).normal(size=(478, 2))
    estimate = BodyEstimate(0.7, one, confidence, face_landmarks=landmarks)
    seen = Observation(FRAME, "p8", Box(0, 0, 9, 9))
    (person,) = build_persons(BODY, [seen], [estimate], 1.5)
    assert person is not None
    assert (person.id, person.score, person.box.score) == ("p8", 0.7, 0.7)
    np.testing.assert_allclose(person.confidence, confidence, rtol=1e-6)
    assert person.face_landmarks is landmarks
    camera = FRAME.camera
    assert camera is not None
    pixels = camera.project(BODY.skeleton(one)[1][0])
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    aside, below = 0.05 * (high - low)
    np.testing.assert_allclose(
        person.box.xyxy, [low[0] - aside, low[1] - 2 * below - 1, high[0] + aside, high[1] + below]
    )

    rotations, points = BODY.skeleton(one)
    covariance = pelvis_covariance(seen, estimate, points[0, 0], rotations[0, 0], box_around(pixels, 0.7), 1.5)
    np.testing.assert_allclose(person.pose_covariance, covariance, rtol=1e-6)


def test_a_box_has_a_pixel_round_a_point_at_least() -> None:
    assert box_around(np.array([[7.0, 9.0]]), 0.5) == Box(6, 8, 8, 10, 0.5)


@pytest.mark.parametrize(
    ("height", "source", "expected"),
    [
        pytest.param(None, DistanceSource.ASSUMED_STATURE, (MEAN_STATURE, STATURE_SIGMA), id="unknown height"),
        pytest.param(1.5, DistanceSource.ASSUMED_STATURE, (1.5, KNOWN_STATURE_SIGMA), id="known height"),
        pytest.param(None, DistanceSource.MEASURED_STATURE, (MEAN_STATURE, KNOWN_STATURE_SIGMA), id="measured earlier"),
        pytest.param(1.5, DistanceSource.DEPTH, None, id="measured now"),
    ],
)
def test_how_sure_a_distance_is_depends_on_how_it_is_known(
    height: float | None, source: DistanceSource, expected: tuple[float, float] | None
) -> None:
    params = human_poses(1, 3)[0]
    assumed = Camera.from_fov(640, 480)  # whose focal length matters unless depth was measured
    seen = Observation(replace(FRAME, camera=assumed), "p1", Box(0, 0, 9, 9))
    estimate = BodyEstimate(0.9, params, np.ones(55), distance_source=source)
    pelvis = np.array([0.0, 0.0, 5.0])
    covariance = pelvis_covariance(seen, estimate, pelvis, np.eye(3), Box(270, 100, 370, 400), height)
    along = sigma_along_measured(5.0) if expected is None else sigma_along(5.0, *expected)
    lens = focal_sigma(pelvis, assumed, measured=source in (DistanceSource.DEPTH, DistanceSource.MEASURED_STATURE))
    np.testing.assert_allclose(
        covariance[:3, :3], position_covariance(pelvis, along, sigma_across(pelvis, assumed, 300), lens)
    )


def test_the_covariance_turns_with_the_frame() -> None:
    placement = Placement(matrix_from_rotvec([0.3, -1.2, 0.5]), np.array([1.0, 2.0, 3.0]))
    for before in someone():
        after = placement.place(before)
        turn = placement.target_from_optical
        place = before.pose_covariance[:3, :3]
        assert np.isfinite(place).all()
        np.testing.assert_allclose(after.pose_covariance[:3, :3], turn @ place @ turn.T)
        ray, distance = before.joints[0] @ turn.T, np.linalg.norm(before.joints[0])
        along = np.sqrt(ray @ after.pose_covariance[:3, :3] @ ray) / distance
        before_along = np.sqrt(before.joints[0] @ place @ before.joints[0]) / distance
        turned = turn @ before.pose_covariance[3:, 3:] @ turn.T
        np.testing.assert_allclose(after.pose_covariance[3:, 3:], turned)
        assert along == pytest.approx(before_along)


def test_joints_keep_their_shape_far_from_the_origin_of_the_frame() -> None:
    before = someone()[0]
    joints = Placement(np.eye(3), np.array([5e5, 5e6, 0.0])).place(before).joints
    np.testing.assert_allclose(joints - joints[0], before.joints - before.joints[0], atol=1e-6)


def test_each_block_of_a_covariance_is_known_or_not_for_itself() -> None:
    turn = matrix_from_rotvec([0.3, -1.2, 0.5])
    root = np.random.default_rng(1).normal(size=(6, 6))
    full = root @ root.T
    both = np.kron(np.eye(2), turn)
    expected = both @ full @ both.T
    before = someone()[0]
    for rows, columns in np.ndindex(2, 2):
        unknown = np.zeros((6, 6), bool)
        unknown[3 * rows : 3 * rows + 3, 3 * columns : 3 * columns + 3] = True
        person = replace(before, pose_covariance=np.where(unknown, np.nan, full))
        covariance = Placement(turn, np.zeros(3)).place(person).pose_covariance
        np.testing.assert_allclose(covariance, np.where(unknown, np.nan, expected))


def test_rotations_turn_with_the_frame() -> None:
    placement = Placement(matrix_from_rotvec([0.3, -1.2, 0.5]), np.array([1.0, 2.0, 3.0]))
    for person in map(placement.place, someone()):
        np.testing.assert_allclose(person.rotations, BODY.transforms(person.params)[0][0], atol=1e-6)


CAMERA = FRAME.camera


def close_by(distance: float, reach: float = 1.0) -> SmplxParams:
    """Somebody whose left arm points at the camera from `distance` metres, by `reach` of its way up."""
    arms = np.zeros((21, 3))
    arms[15], arms[16] = [0, -1.45 * reach, 0], [0, 0, 1.1]
    params = replace(SmplxParams.rest(), global_orient=np.array([np.pi, 0, 0]), body_pose=arms.ravel())
    return replace(params, transl=np.array([0.1, 0.45, distance]) - BODY.joints(params)[0, 0])


def person_of(params: SmplxParams, camera: Camera | None = CAMERA) -> Person | None:
    seen = Observation(replace(FRAME, camera=camera), "p1", Box(0, 0, 9, 9))
    return build_persons(BODY, [seen], [BodyEstimate(0.9, params, np.ones(55))], None)[0]


@pytest.mark.parametrize("distance", np.linspace(0.35, 2.0, 12).tolist())
def test_a_box_is_the_part_of_a_person_in_the_image_however_near_an_arm_is(distance: float) -> None:
    """Beside the silhouette: with a hand in the camera's plane boxes were thousands of pixels wide."""
    params = close_by(distance)
    person = person_of(params)
    assert person is not None
    assert person.box.x0 >= 0
    assert person.box.y0 >= 0
    assert person.box.x1 <= 640
    assert person.box.y1 <= 480
    near = person.joints[:, 2] < NEAR
    assert np.isnan(person.joints_image[near]).all()
    assert np.isfinite(person.joints_image[~near]).all()
    rows, columns = np.nonzero(rasterize(BODY.vertices(params)[0], BODY.faces, Camera.from_fov(640, 480)).mask())
    silhouette = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert pairwise_iou([person.box], [silhouette])[0, 0] > 0.6


def test_an_arm_that_leaves_through_the_near_plane_reaches_to_the_edge_of_the_image() -> None:
    """The box ends where the forearm does, not at the last joint in view."""
    params = close_by(0.48)
    person = person_of(params)
    assert person is not None
    assert person.joints[20, 2] < NEAR < person.joints[18, 2]  # wrist, elbow
    assert person.box.x1 == 640


@pytest.mark.parametrize("place", [[9.0, 0, 3], [0, -9, 3], [0, 0, -3], [0, 3, -0.2]])
def test_nobody_is_a_person_of_an_image_in_which_nothing_of_them_is(place: list[float]) -> None:
    assert person_of(replace(close_by(1.0), transl=np.array(place))) is None


@pytest.mark.parametrize("centre", [[0.0, 0, 0], [0.12, 0, 0]])
def test_nobody_has_their_pelvis_in_the_camera(centre: list[float]) -> None:
    """Where a fit ends that nothing tells a place: with legs before the camera, and no deviation at all."""
    ahead = replace(close_by(1.0), global_orient=np.array([np.pi / 2, 0, 0]))
    camera = replace(Camera.from_fov(640, 480), centre=np.array(centre))

    def at(place: list[float]) -> Person | None:
        offset = np.array(centre) + place - BODY.joints(ahead)[0, 0]
        return person_of(replace(ahead, transl=ahead.transl + offset), camera)

    assert at([0.0, 0.0009, 0.0001]) is None
    assert at([0.0, -0.2, 0.2]) is not None


def test_joints_that_a_lens_does_not_see_count_for_nothing() -> None:
    """A wide barrel lens folds the legs of somebody who stands close into the image: above the head, upside down."""
    wide = Camera(640, 480, np.array([[266.0, 0, 319.5], [0, 266, 239.5], [0, 0, 1]]), np.array([-0.3, 0, 0, 0, 0]))
    params = close_by(0.5, reach=0.0)
    person = person_of(params, wide)
    assert person is not None
    rays = person.joints[:, :2] / person.joints[:, 2:]
    outside = np.linalg.norm(rays, axis=1) > wide.limit
    assert outside[[7, 8]].all()  # ankles
    np.testing.assert_array_equal(np.isnan(person.joints_image).all(axis=1), outside)
    seen = person.joints_image[~outside]
    directions = rays[~outside]
    assert (np.einsum("ni,ni->n", seen - wide.k[:2, 2], directions) >= 0).all()


def cut_at(
    bottom: float, *, height: float | None = None, source: DistanceSource = DistanceSource.ASSUMED_STATURE
) -> Person:
    """Somebody who stands 3 m before a camera whose image ends so many pixels below the pelvis, or above it."""
    params = replace(SmplxParams.rest(), global_orient=np.array([np.pi, 0, 0]))
    params = replace(params, transl=np.array([0.0, 0.0, 3.0]) - BODY.joints(params)[0, 0])
    camera = Camera(640, int(400 + bottom), np.array([[600.0, 0, 320], [0, 600, 400], [0, 0, 1]]))
    frame = Frame(np.zeros((camera.height, 640, 3), np.uint8), camera)
    seen = [Observation(frame, "p1", Box(0, 0, 9, 9))]
    (person,) = build_persons(BODY, seen, [BodyEstimate(0.9, params, np.ones(55), distance_source=source)], height)
    assert person is not None
    return person


@pytest.mark.parametrize("height", [None, 1.7])
@pytest.mark.parametrize("source", [DistanceSource.ASSUMED_STATURE, DistanceSource.DEPTH])
def test_the_more_of_a_person_is_outside_the_image_the_less_sure_is_its_pose(
    height: float | None, source: DistanceSource
) -> None:
    """From below: feet, knees, hips, chest. What depth measures and what the image shows of the pelvis stays."""
    places = [cut_at(bottom, height=height, source=source) for bottom in (400, 150, 60, -60)]
    inside = [int((person.confidence[:22] > 0).sum()) for person in places]
    assert inside[0] == 22
    assert inside == sorted(set(inside), reverse=True)
    covariances = np.array([person.pose_covariance for person in places])
    assert (np.linalg.eigvalsh(covariances) > 0).all()
    x, y, z, *turns = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2)).T
    for across in (x, y, *turns):
        np.testing.assert_allclose(across[:3], across[0])  # the pelvis is inside
        assert across[3] > 1.2 * across[0]
    if source is DistanceSource.DEPTH:
        np.testing.assert_allclose(z[:3], z[0])
        assert z[3] > z[0]
    else:
        assert (np.diff(z) > 0.01).all()
    np.testing.assert_allclose(places[0].pose_covariance, cut_at(300, height=height, source=source).pose_covariance)


def test_half_a_person_beside_the_image_is_less_sure_than_a_whole_one() -> None:
    params = replace(SmplxParams.rest(), global_orient=np.array([np.pi, 0, 0]))
    params = replace(params, transl=np.array([0.0, 0.0, 4.0]) - BODY.joints(params)[0, 0])
    variances = []
    for principal in (320.0, -5.0, 5.0, 634.0, 644.0):  # the pelvis' column
        person = person_of(params, Camera(640, 480, np.array([[400.0, 0, principal], [0, 400, 240], [0, 0, 1]])))
        assert person is not None
        assert np.linalg.eigvalsh(person.pose_covariance)[0] > 0
        variances.append(person.pose_covariance[2, 2])
    assert (np.array(variances[1:]) > 2 * variances[0]).all()


@pytest.mark.parametrize(
    ("source", "height", "expected"),
    [
        (DistanceSource.ASSUMED_STATURE, None, DistanceSource.ASSUMED_STATURE),
        (DistanceSource.ASSUMED_STATURE, 1.7, DistanceSource.GIVEN_HEIGHT),
        (DistanceSource.MEASURED_STATURE, 1.7, DistanceSource.MEASURED_STATURE),
        (DistanceSource.DEPTH, 1.7, DistanceSource.DEPTH),
    ],
)
def test_what_a_distance_rests_on(source: DistanceSource, height: float | None, expected: DistanceSource) -> None:
    assert cut_at(400, height=height, source=source).distance_source is expected


def test_which_joints_lie_in_the_image() -> None:
    person = cut_at(60)
    x, y = person.joints_image.T
    np.testing.assert_array_equal(person.joints_in_image, (x >= -0.5) & (x <= 639.5) & (y >= -0.5) & (y <= 459.5))
    assert 0 < person.joints_in_image[:22].sum() < 22
