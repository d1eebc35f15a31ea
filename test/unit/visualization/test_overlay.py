from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smplerx_ros.body.surface import vertex_normals
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import Person, SmplxParams
from smplerx_ros.visualization.overlay import draw_people
from smplerx_ros.visualization.palette import LEFT, PEOPLE, RIGHT, joint_color, person_color
from smplerx_ros.visualization.rasterizer import rasterize
from support.bodies import standin

CAMERA = Camera.from_fov(320, 240)
FACING = np.array([np.pi, 0, 0], np.float32)  # upright, looking at the camera


@pytest.fixture(scope="module")
def body():
    return standin()


def person(body, x, z, person_id="p1", confidence=1.0):
    params = replace(SmplxParams.rest(), global_orient=FACING, transl=np.array([x, 0, z], np.float32))
    joints = body.joints(params)[0]
    joints_image = CAMERA.project(joints)
    box = Box(*joints_image.min(0) - 5, *joints_image.max(0) + 5)
    return Person(person_id, 0.9, box, params, joints, joints_image, np.full(55, confidence))


def test_pixels_change_where_the_body_is_and_nowhere_else(body):
    image = np.full((240, 320, 3), 128, np.uint8)
    someone = person(body, 0.0, 4.0)
    drawn = draw_people(image, [someone], body, CAMERA)
    changed = (drawn != image).any(axis=2)
    silhouette = rasterize(body.vertices(someone.params)[0], body.faces, CAMERA).mask()
    assert changed[silhouette].mean() > 0.97  # a shaded pixel may equal the grey by chance
    rows, _ = np.nonzero(changed & ~silhouette)
    outside_label = rows > someone.box.y0  # the label is above the box
    assert outside_label.sum() < 0.05 * silhouette.sum()  # edges of lines
    left, _, _, bottom = someone.box.xyxy
    assert not changed[:, : int(left) - 8].any()
    assert not changed[int(bottom) + 12 :].any()
    assert (image == 128).all(), "the input image was drawn into"


def test_nobody_leaves_the_image_as_it_is(body):
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    assert np.array_equal(draw_people(image, [], body, CAMERA), image)


def test_nearer_person_is_on_top_in_any_order(body):
    image = np.zeros((240, 320, 3), np.uint8)
    near, far = person(body, 0.0, 3.0, "p1"), person(body, 0.0, 5.0, "p2")
    one, other = draw_people(image, [near, far], body, CAMERA), draw_people(image, [far, near], body, CAMERA)
    assert np.array_equal(one, other)
    row, column = CAMERA.project(near.joints[9])[::-1].astype(int)  # chest
    pixel = one[row, column + 6].astype(float)
    assert np.argmax(pixel) == np.argmax(person_color("p1"))


def test_outside_the_image_and_unknown_joints_do_no_harm(body):
    image = np.zeros((240, 320, 3), np.uint8)
    lost = replace(person(body, 0, 3.0), joints_image=np.full((55, 2), np.nan))
    huge = replace(person(body, 0, 3.0), joints_image=np.full((55, 2), 1e12))
    behind = replace(person(body, 0, 3.0), params=person(body, 40.0, 3.0).params, joints=lost.joints - [0, 0, 6])
    beside = replace(person(body, 0, 3.0), joints_image=np.full((55, 2), 700.0))
    people = [person(body, 40.0, 4.0), behind, lost, huge, beside]
    for confidence in (0.0, 1.0, np.nan):
        known = [replace(someone, confidence=np.full(55, confidence)) for someone in people]
        assert draw_people(image, known, body, CAMERA).shape == image.shape


def test_low_confidence_is_faint(body):
    image = np.zeros((240, 320, 3), np.uint8)
    sure, unsure = (draw_people(image, [person(body, 0, 4.0, confidence=c)], body, CAMERA) for c in (1.0, 0.0))
    assert sure.astype(int).sum() > unsure.astype(int).sum()


def test_confidence_that_nobody_knows_is_not_faint(body):
    image = np.zeros((240, 320, 3), np.uint8)
    sure, unknown = (draw_people(image, [person(body, 0, 4.0, confidence=c)], body, CAMERA) for c in (1.0, np.nan))
    assert np.array_equal(sure, unknown)


def test_left_is_on_the_right_side_of_a_person_who_faces_the_camera(body):
    someone = person(body, 0, 4.0)
    drawn = draw_people(np.zeros((240, 320, 3), np.uint8), [someone], body, CAMERA)
    for joint, color in ((4, LEFT), (5, RIGHT)):  # knees
        column, row = someone.joints_image[joint].round().astype(int)
        assert joint_color(joint) == color
        np.testing.assert_allclose(drawn[row, column], color, atol=40)
    assert someone.joints_image[4, 0] > someone.joints_image[5, 0]


def test_normals_point_outwards(body):
    vertices = body.v_template
    normals = vertex_normals(vertices, body.faces)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1)[np.unique(body.faces)], 1, atol=1e-6)
    torso = np.abs(vertices[:, 1] - body.joint_template[3, 1]) < 0.1
    front = torso & (vertices[:, 2] > body.joint_template[3, 2] + 0.05) & (np.abs(vertices[:, 0]) < 0.1)
    assert front.sum() > 20
    assert (normals[front, 2] > 0).mean() > 0.95


def test_colours_of_successive_people_differ_and_are_stable():
    colors = [person_color(f"p{i}") for i in range(len(PEOPLE))]
    assert len(set(colors)) == len(PEOPLE)
    assert person_color("alice") == person_color("alice")
