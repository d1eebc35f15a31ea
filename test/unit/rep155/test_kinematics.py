"""URDF and joint angles through forward kinematics give the SMPL-X joints back; angles keep limits and do not jump."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.rep155.axes import JOINT_FROM_REP, body_frames
from smplerx_ros.rep155.ball_joints import Hinges
from smplerx_ros.rep155.decomposition import LIMB_ENDS, joint_angles
from smplerx_ros.rep155.description import ANGLE_INDEX, JOINTS, LOWER, MOVING, UPPER, BodyDescription, link_transforms
from smplerx_ros.types import SmplxParams
from support.bodies import standin
from support.human_poses import human_poses

BODY = standin()
SAME = {  # links and the SMPL-X joints that they are
    **{f"{side[0]}_{name}": f"{side}_{name}" for side in ("left", "right") for name in ("shoulder", "elbow", "wrist")},
    **{f"{side[0]}_{name}": f"{side}_{name}" for side in ("left", "right") for name in ("hip", "knee", "ankle")},
    "head": "head",
}


def solved(params: SmplxParams, before: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    rotations, joints = BODY.transforms(params)
    descriptions = BodyDescription.from_rest(BODY.rest_joints(params.betas, params.expression))
    return rotations, joints, descriptions, joint_angles(descriptions, rotations, joints, before)


def errors(params: SmplxParams) -> dict[str, np.ndarray]:
    """Metres between links, by a URDF library, and SMPL-X's joints, for each person."""
    urdf_chain = pytest.importorskip("support.urdf_chain", reason="urdf-parser-py is not installed")
    rotations, joints, descriptions, angles = solved(params)
    turns, origins = body_frames(rotations, joints)
    found: dict[str, list[float]] = {link: [] for link in SAME}
    for i, description in enumerate(descriptions):
        named = {f"{joint.name}_x1": value for joint, value in zip(MOVING, angles.values[i], strict=True)}
        places, _ = urdf_chain.link_places(description.urdf("x1"), named)
        for link, joint in SAME.items():
            place = origins[i] + turns[i] @ places[f"{link}_x1"]
            found[link].append(float(np.linalg.norm(place - joints[i, JOINT_INDEX[joint]])))
    return {link: np.array(values) for link, values in found.items()}


def test_exact_with_spine_and_collars_at_rest() -> None:
    worst = {link: values.max() for link, values in errors(human_poses(0, 250)).items()}
    assert max(worst.values()) < 0.002, worst


def test_limbs_reach_what_a_moving_trunk_leaves_within_reach() -> None:
    found = errors(human_poses(1, 250, trunk=True))
    for limb in ("l_wrist", "r_wrist", "l_ankle", "r_ankle"):
        assert np.median(found[limb]) < 0.05, limb
        assert found[limb].max() < 0.30, limb
    for link in ("l_knee", "r_knee", "l_ankle", "r_ankle"):
        assert found[link].max() < 0.002, link  # legs hang from the pelvis itself


def test_the_stated_residual_is_the_real_one() -> None:
    params = human_poses(2, 60, trunk=True)
    found = errors(params)
    stated = solved(params)[3].residuals
    for k, end in enumerate(LIMB_ENDS):
        side, name = end.split("_")
        np.testing.assert_allclose(stated[:, k], found[f"{side[0]}_{name}"], atol=1e-4)


def test_the_head_looks_where_it_looks() -> None:
    params = human_poses(3, 100)
    rotations, joints, descriptions, angles = solved(params)
    _, quaternions = link_transforms(descriptions, angles.values)
    chain = body_frames(rotations, joints)[0]
    for name in ("waist", "torso", "r_head", "y_head", "p_head", "head"):
        row = next(i for i, joint in enumerate(JOINTS) if joint.name == name)
        chain = chain @ Rotation.from_quat(quaternions[:, row]).as_matrix()
    np.testing.assert_allclose(chain, rotations[:, JOINT_INDEX["head"]] @ JOINT_FROM_REP, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_limits_hold_for_any_pose_and_what_was_limited_is_told(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wild = replace(human_poses(seed, 100), body_pose=rng.normal(0, 1.2, (100, 63)))
    angles = solved(wild)[3]
    assert np.isfinite(angles.values).all()
    assert (angles.values >= LOWER - 1e-9).all()
    assert (angles.values <= UPPER + 1e-9).all()
    assert angles.clamped.any()
    assert not solved(human_poses(seed, 100))[3].clamped.any()


def person(**joints: tuple[float, float, float]) -> SmplxParams:
    pose = np.zeros((1, 21, 3))
    for name, rotvec in joints.items():
        pose[0, JOINT_INDEX[name] - 1] = rotvec
    return replace(SmplxParams.rest(1), body_pose=pose.reshape(1, 63))


def hanging(side: str = "left", swing: float = 0.0, out: float = 0.0) -> Rotation:
    """An arm beside the body, swung to the front by `swing` and to the side by `out` radians."""
    sign = 1 if side == "left" else -1
    return Rotation.from_euler("X", -swing) * Rotation.from_euler("Z", sign * (out - np.pi / 2))


def test_signs_are_the_reference_description_s() -> None:
    """Elbows 0 to 2.5, knees -2.5 to 0, waist forwards positive; abducted and raised arms are positive p_shoulder."""
    bent = {f"{side}_elbow": (0.0, -1.0 if side == "left" else 1.0, 0.0) for side in ("left", "right")}
    knees = {f"{side}_knee": (1.2, 0.0, 0.0) for side in ("left", "right")}
    hips = {f"{side}_hip": (-0.5, 0.0, 0.0) for side in ("left", "right")}
    values = solved(person(spine2=(0.4, 0.0, 0.0), head=(0.2, 0.3, 0.0), **bent, **knees, **hips))[3].values[0]
    at = {joint.name: float(value) for joint, value in zip(MOVING, values, strict=True)}
    for side in ("l", "r"):
        assert at[f"{side}_elbow"] == pytest.approx(1.0, abs=0.02)
        assert at[f"{side}_knee"] == pytest.approx(-1.2, abs=0.2)  # thigh and shin are not quite in line at rest
        assert at[f"{side}_r_hip"] == pytest.approx(0.5, abs=0.1)
        assert at[f"{side}_p_shoulder"] == pytest.approx(np.pi / 2, abs=0.1)  # the T pose
        assert at[f"{side}_y_shoulder"] == pytest.approx(0.0, abs=0.1)
    assert at["waist"] == pytest.approx(0.4, abs=0.02)
    assert at["y_head"] == pytest.approx(0.3, abs=0.1)


def test_a_head_that_looks_up_has_a_positive_pitch() -> None:
    """The reference turns the head about -y, so that looking up is positive."""
    values = solved(person(head=(-0.3, 0.0, 0.0)))[3].values[0]
    assert values[ANGLE_INDEX["p_head"]] == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize(
    "arm",
    [
        lambda t: hanging(swing=0.5 * np.sin(2 * np.pi * t), out=0.05),  # walking
        lambda t: hanging(out=np.pi * t),  # raised at the side, over the head
        lambda t: hanging(swing=np.pi * t, out=0.02),  # raised to the front
        lambda t: Rotation.from_euler("Y", -2.2 * t),  # reaching across
        lambda t: hanging(out=2.0) * Rotation.from_euler("Z", 0.4 * np.sin(2 * np.pi * t)),  # waving
    ],
)
def test_angles_go_on_without_jumps(arm) -> None:  # type: ignore[no-untyped-def]
    before = None
    steps = []
    for t in np.linspace(0, 1, 200):
        rotvec = arm(t).as_rotvec()
        angles = solved(person(left_shoulder=tuple(rotvec), left_elbow=(0.0, -0.4, 0.0)), before)[3]
        assert angles.residuals.max() < 0.003
        if before is not None:
            steps.append(np.abs(angles.values - before).max())
        before = angles.values
    assert max(steps[1:]) < 0.6


def test_a_straight_leg_s_thigh_does_not_turn_with_every_tremor() -> None:
    """A knee that overstretches by a little must not turn the thigh round to bend it the right way."""
    rolls = []
    for overstretched in np.radians(np.linspace(-15, 4, 77)):  # the embedded body's knee is straight at -8 degrees
        angles = solved(person(left_knee=(overstretched, 0.0, 0.0), left_hip=(0.1, 0.0, 0.0)))[3]
        rolls.append(angles.values[0, ANGLE_INDEX["l_y_hip"]])
    assert np.ptp(rolls) < 1.2


def test_a_hanging_arm_does_not_turn_with_every_tremor() -> None:
    """Straight down the shoulder's first and third hinge are one: a tremor must not turn them against each other."""
    axes = np.array([[[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    hinges = Hinges(axes, np.full((1, 3), -4.0), np.full((1, 3), 4.0))
    rng = np.random.default_rng(0)
    before, turns = np.zeros((1, 1, 3)), []
    for sideways, forwards in rng.normal(0, 0.0003, (50, 2)):
        rotation = Rotation.from_rotvec([sideways, forwards, 0.0]).as_matrix()[None, None]
        before, _ = hinges.angles(rotation, before)
        turns.append(before[0, 0, 0])
        np.testing.assert_allclose(hinges.rotations(before), rotation, atol=0.003)
    assert np.ptp(turns) < 0.3


@settings(deadline=None)
@given(st.tuples(*[st.floats(low, high) for low, high in ((-1.6, 2.4), (-1.0, 3.7), (-3.0, 3.0))]))
def test_hinges_give_rotations_back(given_angles: tuple[float, float, float]) -> None:
    axes = np.array([[[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    hinges = Hinges(axes, np.array([[-1.7, -1.1, -4.2]]), np.array([[2.5, 3.9, 4.2]]))
    rotation = hinges.rotations(np.array([[given_angles]]))
    angles, _ = hinges.angles(rotation, np.zeros((1, 1, 3)))
    np.testing.assert_allclose(hinges.rotations(angles), rotation, atol=0.004)
    assert (angles[..., :2] >= hinges.lower[:, :2] - 1e-5).all()
    assert (angles[..., :2] <= hinges.upper[:, :2] + 1e-5).all()


def test_a_description_tells_when_measures_changed() -> None:
    rest = BODY.joint_template
    one, like, taller = BodyDescription.from_rest(np.stack([rest, rest * 1.001, rest * 1.05]))
    assert not one.differs(like, 0.005)
    assert one.differs(taller, 0.005)


def test_people_do_not_share_angles() -> None:
    params = human_poses(4, 5, trunk=True)
    together = solved(params)[3].values
    alone = np.concatenate([solved(SmplxParams.stack([params[i]]))[3].values for i in range(5)])
    np.testing.assert_allclose(together, alone, atol=1e-6)  # a stretched limb bends by the root of rounding errors
