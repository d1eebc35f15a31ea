"""A thin mesh looks like the body in poses that it was not made from, has no holes and bends as the body does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import SmplxParams
from smplerx_ros.visualization.decimation import DecimatedMesh, decimate
from smplerx_ros.visualization.rasterizer import rasterize
from support.bodies import standin
from support.human_poses import human_poses

BODY = standin()
CAMERA = Camera.from_fov(480, 480)
POSES = 6
LEAST_IN_COMMON = 0.97  # of the silhouettes' union


@pytest.fixture(scope="module")
def mesh() -> DecimatedMesh:
    return DecimatedMesh.of(BODY, 3000)


def edge_counts(faces: np.ndarray) -> np.ndarray:
    pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return np.unique(pairs, axis=0, return_counts=True)[1]


def test_it_has_the_triangles_that_were_asked_for(mesh: DecimatedMesh) -> None:
    assert 2900 <= len(mesh.faces) <= 3000
    assert mesh.vertices(SmplxParams.rest(2)).shape == (2, mesh.faces.max() + 1, 3)


def test_its_vertices_are_the_bodys(mesh: DecimatedMesh) -> None:
    params = human_poses(3, 1, trunk=True)
    whole, thin = BODY.vertices(params)[0], mesh.vertices(params)[0]
    for vertex in thin[::40]:
        assert np.abs(whole - vertex).max(axis=1).min() < 1e-5


def test_silhouettes_are_the_bodys(mesh: DecimatedMesh) -> None:
    poses = human_poses(0, POSES, trunk=True)
    for i in range(POSES):
        there = {"global_orient": np.array([np.pi, 0, 0]), "transl": np.array([0, 0.2, 2.4])}
        params = replace(poses[i], **there)
        whole = rasterize(BODY.vertices(params)[0], BODY.faces, CAMERA).mask()
        thin = rasterize(mesh.vertices(params)[0], mesh.faces, CAMERA).mask()
        assert (whole & thin).sum() > LEAST_IN_COMMON * (whole | thin).sum()


def test_it_is_torn_nowhere(mesh: DecimatedMesh) -> None:
    assert edge_counts(mesh.faces).max() == 2
    before, after = ((edge_counts(faces) == 1).sum() for faces in (BODY.faces, mesh.faces))
    assert after <= before


def test_a_flat_sheet_keeps_its_outline() -> None:
    x, y = np.meshgrid(np.arange(11.0), np.arange(11.0))
    places = np.stack([x.ravel(), y.ravel(), np.zeros(121)], axis=1)
    corner = (np.arange(10)[:, None] * 11 + np.arange(10)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 12], 1), np.stack([corner, corner + 12, corner + 11], 1)]
    ).astype(np.int32)
    kept, thin = decimate(places[None], faces, 20)
    a, b, c = places[kept][thin].transpose(1, 0, 2)
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(100.0)
    assert len(thin) <= 30


def test_a_mesh_that_is_thin_already_stays() -> None:
    kept, thin = decimate(BODY.v_template[None], BODY.faces, len(BODY.faces))
    assert np.array_equal(kept[thin], BODY.faces)
