"""Skeletons, faces, crops, axes and the list of who is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplerx_ros.backbones.smpler_x.prediction import ESTIMATED
from smplerx_ros.body.placement import Placement
from smplerx_ros.body.skeleton import EXTRA_JOINT_NAMES, JOINT_INDEX
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.rep155.axes import body_frames, face_frames, gaze_rotations
from smplerx_ros.rep155.crops import crop, fitted_crop, normalized_box
from smplerx_ros.rep155.faces import MESH_POINTS, face_box, face_id, person_of
from smplerx_ros.rep155.people import BodyTracker
from smplerx_ros.rep155.presence import GRACE_NS, Presence
from smplerx_ros.rep155.skeleton2d import FACE_POINTS, KEYPOINTS, keypoints
from smplerx_ros.types import Estimated, Person, SmplxParams
from support.bodies import standin
from support.human_poses import UPRIGHT, human_poses

BODY = standin()
CAMERA = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
STANDING = replace(
    SmplxParams.rest(),
    global_orient=np.array(UPRIGHT),
    transl=np.array([0.0, 0.0, 3.0]),
    estimated=ESTIMATED,
)


def person(params: SmplxParams = STANDING, identity: str = "p1") -> Person:
    joints = BODY.joints(params)[0]
    return Person(identity, 0.9, Box(0, 0, 10, 10), params, joints, CAMERA.project(joints), np.ones(55))


def frames_of(params: SmplxParams) -> tuple[np.ndarray, np.ndarray]:
    return BODY.transforms(params)


def test_body_frame_of_somebody_who_faces_the_camera() -> None:
    """In the optical frame (x right, y down, z forward): their left is to the right, up is -y, front is -z."""
    rotations, origins = body_frames(*frames_of(STANDING))
    np.testing.assert_allclose(rotations[0], [[0, 1, 0], [0, 0, -1], [-1, 0, 0]], atol=1e-6)
    joints = BODY.joints(STANDING)[0]
    np.testing.assert_allclose(origins[0], (joints[1] + joints[2]) / 2)


def test_face_and_gaze_of_somebody_who_looks_left() -> None:
    pose = np.zeros((21, 3))
    pose[JOINT_INDEX["head"] - 1] = (0.0, 0.6, 0.0)
    params = replace(STANDING, body_pose=pose.ravel())
    rotations, joints = frames_of(params)
    faces, origins = face_frames(rotations, joints)
    to_the_right = [np.sin(0.6), 0.0, -np.cos(0.6)]  # their left
    np.testing.assert_allclose(faces[0, :, 0], to_the_right, atol=1e-6)
    np.testing.assert_allclose(faces[0, :, 2], [0, -1, 0], atol=1e-6)
    nose = BODY.extra_joints(params)[0, EXTRA_JOINT_NAMES.index("nose")]
    assert 0.01 < np.linalg.norm(origins[0] - nose) < 0.07
    gaze = gaze_rotations(rotations, np.array([False]))[0]
    np.testing.assert_allclose(faces[0] @ gaze[:, 2], to_the_right, atol=1e-6)
    np.testing.assert_allclose(faces[0] @ gaze[:, 1], [0, 1, 0], atol=1e-6)  # down
    np.testing.assert_allclose(np.linalg.det(gaze), 1)


def test_the_gaze_is_the_eyes_where_they_are_known() -> None:
    params = replace(STANDING, leye_pose=np.array([0.0, 0.4, 0.0]), reye_pose=np.array([0.0, 0.2, 0.0]))
    rotations, _ = frames_of(params)
    known, unknown = (gaze_rotations(rotations, np.array([is_known]))[0] for is_known in (True, False))
    np.testing.assert_allclose(known[:, 2], [np.cos(0.3), np.sin(0.3), 0], atol=1e-3)
    np.testing.assert_allclose(unknown[:, 2], [1, 0, 0], atol=1e-9)


def test_the_sellion_is_where_the_embedded_body_has_it() -> None:
    rest = BODY.face_landmarks_rest()[27 - 17]
    _, origins = face_frames(*frames_of(SmplxParams.rest()))
    assert np.linalg.norm(origins[0] - rest) < 0.005


def test_keypoints_are_coco_s_with_a_neck() -> None:
    expected = (
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle left_eye right_eye left_ear right_ear"
    )
    assert tuple(expected.split()) == KEYPOINTS
    assert EXTRA_JOINT_NAMES[: len(FACE_POINTS)] == ("nose", "right_eye_surface", "left_eye_surface", *FACE_POINTS[3:])


def test_keypoints_lie_where_the_joints_are() -> None:
    who = person()
    face = CAMERA.project(BODY.extra_joints(who.params)[:, :5])
    points = keypoints(who.joints_image[None], who.confidence[None], face, 640, 480)[0]
    found = dict(zip(KEYPOINTS, points, strict=True))
    wrist = (who.joints_image[JOINT_INDEX["left_wrist"]] + 0.5) / (640, 480)
    np.testing.assert_allclose(found["left_wrist"], [*wrist, 1.0])
    np.testing.assert_allclose(found["left_ear"][:2], (face[0, 4] + 0.5) / (640, 480))
    assert found["left_ear"][0] > found["right_ear"][0]  # they face the camera
    shoulders = [found[f"{side}_shoulder"] for side in ("left", "right")]
    np.testing.assert_allclose(found["neck"], np.mean(shoulders, axis=0))


def test_points_of_unknown_confidence_count_where_the_image_shows_them() -> None:
    """REP-155 has no value for unknown, and its readers leave out what has 0."""
    joints = np.full((1, 55, 2), 100.0)
    joints[0, JOINT_INDEX["left_wrist"]] = (-50.0, 100.0)
    points = keypoints(joints, np.full((1, 55), np.nan), np.full((1, 5, 2), 100.0), 640, 480)[0]
    found = dict(zip(KEYPOINTS, points.tolist(), strict=True))
    assert found.pop("left_wrist")[2] == 0
    assert {point[2] for point in found.values()} == {1.0}


def test_points_outside_the_image_are_on_its_edge_and_not_sure() -> None:
    joints = np.full((1, 55, 2), 100.0)
    joints[0, JOINT_INDEX["left_wrist"]] = (-50.0, 700.0)
    joints[0, JOINT_INDEX["right_wrist"]] = np.nan
    points = keypoints(joints, np.ones((1, 55)), np.full((1, 5, 2), 100.0), 640, 480)[0]
    found = dict(zip(KEYPOINTS, points.tolist(), strict=True))
    assert found["left_wrist"] == [0.0, 1.0, 0.0]
    assert found["right_wrist"][2] == 0.0
    assert ((points >= 0) & (points <= 1)).all()


def faces(who: Person) -> Box | None:
    rotations, origins = face_frames(*frames_of(who.params))
    return face_box(who, rotations[0], origins[0], CAMERA)


def test_a_face_is_where_nose_and_eyes_are() -> None:
    box = faces(person())
    assert box is not None
    points = CAMERA.project(BODY.extra_joints(STANDING)[0, :3])
    assert (points > box.xyxy[:2]).all()
    assert (points < box.xyxy[2:]).all()
    assert box.width == pytest.approx(0.14 * 500 / 3, rel=0.2)


def test_no_face_of_those_who_look_away_or_whose_face_was_not_found() -> None:
    away = replace(
        STANDING, global_orient=(Rotation.from_rotvec([0, np.pi, 0]) * Rotation.from_rotvec(UPRIGHT)).as_rotvec()
    )
    assert faces(person(away)) is None
    assert faces(person(replace(STANDING, estimated=Estimated.BODY_POSE))) is None
    assert faces(person(replace(STANDING, transl=np.array([9.0, 0.0, 3.0])))) is None


def test_the_box_of_a_face_is_that_of_its_mesh_where_there_is_one() -> None:
    mesh = np.random.default_rng(0).uniform((100, 200), (150, 260), (478, 2))
    box = faces(replace(person(), face_landmarks=mesh))
    assert box is not None
    np.testing.assert_allclose(box.xyxy, [*mesh.min(axis=0), *mesh.max(axis=0)])


def test_landmarks_are_70_different_points_of_the_mesh() -> None:
    assert len(MESH_POINTS) == len(set(MESH_POINTS)) == 70
    assert max(MESH_POINTS) < 478
    assert person_of(face_id("p12")) == "p12"


def test_crops_hold_the_box_and_are_never_empty() -> None:
    image = np.arange(40 * 30 * 3, dtype=np.uint32).astype(np.uint8).reshape(30, 40, 3)
    np.testing.assert_array_equal(crop(image, Box(2.3, 3.0, 5.1, 9.5)), image[3:10, 2:6])
    np.testing.assert_array_equal(crop(image, Box(-9, -9, 3, 2)), image[:2, :3])
    for outside in (Box(-9, -9, -3, -3), Box(50, 50, 60, 60)):
        assert crop(image, outside).size == 3


def test_faces_are_scaled_centred_and_padded() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    cut = fitted_crop(image, Box(40, 40, 60, 80), 128, 128)
    assert cut.shape == (128, 128, 3)
    assert (cut[:, 40:88] == 200).all()  # 20 x 40 pixels become 64 x 128
    assert not cut[:, :31].any()
    assert not cut[:, 97:].any()
    beyond = fitted_crop(image, Box(-20, 0, 20, 40), 128, 128)
    assert not beyond[:, :60].any()
    assert (beyond[:, 68:] == 200).all()


def test_regions_stay_in_the_image() -> None:
    assert normalized_box(Box(-5, 12, 20, 900), 40, 30) == (0.0, 0.4, 0.5, 1.0)


def test_who_is_missed_for_a_moment_stays_and_then_goes() -> None:
    presence = Presence()
    assert presence.update("", 10**12, ["a", "b"], 0.0).appeared == ("a", "b")
    assert presence.update("", 10**12 + GRACE_NS, ["b"], 0.5).gone == ()
    assert presence.tracked == ("a", "b")
    change = presence.update("", 10**12 + GRACE_NS + 1, [], 0.5)
    assert change.gone == ("a",)
    assert presence.tracked == ("b",)


@pytest.mark.parametrize("behind", [0, 10**10, -(10**10)])
def test_cameras_add_up_and_do_not_drop_each_other_s_people(behind: int) -> None:
    """Neither do cameras whose clocks differ by seconds."""
    presence, start = Presence(), 10**12
    for step in range(20):
        gone = presence.update("left", start + step * 10**8 - behind, ["a"], step * 0.1).gone
        assert gone + presence.update("right", start + step * 10**8, ["b"], step * 0.1).gone == ()
    assert presence.tracked == ("a", "b")
    assert presence.update("right", start + 4 * 10**9, ["b"], 4.0).gone == ()
    assert presence.update("right", start + 8 * 10**9, ["b"], 8.0).gone == ("a",)  # the left camera has stopped


@pytest.mark.parametrize("later", [0, -(10**9)])
def test_clocks_that_stand_or_jump_give_no_grace(later: int) -> None:
    presence = Presence()
    presence.update("", 10**12, ["a"], 0.0)
    assert presence.update("", 10**12 + later, [], 0.1).gone == ("a",)


def test_half_a_second_is_the_grace_and_not_more() -> None:
    """In figures of its own: topics that outlive their people are as wrong as topics that flicker."""
    presence = Presence()
    for step in range(10):
        presence.update("", 10**12 + step * 10**8, ["a"], step * 0.1)
    missed = [presence.update("", 10**12 + step * 10**8, [], step * 0.1).gone for step in range(10, 16)]
    assert missed == [(), (), (), (), (), ("a",)]


def test_images_without_time_are_told_apart_by_their_arrival() -> None:
    presence = Presence()
    for step in range(10):
        presence.update("", 0, ["a"], step * 0.1)
    missed = [presence.update("", 0, [], step * 0.1).gone for step in range(10, 16)]
    assert missed == [(), (), (), (), (), ("a",)]


@pytest.mark.parametrize("period_s", [0.7, 1.0, 4.0, 10.0])
@pytest.mark.parametrize("stamped", [True, False])
def test_where_images_are_rare_grace_is_as_long_as_one_that_misses_somebody(period_s: float, stamped: bool) -> None:
    presence = Presence()

    def update(step: int, *ids: str) -> tuple[str, ...]:
        stamp = 10**12 + round(step * period_s * 1e9) if stamped else 0
        return presence.update("slow", stamp, ids, step * period_s).gone

    assert [update(step, "a") for step in range(5)] == [()] * 5
    assert [update(5), update(6, "a"), update(7), update(8), update(9)] == [(), (), (), (), ("a",)]


def test_a_slow_camera_has_not_stopped() -> None:
    """Its people stay while a quick one goes on; and go when it has really stopped."""
    presence = Presence()
    gone = []
    for step in range(800):
        if step % 80 == 0 and step < 400:  # 8 s
            presence.update("slow", 10**12 + step * 10**8, ["a"], step * 0.1)
        gone += [step for _ in presence.update("quick", 10**12 + step * 10**8, ["b"], step * 0.1).gone]
    assert gone == [51, 521]  # nobody knew yet that it is slow; 20 s after its last image


def test_measures_last_and_angles_go_on() -> None:
    tracker = BodyTracker(BODY)
    params = human_poses(0, 1, turned=False)[0]

    def update(who: Person):  # type: ignore[no-untyped-def]
        return tracker.update([who], BODY.transforms(who.params)[0], CAMERA)

    first = update(person(params))
    assert first.remeasured == (True,)
    slightly = replace(params, betas=params.betas + 0.01)
    assert update(person(slightly)).descriptions[0] is first.descriptions[0]
    grown = replace(params, betas=params.betas + 3.0)
    assert update(person(grown)).remeasured == (True,)
    tracker.forget(["p1"])
    assert update(person(grown)).remeasured == (True,)


def test_limited_angles_are_counted() -> None:
    tracker = BodyTracker(BODY)
    tracker.update([person()], BODY.transforms(STANDING)[0], CAMERA)
    assert (tracker.counts.angles, tracker.counts.limited) == (20, 0)
    pose = np.zeros((21, 3))
    pose[JOINT_INDEX["left_elbow"] - 1] = (0.0, -2.9, 0.0)  # further than an elbow bends
    folded = replace(STANDING, body_pose=pose.ravel())
    tracker.update([person(folded)], BODY.transforms(folded)[0], CAMERA)
    assert (tracker.counts.angles, tracker.counts.limited) == (40, 1)
    assert tracker.counts.largest_residual > 0.01


def test_an_old_description_still_reaches_wrists_and_ankles() -> None:
    tracker = BodyTracker(BODY)
    params = human_poses(3, 1, turned=False)[0]
    tracker.update([person(params)], BODY.transforms(params)[0], CAMERA)
    slightly = replace(params, betas=params.betas + 0.05)
    bodies = tracker.update([person(slightly)], BODY.transforms(slightly)[0], CAMERA)
    assert bodies.remeasured == (False,)
    assert bodies.angles.residuals.max() < 0.005


def test_a_person_in_another_frame_is_the_same_body() -> None:
    turn = Rotation.from_rotvec([0.3, -0.8, 1.1]).as_matrix()
    placement = Placement(turn, np.array([1.0, 2.0, 3.0]))
    who = replace(
        person(human_poses(1, 1)[0]),
        root_velocity=np.array([1.0, 0.0, 0.0]),
        pose_covariance=np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    )
    placed = placement.place(who)
    np.testing.assert_allclose(placed.joints, who.joints @ turn.T + placement.position, atol=1e-5)
    np.testing.assert_allclose(BODY.joints(placed.params)[0], placed.joints, atol=1e-5)
    np.testing.assert_allclose(placed.root_velocity, turn[:, 0])
    np.testing.assert_allclose(placed.pose_covariance[:3, :3], turn @ np.diag([1.0, 2.0, 3.0]) @ turn.T)
    np.testing.assert_array_equal(placed.joints_image, who.joints_image)
    assert np.isnan(placed.left_wrist_velocity).all()
    np.testing.assert_allclose(placement.up, turn @ [0, -1, 0])
