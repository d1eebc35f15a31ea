"""The fit finds the body that made the landmarks, stays human when it sees little, and has the right slopes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.backbones.lite.fingers import FingerSolver
from smplerx_ros.backbones.lite.fit import BodyFitter, Track
from smplerx_ros.backbones.lite.points import POINT_INDEX
from smplerx_ros.backbones.lite.refinement import Pose, Targets
from smplerx_ros.backbones.lite.targets import measure
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.geometry.camera import NEAR, Camera
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotation_between, rotvec_from_matrix
from smplerx_ros.types import SmplxParams
from support.bodies import standin
from support.synthetic import STANDING, landmarks_of, random_params

BODY = standin()
CAMERA = Camera.from_fov(1280, 720)
STATURE = float(np.ptp(BODY.v_template[:, 1]))
LIMBS = [
    JOINT_INDEX[f"{side}_{n}"]
    for side in ("left", "right")
    for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


@pytest.fixture(scope="module")
def fitter() -> BodyFitter:
    return BodyFitter(BODY, person_height=STATURE)


def fit_one(fitter: BodyFitter, landmarks, track=None, seconds=0.033) -> Pose:
    return fitter.fit([measure(landmarks, CAMERA)], [track], [seconds])


def limb_places(fitter: BodyFitter, pose: Pose) -> np.ndarray:
    names = [
        f"{side}_{n}" for side in ("left", "right") for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    ]
    return fitter.refiner.points(pose)[0, [POINT_INDEX[n] for n in names]]


def test_recovers_known_bodies_in_metres(fitter):
    errors, relative = [], []
    for seed in range(20):
        params = random_params(seed)
        found = limb_places(fitter, fit_one(fitter, landmarks_of(BODY, params, CAMERA)))
        true = BODY.joints(params)[0, LIMBS]
        errors.append(np.linalg.norm(found - true, axis=-1))
        relative.append(np.linalg.norm((found - found.mean(0)) - (true - true.mean(0)), axis=-1))
    assert np.median(errors) < 0.02  # metres at 3 to 5 m: mostly along the line of sight
    assert np.median(relative) < 0.016
    assert np.max(relative) < 0.08


def test_batch_equals_singles(fitter):
    seen = [measure(landmarks_of(BODY, random_params(seed), CAMERA), CAMERA) for seed in range(3)]
    batch = fitter.fit(seen, [None] * 3, [0.0] * 3)
    for i in range(3):
        single = fitter.fit([seen[i]], [None], [0.0])
        np.testing.assert_allclose(batch.rotations[i], single.rotations[0], atol=1e-6)
        np.testing.assert_allclose(batch.transl[i], single.transl[0], atol=1e-6)


def test_hidden_legs_keep_a_prior_pose(fitter):
    landmarks = landmarks_of(BODY, replace(random_params(1), global_orient=STANDING), CAMERA)
    visibility = landmarks.body.visibility.copy()
    visibility[25:33] = 0.0
    points, world = landmarks.body.points.copy(), landmarks.body.world.copy()
    points[25:33], world[25:33] = 0.0, [0.3, -0.5, 0.7]  # what a network makes up
    hidden = replace(landmarks, body=replace(landmarks.body, visibility=visibility, points=points, world=world))
    pose = fit_one(fitter, hidden)
    knees = rotvec_from_matrix(pose.rotations[0, [JOINT_INDEX["left_knee"], JOINT_INDEX["right_knee"]]])
    hips = rotvec_from_matrix(pose.rotations[0, [JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]])
    assert np.all(np.abs(knees) < 0.3)
    assert np.all(np.abs(hips) < 0.5)


def test_knees_and_elbows_do_not_bend_backwards(fitter):
    rng = np.random.default_rng(5)
    for seed in range(5):
        landmarks = landmarks_of(BODY, random_params(seed), CAMERA)
        noisy = landmarks.body.world + rng.normal(0, 0.15, (33, 3))
        pose = fit_one(fitter, replace(landmarks, body=replace(landmarks.body, world=noisy)))
        turns = rotvec_from_matrix(pose.rotations[0])
        assert turns[[JOINT_INDEX["left_knee"], JOINT_INDEX["right_knee"]], 0].min() > -0.15
        assert turns[JOINT_INDEX["left_elbow"], 1] < 0.15
        assert turns[JOINT_INDEX["right_elbow"], 1] > -0.15


def test_mirrored_landmarks_give_the_mirrored_pose(fitter):
    """A pose and its mirror image must differ by the mirror only: neither side is favoured."""
    params = replace(random_params(3), global_orient=STANDING, transl=np.array([0.0, 0.0, 4.0]))
    swap = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20]
    flip = np.array([1.0, -1.0, -1.0])
    body = (params.body_pose.reshape(21, 3) * flip)[np.array(swap[1:]) - 1]
    left, right = (getattr(params, f"{s}_hand_pose").reshape(15, 3) * flip for s in ("left", "right"))
    mirror = replace(
        params, body_pose=body.reshape(-1), left_hand_pose=right.reshape(-1), right_hand_pose=left.reshape(-1)
    )
    turns = [rotvec_from_matrix(fit_one(fitter, landmarks_of(BODY, p, CAMERA)).rotations[0]) for p in (params, mirror)]
    np.testing.assert_allclose(turns[1][1:], (turns[0] * flip)[swap][1:], atol=0.06)


def test_previous_pose_is_kept_where_nothing_is_seen(fitter):
    landmarks = landmarks_of(BODY, random_params(7), CAMERA)
    first = fit_one(fitter, landmarks)
    blind = replace(
        landmarks, left_hand=None, right_hand=None, body=replace(landmarks.body, visibility=np.full(33, 0.0))
    )
    unseen = measure(blind, CAMERA)
    arm = JOINT_INDEX["left_shoulder"]
    seen = measure(landmarks, CAMERA)
    rays = np.where(np.arange(len(seen.rays))[:, None] < 6, 0, seen.ray_weights[:, None])[:, 0]  # the left arm hides
    hidden = replace(seen, ray_weights=rays, direction_weights=unseen.direction_weights)
    then = fitter.fit([hidden], [replace(Track.start(first), frames=30)], [1 / 30])
    fresh = fitter.fit([hidden], [None], [0.0])
    turns = [rotvec_from_matrix(first.rotations[0, arm].T @ pose.rotations[0, arm]) for pose in (then, fresh)]
    assert np.linalg.norm(turns[0]) < 0.5 * np.linalg.norm(turns[1])


def test_after_infinite_time_a_track_tells_the_shape_alone(fitter):
    landmarks, other = (landmarks_of(BODY, random_params(seed), CAMERA) for seed in (3, 8))
    track = replace(Track.start(fit_one(fitter, other)), frames=30, velocities=np.ones((1, 22, 3)))
    new, then = fit_one(fitter, landmarks), fit_one(fitter, landmarks, track, np.inf)
    np.testing.assert_allclose(then.rotations, new.rotations, atol=0.2)
    before, after = (np.linalg.norm(pose.betas - track.pose.betas) for pose in (new, then))
    assert after < 0.2 * before
    assert not track.followed_by(then, np.inf).velocities.any()  # nobody turned: the frames before were wrong


@pytest.mark.parametrize("seed", range(4))
def test_a_lost_track_does_not_keep_somebody_turned_the_wrong_way(fitter, seed):
    """From the back of somebody who is seen from the front no steps lead to the right pose; beside others, too."""
    params = random_params(seed)
    behind = rotvec_from_matrix(matrix_from_rotvec([0.0, 3.0, 0.0]) @ matrix_from_rotvec(params.global_orient))
    wrong = Track.start(fit_one(fitter, landmarks_of(BODY, replace(params, global_orient=behind), CAMERA)))
    seen = measure(landmarks_of(BODY, params, CAMERA), CAMERA)
    other = measure(landmarks_of(BODY, random_params(9), CAMERA), CAMERA)
    right = Track.start(fitter.fit([other], [None], [0.0]))
    poses = fitter.fit([other, seen], [right, wrong], [0.033, 0.033])
    alone = fitter.fit([other], [right], [0.033])
    np.testing.assert_allclose(poses.rotations[0], alone.rotations[0], atol=1e-3)  # steps end when nobody gains
    found, true = limb_places(fitter, poses[1]), BODY.joints(params)[0, LIMBS]
    assert np.linalg.norm((found - found.mean(0)) - (true - true.mean(0)), axis=-1).mean() < 0.12  # metres; else 0.3


def test_a_second_try_counts_only_where_it_is_better(fitter, monkeypatch):
    params = random_params(3)
    landmarks = landmarks_of(BODY, params, CAMERA)
    track = Track.start(fit_one(fitter, landmarks))
    expected = fit_one(fitter, landmarks, track)
    behind = matrix_from_rotvec([0.0, 3.0, 0.0]) @ track.pose.rotations[:, 0]
    wrong = replace(track.pose, rotations=np.concatenate([behind[:, None], track.pose.rotations[:, 1:]], axis=1))
    monkeypatch.setattr("smplerx_ros.backbones.lite.fit._LOST", -1.0)
    monkeypatch.setattr(BodyFitter, "_initial_poses", lambda *_: wrong)
    np.testing.assert_array_equal(fit_one(fitter, landmarks, track).rotations, expected.rotations)


@pytest.mark.parametrize(("left", "taken"), [(0.8, False), (0.6, True)])
def test_a_second_try_counts_only_where_far_less_speaks_against_it(fitter, monkeypatch, left, taken):
    """Monocular images allow several poses: one that is as good as the expected one is no reason to jump there."""
    landmarks = landmarks_of(BODY, random_params(3), CAMERA)
    track = Track.start(fit_one(fitter, landmarks))
    there = Track.start(fit_one(fitter, landmarks_of(BODY, random_params(5), CAMERA))).pose
    answers = iter([(track.pose, np.array([1000.0])), (there, np.array([1000.0 * left]))])
    monkeypatch.setattr(fitter.refiner, "refine", lambda *_: next(answers))
    found = fit_one(fitter, landmarks, track)
    np.testing.assert_array_equal(found.rotations, (there if taken else track.pose).rotations)


def test_known_height_sets_the_scale():
    params = random_params(2)
    landmarks = landmarks_of(BODY, params, CAMERA)
    short, tall = (fit_one(BodyFitter(BODY, height), landmarks).transl[0, 2] for height in (0.8 * STATURE, STATURE))
    assert tall == pytest.approx(params.transl[2], rel=0.03)
    assert short == pytest.approx(0.8 * tall, rel=0.06)


@pytest.mark.parametrize("closer", [0.0, 4.2, 9.0])  # metres: so that some points, and all, are behind the near plane
def test_slopes_agree_with_differences(fitter, closer):
    """The gradient of the cost, as a step uses it, against central differences along random directions."""
    seen = measure(landmarks_of(BODY, random_params(4), CAMERA), CAMERA)
    rng = np.random.default_rng(0)
    pose = fitter.fit([seen], [None], [0.0])
    refiner = fitter.refiner
    targets = Targets(
        seen.rays[None] + 0.002, seen.ray_weights[None], seen.directions[None], seen.direction_weights[None],
        np.array([1.7]), np.array([10.0]), pose, np.array([2.0]), np.array([1.5]),
    )  # fmt: skip
    step = rng.normal(0, 0.05, (1, 73))
    step[:, -11] -= closer
    state = refiner._stepped(refiner._evaluate(pose, targets), step, targets)
    assert (state.points[..., 2].min() < NEAR) == (closer > 0)
    for _ in range(5):
        direction = rng.normal(0, 1, (1, 73))
        h = 1e-5
        ahead, behind = (refiner._stepped(state, s * h * direction, targets).cost[0] for s in (1, -1))
        gradient = refiner._normal_equations(state, targets)[1]
        assert 2 * float(gradient[0] @ direction[0]) == pytest.approx((ahead - behind) / (2 * h), rel=2e-3, abs=1e-2)


def lying(seed: int, head_at: float) -> SmplxParams:
    """Somebody who lies below the camera with the head ahead and up: the legs are beside and behind it."""
    orient = matrix_from_rotvec([-1.35, 0, 0]) @ matrix_from_rotvec(STANDING)
    params = replace(random_params(seed), global_orient=rotvec_from_matrix(orient), transl=np.zeros(3))
    joints = BODY.joints(params)[0]
    return replace(params, transl=np.array([0.0, 0.15, head_at]) - joints[JOINT_INDEX["head"]])


@pytest.mark.parametrize("seed", range(4))
def test_legs_behind_the_camera_do_not_stop_the_fit(fitter, seed):
    params = lying(seed, 0.9)
    joints = BODY.joints(params)[0]
    assert joints[JOINT_INDEX["left_ankle"], 2] < 0
    seen = measure(landmarks_of(BODY, params, CAMERA, hands=False), CAMERA)
    first = fitter.fit([seen], [None], [0.0])
    start = fitter._initial_poses([seen], np.zeros((1, 10)))
    targets = Targets(
        seen.rays[None], seen.ray_weights[None], seen.directions[None], seen.direction_weights[None],
        np.array([STATURE]), np.array([50.0]), start, np.zeros(1), np.zeros(1),
    )  # fmt: skip
    assert fitter.refiner.costs(targets, first)[0] < 0.5 * fitter.refiner.costs(targets, start)[0]
    upper = [JOINT_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "elbow")]
    names = [POINT_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "elbow")]
    errors = np.linalg.norm(fitter.refiner.points(first)[0, names] - joints[upper], axis=1)
    assert errors.max() < 0.08


@pytest.mark.parametrize("depth", [-3.0, 0.0, 0.05])
def test_steps_lead_away_from_the_plane_of_the_camera_and_from_behind_it(fitter, depth):
    seen = measure(landmarks_of(BODY, random_params(2), CAMERA), CAMERA)
    pose = fitter.fit([seen], [None], [0.0])
    there = replace(pose, transl=pose.transl * [1, 1, 0] + [0, 0, depth])
    targets = Targets(
        seen.rays[None], seen.ray_weights[None], seen.directions[None], seen.direction_weights[None],
        np.array([STATURE]), np.array([50.0]), there, np.zeros(1), np.zeros(1),
    )  # fmt: skip
    before = fitter.refiner.costs(targets, there)
    found, error = fitter.refiner.refine(targets, there, 12)
    assert np.isfinite(before).all()
    assert error[0] < 0.5 * before[0]
    assert fitter.refiner.points(found)[0, :, 2].min() > 0.9 * NEAR


def test_products_are_too_small_for_openblas_to_share_out(fitter):
    """Above 4 * 65536 multiplications it uses threads (its interface/gemm.c); they wait in busy loops."""
    seen = measure(landmarks_of(BODY, random_params(4), CAMERA), CAMERA)
    pose = fitter.fit([seen], [None], [0.0])
    targets = Targets(
        seen.rays[None], seen.ray_weights[None], seen.directions[None], seen.direction_weights[None],
        np.array([1.7]), np.array([10.0]), pose, np.array([2.0]), np.array([1.5]),
    )  # fmt: skip
    jacobian = fitter.refiner._data_terms(fitter.refiner._evaluate(pose, targets), targets)[0]
    rows, unknowns = jacobian.shape[-2:]
    assert rows * unknowns**2 <= 4 * 65536


def test_fingers_are_recovered():
    """Of both hands at once."""
    params = random_params(11)
    hands = landmarks_of(BODY, params, CAMERA)
    rotations = BODY.transforms(params)[0][0]
    optical_from_ray = rotation_between([0, 0, 1], [*CAMERA.normalize(hands.body.roi[:2]), 1.0])
    points = np.stack([hand.world @ optical_from_ray.T for hand in (hands.right_hand, hands.left_hand)])
    wrists = rotations[[JOINT_INDEX["right_wrist"], JOINT_INDEX["left_wrist"]]]
    found = FingerSolver(BODY).solve(np.array([1, 0]), wrists, points)
    true = np.stack([params.right_hand_pose, params.left_hand_pose]) + BODY.hands_mean[::-1]
    # Without the thumb; tips are skinned points, not joints.
    np.testing.assert_allclose(found[:, :12], true.reshape(2, 15, 3)[:, :12], atol=0.12)
