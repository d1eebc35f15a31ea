from __future__ import annotations

import logging
import os

import numpy as np
import pytest
from PIL import Image

from smplerx_ros.errors import InputError
from smplerx_ros.io.sources import open_source
from support.films import number_of, packet_places, picture, write_film


def save(path, number=5):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture(number)).save(path, quality=95)


def names(source):
    return [item.name for item in source]


def test_a_folder_counts_as_people_do(tmp_path):
    order = ["img1.jpg", "img2.jpg", "IMG3.jpg", "img10.jpg", "img010.jpg", "img11_2.jpg", "img11_10.jpg"]
    for name in order:
        save(tmp_path / name)
    found = names(open_source(tmp_path))
    assert found == ["img1.jpg", "img2.jpg", "IMG3.jpg", "img010.jpg", "img10.jpg", "img11_2.jpg", "img11_10.jpg"]


def test_what_a_folder_holds_besides_is_logged_by_name(tmp_path, caplog):
    for name in ("a.jfif", "b.avif", "c.gif", "d.JPG"):
        save(tmp_path / name)
    (tmp_path / "f.mp4").write_bytes(b"")
    (tmp_path / "g.raw").write_bytes(b"")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "people.npz").write_bytes(b"")  # of an earlier run
    with caplog.at_level(logging.WARNING):
        source = open_source(tmp_path)
    items = list(source)
    assert [item.name for item in items] == ["a.jfif", "b.avif", "c.gif", "d.JPG"]
    assert all(item.image is not None for item in items)
    assert "skipped entries that are not image files: f.mp4, g.raw; process videos one by one" in caplog.text
    assert "people.npz" not in caplog.text


def test_links_to_nothing_and_folders_named_as_images_are_logged(tmp_path, caplog):
    save(tmp_path / "a.png")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "c.png").mkdir()
    assert names(open_source(tmp_path)) == ["a.png"]
    assert "b.jpg, c.png" in caplog.text


@pytest.mark.parametrize("results", [True, False])
def test_the_drawing_of_an_earlier_run_is_no_input(tmp_path, caplog, results):
    save(tmp_path / "a.png")
    save(tmp_path / "overlay.png")
    if results:
        (tmp_path / "people.npz").write_bytes(b"")
        (tmp_path / "summary.json").write_text("{}")
    assert names(open_source(tmp_path)) == (["a.png"] if results else ["a.png", "overlay.png"])
    assert ("skipped overlay.png, the output of an earlier run" in caplog.text) == results


def test_many_skipped_files_are_counted(tmp_path, caplog):
    save(tmp_path / "a.png")
    for number in range(20):
        (tmp_path / f"{number:02}.\x1b[31m").write_bytes(b"")
    open_source(tmp_path)
    assert "07.\\x1b[31m and 12 more" in caplog.text
    assert "\x1b" not in caplog.text


def test_hidden_files_are_no_pictures(tmp_path, caplog):
    save(tmp_path / "a.jpg")
    (tmp_path / "._a.jpg").write_bytes(b"\0\5\x16\7 Mac OS X")
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert names(open_source(tmp_path)) == ["a.jpg"]
    assert not caplog.text


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_an_animated_image_is_a_film(tmp_path, suffix):
    first, *others = (Image.fromarray(picture(number)) for number in (3, 9, 12))
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=others, duration=40)
    source = open_source(tmp_path / f"a.{suffix}")
    assert source.is_video
    items = list(source)
    assert [number_of(item.image) for item in items] == [3, 9, 12]
    np.testing.assert_allclose([item.stamp_ns for item in items], [0, 40e6, 80e6], atol=1e6)


@pytest.mark.parametrize("name", ["a", "a.jpg_large", "a.png"])
def test_a_film_is_told_by_its_content(tmp_path, name):
    save(tmp_path / "image.png")
    (tmp_path / "image.png").rename(tmp_path / name)
    assert not open_source(tmp_path / name).is_video
    write_film(tmp_path / "v.mp4", [picture(3)] * 2, codec="libx264").rename(tmp_path / "film")
    assert open_source(tmp_path / "film").is_video


def test_a_damaged_film_gives_all_others_and_then_says_so(tmp_path):
    path = write_film(tmp_path / "v.mp4", [picture(number) for number in range(10)], codec="libx264")
    place, size = packet_places(path)[6]
    path.write_bytes(path.read_bytes()[: place + size // 2])
    *frames, last = open_source(path)
    assert len(frames) >= 6
    assert all(frame.image is not None for frame in frames)
    assert last.image is None
    assert "v.mp4: damaged after frame" in last.reason


def test_what_is_neither_file_nor_folder_is_called_so(tmp_path):
    os.mkfifo(tmp_path / "camera")
    with pytest.raises(InputError, match="camera: neither a file nor a folder"):
        open_source(tmp_path / "camera")
    with pytest.raises(InputError, match="no such file or folder"):
        open_source(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images in this folder"):
        open_source(tmp_path / "empty")
