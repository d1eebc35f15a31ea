"""The embedded body is a body: proportions, sides, senses of rotation, and a mesh that holds together."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.body.model import STANDIN_FILE
from smplerx_ros.body.skeleton import EXTRA_JOINT_INDEX, JOINT_INDEX
from smplerx_ros.types import SmplxParams

BODY = load_body()
JOINTS = {name: BODY.joint_template[i] for name, i in JOINT_INDEX.items()}
EXTRA = {name: BODY.extra_joints_rest()[i] for name, i in EXTRA_JOINT_INDEX.items()}
STATIC = 17  # iBUG number of the first static landmark


def posed(**rotations: tuple[float, float, float]) -> SmplxParams:
    """Rest, with some body joints turned."""
    pose = np.zeros(63)
    for name, rotvec in rotations.items():
        joint = JOINT_INDEX[name]
        pose[3 * joint - 3 : 3 * joint] = rotvec
    return replace(SmplxParams.rest(), body_pose=pose)


def landmark(params: SmplxParams, ibug: int) -> np.ndarray:
    return BODY.landmarks144(params)[0, 76 + ibug - STATIC]


def test_it_names_itself_and_is_recorded() -> None:
    assets = files("smplerx_ros") / "assets"
    content = (assets / STANDIN_FILE).read_bytes()
    assert BODY.name == "standin_anny"
    assert len(content) <= 3_000_000
    assert hashlib.sha256(content).hexdigest() in (assets / "NOTICE.md").read_text()


def test_it_is_as_tall_as_people_and_stands_in_a_t_pose() -> None:
    assert np.ptp(BODY.v_template[:, 1]) == pytest.approx(1.70, abs=0.02)
    np.testing.assert_allclose(JOINTS["pelvis"], 0, atol=0.003)
    arm = np.array([JOINTS[f"left_{name}"] for name in ("shoulder", "elbow", "wrist", "middle1")])
    np.testing.assert_allclose(arm[:, 1:], np.broadcast_to(arm[0, 1:], (4, 2)), atol=0.004)
    assert JOINTS["left_ankle"][0] == pytest.approx(JOINTS["left_hip"][0], abs=0.005)


def test_left_is_left_up_is_up_and_front_is_front() -> None:
    for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "eye", "index1"):
        assert JOINTS[f"left_{name}"][0] > 0 > JOINTS[f"right_{name}"][0]
    heights = [JOINTS[n][1] for n in ("left_foot", "left_ankle", "left_knee", "left_hip", "pelvis", "spine1", "spine2")]
    heights += [JOINTS[n][1] for n in ("spine3", "neck", "head", "left_eye")]
    assert np.all(np.diff(heights) > 0)
    assert EXTRA["nose"][2] > JOINTS["left_eye"][2] > EXTRA["left_ear"][2]
    assert EXTRA["left_big_toe"][2] > EXTRA["left_heel"][2]
    assert EXTRA["left_small_toe"][0] > EXTRA["left_big_toe"][0] > 0


def test_palms_face_down_and_thumbs_forward() -> None:
    for side, sign in (("left", 1), ("right", -1)):
        to_index = JOINTS[f"{side}_index1"] - JOINTS[f"{side}_wrist"]
        to_pinky = JOINTS[f"{side}_pinky1"] - JOINTS[f"{side}_wrist"]
        back = np.cross(to_index, to_pinky) * sign
        assert back[1] / np.linalg.norm(back) > 0.99
        assert EXTRA[f"{side}_thumb_tip"][2] > JOINTS[f"{side}_index1"][2]


def test_the_relaxed_hand_bends_towards_the_palm() -> None:
    tips = [EXTRA_JOINT_INDEX[f"{side}_{f}_tip"] for side in ("left", "right") for f in ("index", "middle", "pinky")]
    assert np.all(BODY.extra_joints(SmplxParams.rest())[0, tips, 1] < BODY.extra_joints_rest()[tips, 1] - 0.01)


def test_the_jaw_opens_downwards() -> None:
    shut, wide = SmplxParams.rest(), replace(SmplxParams.rest(), jaw_pose=(0.3, 0, 0))
    gap = [landmark(params, 62)[1] - landmark(params, 66)[1] for params in (shut, wide)]  # inner lips
    assert gap[0] == pytest.approx(0, abs=0.005)
    assert gap[1] > 0.015
    np.testing.assert_allclose(landmark(wide, 27), landmark(shut, 27), atol=1e-4)  # the nose stays


def test_eyes_turn_in_their_sockets() -> None:
    looking_left = replace(SmplxParams.rest(), leye_pose=(0, 0.4, 0))
    surface = 55 + EXTRA_JOINT_INDEX["left_eye_surface"]
    before, after = (BODY.landmarks144(params)[0] for params in (SmplxParams.rest(), looking_left))
    assert after[surface, 0] - before[surface, 0] == pytest.approx(np.sin(0.4) * 0.015, abs=0.003)
    np.testing.assert_allclose(np.delete(after, surface, 0), np.delete(before, surface, 0), atol=1e-6)


def test_face_landmarks_lie_where_their_numbers_say() -> None:
    points = dict(enumerate(BODY.landmarks144(SmplxParams.rest())[0, 127:], 0))
    points |= dict(enumerate(BODY.face_landmarks_rest(), STATIC))
    x, y, z = ({k: float(p[axis]) for k, p in points.items()} for axis in range(3))
    pairs = [(0, 16), (8, 8), (17, 26), (21, 22), (31, 35), (36, 45), (39, 42), (37, 44), (41, 46), (48, 54), (60, 64)]
    for right, left in pairs:
        np.testing.assert_allclose(points[right] * [-1, 1, 1], points[left], atol=2e-6)
        assert x[right] <= 0 <= x[left]
    assert [x[k] for k in range(17)] == sorted(x[k] for k in range(17))  # contour: right ear, chin, left ear
    assert min(y, key=y.__getitem__) == 8  # the chin is the lowest
    assert max(z, key=z.__getitem__) == 30  # the tip of the nose is the foremost
    assert y[19] > y[37] > y[41] > y[30] > y[33] > y[51] > y[62] >= y[66] > y[57] > y[8]
    assert x[36] < JOINTS["right_eye"][0] < x[39] < 0  # outer and inner corner


def test_face_landmarks_are_on_the_skin() -> None:
    distance = np.linalg.norm(BODY.v_template[:, None] - BODY.face_landmarks_rest(), axis=-1).min(axis=0)
    assert distance.max() < 1e-6


@pytest.mark.parametrize(
    ("name", "right_landmark", "left_landmark", "direction"),
    [("smile", 48, 54, 1), ("frown", 48, 54, -1), ("brows_up", 19, 24, 1), ("brows_down", 21, 22, -1)],
)
def test_expressions_move_what_they_name(name: str, right_landmark: int, left_landmark: int, direction: int) -> None:
    expression = np.zeros(10)
    expression[BODY.expression_names.index(name)] = 1
    made, rest = replace(SmplxParams.rest(), expression=expression), SmplxParams.rest()
    for ibug in (right_landmark, left_landmark):
        assert (landmark(made, ibug) - landmark(rest, ibug))[1] * direction > 0.001
    np.testing.assert_allclose(BODY.joints(made), BODY.joints(rest), atol=0.002)


def test_the_first_beta_is_stature() -> None:
    heights = []
    for beta in (-2, 0, 2):
        vertices = BODY.vertices(replace(SmplxParams.rest(), betas=[beta, *[0] * 9]))[0]
        heights.append(np.ptp(vertices[:, 1]))
    assert heights[0] < heights[1] - 0.1 < heights[2] - 0.2


@pytest.mark.parametrize(
    "params",
    [
        posed(left_elbow=(0, -np.pi / 2, 0), right_elbow=(0, np.pi / 2, 0)),
        posed(left_shoulder=(0, 0, 1.4), right_shoulder=(0, 0, 1.2)),
        posed(left_hip=(-np.pi / 2, 0, 0), left_knee=(np.pi / 2, 0, 0), right_knee=(1.2, 0, 0)),
        posed(spine1=(0.3, 0, 0), spine3=(0, 0.4, 0), neck=(0, 0.6, 0), head=(0.3, 0, 0)),
    ],
    ids=["elbows", "arms", "legs", "trunk"],
)
def test_the_mesh_does_not_tear(params: SmplxParams) -> None:
    edges = np.unique(np.sort(BODY.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)

    def lengths(vertices: np.ndarray) -> np.ndarray:
        return np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)

    longer = lengths(BODY.vertices(params)[0]) - lengths(BODY.v_template)
    assert longer.max() < 0.05


def test_left_and_right_meshes_are_mirrored(standin: BodyModel) -> None:
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(standin.v_template).query(standin.v_template * [-1, 1, 1])
    assert distance.max() < 2e-6
