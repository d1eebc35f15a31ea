from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from smplerx_ros import __version__
from smplerx_ros.cli import main, overlay_writer
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.results import read_people
from smplerx_ros.io.video import VideoReader, VideoWriter
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.types import People, Person, SmplxParams
from smplerx_ros.visualization.overlay import draw_people
from support.bodies import standin
from support.films import packet_places, picture, write_film

BODY = standin()


class OnePerson:
    """Sees one person in every picture that is not black; knows how often it was reset and what it was shown."""

    def __init__(self):
        self.resets = 0
        self.frames = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def reset(self):
        self.resets += 1

    def process(self, frame):
        self.frames.append(frame)
        height, width = frame.image.shape[:2]
        camera = Camera.from_fov(width, height)
        params = replace(SmplxParams.rest(), global_orient=np.array([np.pi, 0, 0]), transl=np.array([0, 0, 4.0]))
        joints = BODY.joints(params)[0]
        someone = Person("p1", 0.9, Box(1, 1, 9, 9), params, joints, camera.project(joints), np.ones(55))
        people = (someone,) if frame.image.any() else ()
        return People(frame, people, camera, "fake", BODY.name, "none")


@pytest.fixture
def estimator(monkeypatch):
    fake = OnePerson()
    fake.config = None

    def from_config(config):
        fake.config = config
        return fake

    monkeypatch.setattr(Estimator, "from_config", from_config)
    return fake


def picture_file(path, value=120, size=(48, 64)):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))


def summary(out):
    return json.loads((out / "summary.json").read_text())


def test_an_image(estimator, tmp_path):
    picture_file(tmp_path / "a.png")
    assert main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "deep" / "out")]) == 0
    out = tmp_path / "deep" / "out"
    assert read_people(out / "people.npz")["id"].tolist() == ["p1"]
    drawn = cv2.imread(str(out / "overlay.png"))
    assert drawn.shape == (48, 64, 3)
    assert (drawn != 120).any()
    assert summary(out)["people"] == [1]
    assert summary(out)["backbone"] == "fake"


def test_colours_reach_the_estimator_as_rgb(estimator, tmp_path):
    cv2.imwrite(str(tmp_path / "red.png"), np.full((8, 8, 3), (0, 0, 255), np.uint8))
    main(["estimate", str(tmp_path / "red.png"), "--out", str(tmp_path / "out")])
    assert estimator.frames[0].image[0, 0].tolist() == [255, 0, 0]


def test_a_video_keeps_its_times_and_its_people(estimator, tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 10) as writer:
        for index in range(4):
            writer.write(np.full((48, 64, 3), 0 if index == 2 else 120, np.uint8), index / 10)
    assert main(["estimate", str(tmp_path / "v.mp4"), "--out", str(tmp_path / "out")]) == 0
    assert summary(tmp_path / "out")["frames"] == 4
    assert [frame.stamp_ns for frame in estimator.frames] == [0, 100_000_000, 200_000_000, 300_000_000]
    assert estimator.resets == 0, "people of a video are followed"
    with VideoReader(tmp_path / "out" / "overlay.mp4") as reader:
        np.testing.assert_allclose([frame.seconds for frame in reader], [0, 0.1, 0.2, 0.3], atol=1e-3)


def test_a_folder_with_a_corrupt_image_keeps_the_others_and_says_which(estimator, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    picture_file(folder / "a.png")
    (folder / "b.jpg").write_bytes(b"\xff\xd8 broken")
    picture_file(folder / "c.png", size=(32, 40))
    (folder / "notes.txt").write_text("no image")
    assert main(["estimate", str(folder), "--out", str(tmp_path / "out")]) == 1
    assert "b.jpg" in capsys.readouterr().err
    rows = read_people(tmp_path / "out" / "people.npz")
    assert rows["frame"].tolist() == [0, 2]
    written = summary(tmp_path / "out")
    assert written["images"] == ["a.png", "b.jpg", "c.png"]
    assert [failure["input"] for failure in written["failed"]] == ["b.jpg"]
    assert sorted(p.name for p in (tmp_path / "out" / "overlay").iterdir()) == ["a.png.png", "c.png.png"]
    assert estimator.resets == 2, "pictures of a folder are strangers to each other"


def test_a_sequence_is_followed(estimator, tmp_path):
    picture_file(tmp_path / "a.png")
    picture_file(tmp_path / "b.png")
    main(["estimate", str(tmp_path), "--out", str(tmp_path / "out"), "--sequence", "--no-video"])
    assert estimator.resets == 0
    assert not (tmp_path / "out" / "overlay").exists()


def test_an_image_that_the_estimator_refuses_is_reported(estimator, tmp_path, capsys):
    def refuse(frames):
        raise InputError("too odd")

    estimator.process = refuse
    picture_file(tmp_path / "a.png")
    assert main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 2
    assert "too odd" in capsys.readouterr().err


def test_parameters_reach_the_estimator_in_their_types(estimator, tmp_path):
    picture_file(tmp_path / "a.png")
    options = ["--detection.interval", "3", "--person-height", "1.8", "--smoothing.enabled", "false", "--no-video"]
    main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), *options])
    assert estimator.config == {"detection.interval": 3, "person_height": 1.8, "smoothing.enabled": False}


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing.png", None), ("broken.png", b"nothing"), ("empty.jpg", b""), ("text.mp4", b"words"), ("folder", "dir")],
)
def test_unusable_input_ends_with_code_2_and_one_line(estimator, tmp_path, capsys, name, content):
    path = tmp_path / name
    if content == "dir":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    assert main(["estimate", str(path), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert name in message
    assert "Traceback" not in message
    assert not (tmp_path / "out" / "people.npz").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--detection.interval", "no"],
        ["--detection.interval", "0"],
        ["--backbone", "lit"],
        ["--smoothing.enabled", "1"],
        ["--detector", "topic"],
    ],
)
def test_unusable_parameters_end_with_code_2_and_their_name(tmp_path, capsys, options):
    picture_file(tmp_path / "a.png")
    assert main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), *options]) == 2
    assert options[0][2:].replace("-", "_") in capsys.readouterr().err


def test_an_output_that_is_a_file_is_refused(estimator, tmp_path, capsys):
    picture_file(tmp_path / "a.png")
    assert main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "a.png")]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_damaged_video_keeps_what_can_be_decoded(estimator, tmp_path, capsys):
    path = write_film(
        tmp_path / "v.mp4", [picture(number) for number in range(20)], codec="libx264", options={"g": "4"}
    )
    data = bytearray(path.read_bytes())
    place, size = packet_places(path)[9]
    data[place : place + size] = b"\xff" * size
    path.write_bytes(data)
    assert main(["estimate", str(path), "--out", str(tmp_path / "out")]) == 1
    assert "v.mp4: damaged after frame" in capsys.readouterr().err
    written = summary(tmp_path / "out")
    assert written["frames"] == written["frames_processed"] >= 19
    assert "damaged" in written["failed"][0]["reason"]
    with VideoReader(tmp_path / "out" / "overlay.mp4") as reader:
        assert len(list(reader)) == written["frames"]


def test_pictures_that_cannot_be_drawn_cost_no_estimate(estimator, tmp_path, capsys, caplog, monkeypatch):
    drawn = []

    def draw(image, *rest):
        drawn.append(image)
        if len(drawn) == 2:
            raise ZeroDivisionError("of the drawing")
        return draw_people(image, *rest)

    monkeypatch.setattr(overlay_writer, "draw_people", draw)
    write_film(tmp_path / "v.mkv", [picture(number) for number in range(6)])
    assert main(["estimate", str(tmp_path / "v.mkv"), "--out", str(tmp_path / "out")]) == 1
    assert len(read_people(tmp_path / "out" / "people.npz")["frame"]) == 6
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["people.npz", "summary.json"]
    assert caplog.text.count("v.mkv: not drawn, the estimates are complete (ZeroDivisionError: of the drawing)") == 1
    assert "overlay.mp4" not in capsys.readouterr().out


def test_of_a_folder_only_the_failed_picture_is_missing(estimator, tmp_path, monkeypatch):
    for name in "abc":
        picture_file(tmp_path / "in" / f"{name}.png")
    monkeypatch.setattr(overlay_writer, "draw_people", lambda image, *_: image if len(estimator.frames) != 2 else None)
    assert main(["estimate", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 1
    assert summary(tmp_path / "out")["frames_processed"] == 3
    assert sorted(path.name for path in (tmp_path / "out" / "overlay").iterdir()) == ["a.png.png", "c.png.png"]


@pytest.mark.parametrize("height", [1, 9000])
def test_a_video_of_a_size_that_no_encoder_likes(estimator, tmp_path, height):
    write_film(tmp_path / "v.mkv", [np.full((height, 2, 3), 99, np.uint8)] * 3)
    assert main(["estimate", str(tmp_path / "v.mkv"), "--out", str(tmp_path / "out")]) in (0, 1)
    assert summary(tmp_path / "out")["frames_processed"] == 3


@pytest.mark.parametrize("name", ["overlay.mp4", "overlay.png", "summary.json"])
def test_the_input_is_never_written_over(estimator, tmp_path, capsys, name):
    if name == "overlay.mp4":
        write_film(tmp_path / name, [picture(3)] * 3, codec="libx264")
    else:
        Image.fromarray(picture(3)).save(tmp_path / name, "PNG")
    before = (tmp_path / name).read_bytes()
    (tmp_path / "link").symlink_to(name)
    for given in (name, "link"):
        assert main(["estimate", str(tmp_path / given), "--out", str(tmp_path)]) == 2
        assert f"{name} would be written over the input" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "link"])


@pytest.mark.parametrize(
    "name", [".overlay.partial.mp4", ".overlay.partial.png", ".summary.partial.json", ".people.partial.npz"]
)
def test_an_input_with_the_name_of_an_unfinished_result_is_kept(estimator, tmp_path, capsys, name):
    if name.endswith(".mp4"):
        write_film(tmp_path / name, [picture(3)] * 3, codec="libx264")
    else:
        Image.fromarray(picture(3)).save(tmp_path / name, "PNG")
    before = (tmp_path / name).read_bytes()
    assert main(["estimate", str(tmp_path / name), "--out", str(tmp_path)]) == 2
    assert f"{name} would be written over the input" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before


def test_a_result_that_is_a_link_to_an_image_of_the_folder_replaces_the_link(estimator, tmp_path):
    picture_file(tmp_path / "in" / "a.png")
    before = (tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").symlink_to(tmp_path / "in" / "a.png")
    assert main(["estimate", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "in" / "a.png").read_bytes() == before
    assert summary(tmp_path / "out")["people"] == [1]


@pytest.mark.parametrize("name", ["people.npz", "summary.json"])
def test_a_folder_in_the_place_of_a_result_is_named_before_anything_is_estimated(estimator, tmp_path, capsys, name):
    picture_file(tmp_path / "a.png")
    (tmp_path / "out" / name).mkdir(parents=True)
    assert main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "--out" in error
    assert f"{name} is a folder there" in error
    assert not estimator.frames


def test_an_output_that_takes_no_files_is_refused_before_anything_is_estimated(estimator, tmp_path, capsys):
    picture_file(tmp_path / "a.png")
    assert main(["estimate", str(tmp_path / "a.png"), "--out", "/proc/self"]) == 2
    assert "--out /proc/self: cannot be written to" in capsys.readouterr().err
    assert not estimator.frames


@pytest.mark.parametrize("name", ["people.npz", "summary.json"])
def test_of_two_results_the_one_that_can_be_written_is(estimator, tmp_path, capsys, name):
    picture_file(tmp_path / "a.png")
    usual = estimator.process

    def process(frame):
        (tmp_path / "out" / name).mkdir()
        return usual(frame)

    estimator.process = process
    assert main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--no-video"]) == 2
    assert f"{name} cannot be written (Is a directory)" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["people.npz", "summary.json"]


@pytest.mark.parametrize("given", ["input", "--out"])
def test_a_name_that_is_too_long_is_one_line(estimator, tmp_path, capsys, given):
    picture_file(tmp_path / "a.png")
    long = str(tmp_path / ("x" * 300))
    named = {"input": str(tmp_path / "a.png"), "--out": str(tmp_path / "out"), given: long}
    assert main(["estimate", named["input"], "--out", named["--out"]]) == 2
    error = capsys.readouterr().err
    assert "File name too long" in error
    assert error.count("\n") == 1


def test_a_folder_called_overlay_is_not_filled_with_its_own_pictures(estimator, tmp_path, capsys):
    picture_file(tmp_path / "overlay" / "a.png")
    assert main(["estimate", str(tmp_path / "overlay"), "--out", str(tmp_path)]) == 2
    assert "overlay would be written over the input" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "overlay").iterdir()] == ["a.png"]


def test_names_cannot_reach_the_terminal(estimator, tmp_path, capsys):
    (tmp_path / "\x1b[31mred.jpg").write_bytes(b"no image")
    assert main(["estimate", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "\\x1b[31mred.jpg" in error
    assert "\x1b[31m" not in error


def test_version_and_help(capsys):
    for options, expected in ((["--version"], __version__), (["estimate", "--help"], "--detection.interval")):
        with pytest.raises(SystemExit) as exit_code:
            main(options)
        assert exit_code.value.code == 0
        assert expected in capsys.readouterr().out


def test_an_unknown_command_is_code_2(capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["estimat"])
    assert exit_code.value.code == 2
