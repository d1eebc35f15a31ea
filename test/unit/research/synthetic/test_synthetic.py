"""Rendered people: the picture shows what the annotation says, and the same seed makes the same set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from smplerx_ros.body import BodyModel
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.cli import main
from smplerx_ros.errors import ConfigError
from smplerx_ros.research.evaluation.humandata import read_humandata
from smplerx_ros.research.synthetic.clip import random_clip
from smplerx_ros.research.synthetic.clothing import random_clothes
from smplerx_ros.research.synthetic.environment import SceneCamera
from smplerx_ros.research.synthetic.generate import annotate, generate
from smplerx_ros.research.synthetic.people import place_on_floor, random_params, to_optical_frame
from smplerx_ros.research.synthetic.scene import Scene, SceneOptions, random_scene
from smplerx_ros.visualization.rasterizer import rasterize
from support.bodies import standin

SMALL = SceneOptions(width=128, height=128)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return standin()


def test_scene_is_the_same_whatever_came_before(body: BodyModel) -> None:
    random_scene(body, SMALL, 3, 0)
    first, again = random_scene(body, SMALL, 3, 7), random_scene(body, SMALL, 3, 7)
    assert (first.image == again.image).all()
    assert (first.people[0].body_pose == again.people[0].body_pose).all()
    assert (random_scene(body, SMALL, 3, 8).image != first.image).any()
    assert (random_scene(body, SMALL, 4, 7).image != first.image).any()


@pytest.mark.parametrize("index", range(5))
def test_person_is_drawn_where_the_parameters_say(body: BodyModel, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scene without its body differs from the picture inside the body's silhouette, apart from its shadow."""
    scene = random_scene(body, SMALL, 11, index)
    monkeypatch.setattr("smplerx_ros.research.synthetic.render._cast_shadows", lambda *_: None)
    monkeypatch.setattr(
        "smplerx_ros.research.synthetic.render.Sensor.expose",
        lambda self, image, rng: image.clip(0, 255).astype(np.uint8),
    )
    clean = random_scene(body, SMALL, 11, index)
    monkeypatch.setattr(
        "smplerx_ros.research.synthetic.clothing.Outfit.colors", lambda self, points, _: np.full_like(points, 1e4)
    )
    white = random_scene(body, SMALL, 11, index)
    silhouette = rasterize(body.vertices(scene.people[0])[0], body.faces, scene.camera).mask()
    changed = (white.image != clean.image).any(axis=2)
    assert not (changed & ~silhouette).any()
    assert changed[silhouette].mean() > 0.95


def test_annotation_agrees_with_body_and_camera(body: BodyModel) -> None:
    scene = random_scene(body, SMALL, 5, 1)
    row = annotate(body, scene, "images/000001.jpg")[0]
    fx, fy, cx, cy = row["intrinsics"]
    points = row["points3d"]
    pixels = points[:, :2] / points[:, 2:] * [fx, fy] + [cx, cy]
    np.testing.assert_allclose(row["points2d"], pixels, atol=1e-3)
    seen = row["confidence2d"] > 0
    x, y, width, height, confidence = row["boxes"]
    assert confidence == 1
    assert (pixels[seen] >= [x, y]).all()
    assert (pixels[seen] <= [x + width, y + height]).all()
    hand = row["left_hand_boxes"]
    if seen[25:45].all():
        np.testing.assert_allclose(hand[:2], pixels[25:45].min(axis=0), atol=1e-3)
        np.testing.assert_allclose(hand[2:4], np.ptp(pixels[25:45], axis=0), atol=1e-3)


def test_boxes_are_padded_about_their_middle(body: BodyModel) -> None:
    scene = random_scene(body, SMALL, 5, 2)
    pixels = scene.camera.project(body.vertices(scene.people[0])[0]).clip(0, 127)
    x, y, width, height, _ = annotate(body, scene, "x")[0]["boxes"]
    np.testing.assert_allclose([width, height], 1.2 * np.ptp(pixels, axis=0), rtol=1e-5)
    np.testing.assert_allclose([x + width / 2, y + height / 2], (pixels.min(0) + pixels.max(0)) / 2, rtol=1e-5)


def test_people_stand_on_the_floor_and_keep_their_shape_in_the_cameras_frame(body: BodyModel) -> None:
    rng = np.random.default_rng(0)
    params = random_params(rng)
    view = SceneCamera.random(rng, 320, 320)
    standing = place_on_floor(body, params, 0.3, view.height, 4.0)
    vertices = body.vertices(standing)[0]
    assert vertices[:, 1].max() == pytest.approx(view.height, abs=1e-5)
    np.testing.assert_allclose(body.joints(standing)[0, 0, [0, 2]], [0.3, 4.0], atol=1e-6)
    seen = body.vertices(to_optical_frame(body, standing, view.optical_from_level))[0]
    np.testing.assert_allclose(seen, vertices @ view.optical_from_level.T, atol=1e-5)


def test_upright_people_face_the_camera_when_they_do_not_turn(body: BodyModel) -> None:
    joints = body.joints(random_params(np.random.default_rng(1), pose_spread=0, max_yaw=0.0))[0]
    assert joints[15, 1] < joints[0, 1]  # head above pelvis, y down
    assert joints[23, 2] < joints[15, 2]  # eyes nearer to the camera than the head
    assert joints[23, 0] > joints[24, 0]  # the left eye is right in the picture


def test_hidden_people_are_not_annotated(body: BodyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = replace(SMALL, people=3)
    together = [random_scene(body, crowd, 2, index) for index in range(8)]
    monkeypatch.setattr("smplerx_ros.research.synthetic.scene.MIN_VISIBLE_FRACTION", 0.0)
    everybody = [random_scene(body, crowd, 2, index) for index in range(8)]
    assert max(len(scene.people) for scene in everybody) > 1
    assert sum(len(scene.people) for scene in together) < sum(len(scene.people) for scene in everybody)


def test_set_is_read_back_and_does_not_depend_on_the_processes(tmp_path: Path, body: BodyModel) -> None:
    generate(tmp_path / "one", 5, SMALL, seed=9)
    generate(tmp_path / "two", 5, SMALL, seed=9, processes=2)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 6
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)
    data = read_humandata(tmp_path / "one" / "humandata.npz")
    assert len(data) == 5
    assert cv2.imread(str(tmp_path / "one" / data.image_paths[0])).shape == (128, 128, 3)
    np.testing.assert_allclose(
        body.landmarks137(replace(data.smplx_params()[2], transl=data.params["transl"][2]))[0],
        data.keypoints3d.joints_137().points[2],
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--samples", "0"], "samples"),
        (["--people", "9"], "people"),
        (["--width", "5"], "size"),
        (["--processes", "0"], "processes"),
        (["--turn-deg", "270"], "turn_deg"),
        (["--pose-spread", "-1"], "pose_spread"),
        (["--clothes", "none"], "clothes"),
    ],
)
def test_bad_options_name_themselves(
    options: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synthesize", "--out", str(tmp_path / "set"), *options]) == 2
    assert word in capsys.readouterr().err


def test_a_suit_shows_each_limb_in_its_colour(body: BodyModel) -> None:
    """Halfway along each limb's bone, whoever wears it; the head is the wearer's own."""
    ends = [
        *(("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow")),
        *(("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")),
        *(("left_hip", "left_knee"), ("right_hip", "right_knee")),
        *(("left_knee", "left_ankle"), ("right_knee", "right_ankle")),
    ]
    at_rest = body.joint_template
    middles = np.stack([(at_rest[JOINT_INDEX[a]] + at_rest[JOINT_INDEX[b]]) / 2 for a, b in ends])
    head = at_rest[[JOINT_INDEX["head"]]]
    suits = [random_clothes(np.random.default_rng(seed), body, "suit") for seed in range(2)]
    limbs = suits[0].colors(middles, body)
    assert len(np.unique(limbs, axis=0)) == len(ends)
    np.testing.assert_array_equal(limbs, suits[1].colors(middles, body))
    assert (suits[0].colors(head, body) != suits[1].colors(head, body)).any()


def test_taken_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(ConfigError, match="holds a set already"):
        generate(tmp_path, 1, SMALL)


def test_clip_shows_one_person_who_moves_smoothly(body: BodyModel) -> None:
    clip = list(random_clip(body, SMALL, 3, 12, 10.0))
    again = next(random_clip(body, SMALL, 3, 12, 10.0))
    assert (clip[0].image == again.image).all()
    assert [frame.seconds for frame in clip] == pytest.approx([k / 10 for k in range(12)])
    joints = np.stack([body.joints(frame.params)[0] for frame in clip])
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=2)
    assert 0.005 < steps.max() < 0.4  # metres in a tenth of a second
    assert all((frame.params.betas == clip[0].params.betas).all() for frame in clip)
    for frame in clip:  # the head is in the picture, over the floor's shadow and before the wall
        pixel = frame.camera.project(body.joints(frame.params)[0, 15])
        assert ((pixel > 0) & (pixel < 127)).all()


def test_empty_scene_type_is_a_plain_record(body: BodyModel) -> None:
    scene = random_scene(body, SMALL, 0, 0)
    assert annotate(body, Scene(scene.image, scene.camera, ()), "x") == []
