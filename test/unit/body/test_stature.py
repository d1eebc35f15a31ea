"""Heights of bodies, bodies of another size, and the points on their surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.body.stature import resized
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import SmplxParams
from support.bodies import standin
from support.lift_cases import shifted_body

BODY = standin()
CAMERA = Camera.from_fov(640, 480)


def someone(seed: int = 0, distance: float = 4.0) -> SmplxParams:
    rng = np.random.default_rng(seed)
    return replace(
        SmplxParams.rest(),
        global_orient=[np.pi, 0, 0],
        body_pose=rng.normal(0, 0.2, 63),
        betas=rng.normal(0, 0.7, 10),
        expression=rng.normal(0, 0.5, 10),
        transl=[0.4, -0.3, distance],
    )


def test_stature_is_that_of_the_standing_mesh() -> None:
    betas = np.random.default_rng(0).normal(0, 1, (5, 10))
    params = replace(SmplxParams.rest(5), betas=betas)
    np.testing.assert_allclose(BODY.stature(betas), np.ptp(BODY.vertices(params)[..., 1], axis=1), atol=2e-3)
    assert BODY.stature(betas[0]).shape == (1,)


@given(st.floats(0.6, 1.3), st.integers(0, 20))
def test_another_size_is_the_same_picture(factor: float, seed: int) -> None:
    """The pelvis exactly so; joints move by a quarter at most of what they would without another shape's help."""
    params = someone(seed)
    changed = resized(BODY, params, factor)
    before, after = BODY.joints(params)[0], BODY.joints(changed)[0]
    np.testing.assert_allclose(after[0], factor * before[0], atol=1e-5)
    pixels, moved = CAMERA.project(before[:22]), CAMERA.project(after[:22])
    assert np.linalg.norm(moved - pixels, axis=1).max() <= abs(factor - 1) / 4 * np.ptp(pixels[:, 1]) + 0.1
    statures = BODY.stature(np.stack([params.betas, changed.betas]))
    assert statures[1] / statures[0] == pytest.approx(factor, abs=0.1 * abs(factor - 1) + 1e-5)
    np.testing.assert_array_equal(changed.body_pose, params.body_pose)


def test_the_same_size_changes_nothing() -> None:
    params = someone()
    np.testing.assert_allclose(resized(BODY, params, 1.0).betas, params.betas, atol=1e-6)
    np.testing.assert_allclose(resized(BODY, params, 1.0).transl, params.transl, atol=1e-6)


def test_the_pelvis_moves_not_the_origin() -> None:
    """With a rest pelvis 0.35 m from the origin, as SMPL-X's is."""
    body, params = shifted_body(), someone()
    before, after = body.joints(params)[0, 0], body.joints(resized(body, params, 1.2))[0, 0]
    np.testing.assert_allclose(after, 1.2 * before, atol=1e-5)


def test_sizes_that_no_body_has_move_the_place_only() -> None:
    params = someone()
    far = resized(BODY, params, 3.0)
    np.testing.assert_allclose(BODY.joints(far)[0, 0], 3 * BODY.joints(params)[0, 0], atol=1e-4)
    np.testing.assert_allclose(far.betas, resized(BODY, params, 1.3).betas, atol=1e-5)


def test_surface_points_lie_on_trunk_and_head_and_look_outwards() -> None:
    params = replace(someone(), global_orient=[np.pi, 0, 0])
    points, normals = BODY.surface(params)
    head = BODY.surface_on_head
    assert points.shape == normals.shape == (1, len(head), 3)
    assert head.sum() > 50
    assert (~head).sum() > 200
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)
    joints = BODY.joints(params)[0]
    for chosen, joint in ((head, "head"), (~head, "spine2")):
        outward = points[0, chosen] - joints[JOINT_INDEX[joint]]
        assert np.linalg.norm(outward, axis=1).max() < 0.5
        assert (np.einsum("si,si->s", outward, normals[0, chosen]) > 0).mean() > 0.85
    distances = np.linalg.norm(BODY.vertices(params)[0][:, None] - points[0, ::20], axis=-1).min(axis=0)
    assert distances.max() < 1e-4
