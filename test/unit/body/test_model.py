"""What any SMPL-X body must do, on the stand-in."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.body.skeleton import (
    EXTRA_JOINT_NAMES,
    EXTRA_JOINT_VERTICES,
    IS_ANCESTOR,
    JOINT_INDEX,
    JOINT_NAMES,
    JOINTS_137,
)
from smplerx_ros.body.skinning import Skin
from smplerx_ros.errors import InputError
from smplerx_ros.types import PARAM_SIZES, SmplxParams

BODY = load_body()
SEEDS = st.integers(0, 2**32 - 1)
MIRROR_TOLERANCE = 1e-4  # metres; the shapes that the betas come from are not symmetric to the last digit
EXACT = 1e-6  # metres, between two ways to the same float32 result


def random_params(seed: int, batch: int = 3, angle: float = 0.5) -> SmplxParams:
    rng = np.random.default_rng(seed)
    arrays = {name: rng.normal(size=(batch, size)) for name, size in PARAM_SIZES.items()}
    for name in PARAM_SIZES:
        if name.endswith(("pose", "orient")):
            arrays[name] *= angle
    return SmplxParams(**arrays)


def mirrored(params: SmplxParams) -> SmplxParams:
    """The same body in a mirror at x = 0: sides swapped, rotations about y and z reversed."""

    def reflect(rotvecs: np.ndarray) -> np.ndarray:
        return rotvecs.reshape(len(rotvecs), -1, 3) * [1, -1, -1]

    body = np.zeros((len(params.betas), 21, 3))
    for i, name in enumerate(JOINT_NAMES[1:22]):
        body[:, JOINT_INDEX[swapped(name)] - 1] = reflect(params.body_pose)[:, i]
    flat = {
        "body_pose": body,
        "global_orient": reflect(params.global_orient),
        "jaw_pose": reflect(params.jaw_pose),
        "left_hand_pose": reflect(params.right_hand_pose),
        "right_hand_pose": reflect(params.left_hand_pose),
        "leye_pose": reflect(params.reye_pose),
        "reye_pose": reflect(params.leye_pose),
    }
    return replace(
        params,
        transl=params.transl * [-1, 1, 1],
        expression=np.zeros_like(params.expression),
        **{name: value.reshape(len(value), -1) for name, value in flat.items()},
    )


def swapped(name: str) -> str:
    if name.startswith("left_"):
        return name.replace("left_", "right_")
    return name.replace("right_", "left_")


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_turning_and_moving_the_root_moves_the_body_rigidly(seed: int) -> None:
    params = replace(random_params(seed), global_orient=np.zeros((3, 3)), transl=np.zeros((3, 3)))
    rng = np.random.default_rng(seed)
    rotvecs, transl = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)) * 3
    turns = Rotation.from_rotvec(rotvecs).as_matrix()
    moved = replace(params, global_orient=rotvecs, transl=transl)
    pelvis = BODY.joints(params)[:, :1]
    for points in (BODY.joints, BODY.extra_joints, BODY.vertices):
        expected = (points(params) - pelvis) @ turns.transpose(0, 2, 1) + pelvis + transl[:, None]
        np.testing.assert_allclose(points(moved), expected, atol=5e-6)
    before, after = BODY.transforms(params)[0], BODY.transforms(moved)[0]
    np.testing.assert_allclose(after, turns[:, None] @ before, atol=1e-6)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_mirrored_pose_gives_the_mirrored_body(seed: int) -> None:
    params = replace(random_params(seed), expression=np.zeros((3, 10)))
    order = [JOINT_INDEX[swapped(name)] for name in JOINT_NAMES]
    joints = BODY.joints(params)[:, order] * [-1, 1, 1]
    np.testing.assert_allclose(BODY.joints(mirrored(params)), joints, atol=MIRROR_TOLERANCE)
    order = [EXTRA_JOINT_NAMES.index(swapped(name)) for name in EXTRA_JOINT_NAMES]
    extra = BODY.extra_joints(params)[:, order] * [-1, 1, 1]
    np.testing.assert_allclose(BODY.extra_joints(mirrored(params)), extra, atol=MIRROR_TOLERANCE)


def test_a_batch_equals_its_bodies_one_by_one() -> None:
    params = random_params(1, batch=5)
    for points in (BODY.joints, BODY.vertices, BODY.extra_joints, BODY.landmarks137):
        together = points(params)
        alone = np.concatenate([points(params[i]) for i in range(5)])
        assert together.shape == alone.shape
        np.testing.assert_allclose(together, alone, atol=EXACT)


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_shapes_of_batches(batch: int) -> None:
    params = SmplxParams.rest(batch)
    assert BODY.joints(params).shape == (batch, 55, 3)
    assert BODY.transforms(params)[0].shape == (batch, 55, 3, 3)
    assert BODY.vertices(params).shape == (batch, len(BODY.v_template), 3)
    assert BODY.extra_joints(params).shape == (batch, 21, 3)
    assert BODY.landmarks144(params).shape == (batch, 144, 3)
    assert BODY.landmarks137(params).shape == (batch, 137, 3)
    assert BODY.rest_joints(params.betas).shape == (batch, 55, 3)


def test_unbatched_parameters_give_a_batch_of_one() -> None:
    assert BODY.joints(SmplxParams.rest()).shape == (1, 55, 3)


def test_a_batch_of_batches_is_refused() -> None:
    params = SmplxParams(**{name: np.zeros((2, 3, size)) for name, size in PARAM_SIZES.items()})
    with pytest.raises(InputError, match="global_orient"):
        BODY.joints(params)


def test_rest_joints_are_regressed_from_the_rest_mesh(case: tuple[str, BodyModel], model_files: dict) -> None:
    name, body = case
    rng = np.random.default_rng(2)
    betas, expression = rng.normal(size=(2, 4, 10))
    params = replace(SmplxParams.rest(4), betas=betas, expression=expression)
    params = replace(params, left_hand_pose=-body.hands_mean[[0] * 4], right_hand_pose=-body.hands_mean[[1] * 4])
    with np.load(model_files[name], allow_pickle=False) as archive:
        expected = archive["J_regressor"] @ body.vertices(params)
    np.testing.assert_allclose(body.rest_joints(betas, expression), expected, atol=1e-5)
    np.testing.assert_allclose(body.joints(params), expected, atol=1e-5)


def test_joints_skin_no_vertex(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a vertex was skinned")

    monkeypatch.setattr(Skin, "vertices", refuse)
    assert np.isfinite(BODY.joints(random_params(3))).all()
    with pytest.raises(AssertionError, match="skinned"):
        BODY.vertices(random_params(3))


def test_a_joint_moves_its_descendants_only() -> None:
    rest = BODY.joints(SmplxParams.rest())[0]
    for name in ("left_shoulder", "right_knee", "neck", "spine2"):
        joint = JOINT_INDEX[name]
        pose = np.zeros(63)
        pose[3 * joint - 3 : 3 * joint] = (0.3, 0.4, 0.5)
        moved = np.linalg.norm(BODY.joints(replace(SmplxParams.rest(), body_pose=pose))[0] - rest, axis=1) > 1e-9
        descendants = IS_ANCESTOR[:, joint].copy()
        descendants[joint] = False
        np.testing.assert_array_equal(moved, descendants)


def test_bones_keep_their_lengths() -> None:
    params = random_params(4, angle=1.0)
    rotations, positions = BODY.transforms(params)
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(-1, -2), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-9
    )
    rest = BODY.rest_joints(params.betas, params.expression)
    for child, parent in (("left_elbow", "left_shoulder"), ("right_ankle", "right_knee"), ("head", "neck")):
        i, k = JOINT_INDEX[child], JOINT_INDEX[parent]
        lengths = np.linalg.norm(positions[:, i] - positions[:, k], axis=1)
        np.testing.assert_allclose(lengths, np.linalg.norm(rest[:, i] - rest[:, k], axis=1), atol=1e-9)


def test_unknown_eye_poses_count_as_rest() -> None:
    params = random_params(5)
    unknown = params.leye_pose.copy()
    unknown[1, 2] = np.nan
    known = params.leye_pose.copy()
    known[1] = 0
    expected = BODY.vertices(replace(params, leye_pose=known))
    np.testing.assert_array_equal(BODY.vertices(replace(params, leye_pose=unknown)), expected)


@pytest.mark.parametrize("name", ["global_orient", "body_pose", "left_hand_pose", "betas", "expression", "transl"])
def test_other_nan_spoils_its_own_body_only(name: str) -> None:
    params = random_params(6)
    values = getattr(params, name).copy()
    values[1, 0] = np.nan
    spoiled = replace(params, **{name: values})
    for points in (BODY.joints, BODY.vertices, BODY.extra_joints, BODY.landmarks144):
        result = points(spoiled)
        assert np.isnan(result[1]).any()
        np.testing.assert_allclose(result[[0, 2]], points(params)[[0, 2]], atol=EXACT)


def test_extra_joints_are_their_vertices(case: tuple[str, BodyModel]) -> None:
    body = case[1]
    params = random_params(7)
    expected = body.vertices(params)[:, EXTRA_JOINT_VERTICES]
    np.testing.assert_allclose(body.extra_joints(params), expected, atol=EXACT)
    np.testing.assert_array_equal(body.extra_joints_rest(), body.v_template[list(EXTRA_JOINT_VERTICES)])


def test_the_137_joints_keep_smplerx_order() -> None:
    names = [*JOINT_NAMES, *EXTRA_JOINT_NAMES, *(f"face{i}" for i in range(68))]
    chosen = [names[i] for i in JOINTS_137]
    assert chosen[:3] == ["pelvis", "left_hip", "right_hip"]
    assert chosen[14:20] == [f"{s}_{p}" for s in ("left", "right") for p in ("big_toe", "small_toe", "heel")]
    assert chosen[20:25] == ["left_ear", "right_ear", "left_eye_surface", "right_eye_surface", "nose"]
    for start, side in ((25, "left"), (45, "right")):
        fingers = ("thumb", "index", "middle", "ring", "pinky")
        expected = [f"{side}_{finger}{part}" for finger in fingers for part in (1, 2, 3, "_tip")]
        assert chosen[start : start + 20] == expected
    assert chosen[65:69] == ["jaw", "head", "left_eye_surface", "right_eye_surface"]
    assert chosen[69:] == [f"face{i}" for i in range(68)]


def test_the_mean_hand_is_added() -> None:
    flat = replace(SmplxParams.rest(), left_hand_pose=-BODY.hands_mean[0], right_hand_pose=-BODY.hands_mean[1])
    hands = slice(25, 55)
    np.testing.assert_allclose(BODY.joints(flat)[0], BODY.joint_template, atol=1e-6)
    assert np.abs(BODY.joints(SmplxParams.rest())[0, hands] - BODY.joint_template[hands]).max() > 0.005


def test_predictions_and_people_may_be_given_as_they_are(standin):
    params = replace(SmplxParams.rest(), transl=np.array([0.1, 0.2, 3.0]))
    prediction = SimpleNamespace(params=params)
    np.testing.assert_array_equal(standin.joints(prediction), standin.joints(params))
