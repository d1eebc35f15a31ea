from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from smplerx_ros.errors import InputError
from smplerx_ros.video import VideoReader, VideoWriter

CLIP = Path(str(files("smplerx_ros"))) / "assets" / "demo_walk.mp4"
# The display matrix in an MP4's track header: 16.16 fixed-point, its last column 2.30 (ISO 14496-12).
UPRIGHT = b"".join(n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
TURNED = b"".join(n.to_bytes(4, "big") for n in (0, 0x10000, 0, 0xFFFF0000, 0, 0, 0, 0, 0x40000000))


def write(path, colors, size=(48, 64), rate=25.0):
    with VideoWriter(path, rate) as writer:
        for index, color in enumerate(colors):
            writer.write(np.full((*size, 3), color, np.uint8), index / rate)


def test_frames_come_back_in_order_with_their_colours_and_times(tmp_path):
    colors = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    write(tmp_path / "v.mp4", colors)
    with VideoReader(tmp_path / "v.mp4") as reader:
        frames = list(reader)
        assert reader.rate == pytest.approx(25)
        assert reader.length == 3
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 3
    for frame, color in zip(frames, colors, strict=True):
        np.testing.assert_allclose(frame.image.mean((0, 1)), color, atol=12)
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.04, 0.08], atol=1e-3)


def test_uneven_times_are_kept(tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 30) as writer:
        for seconds in (0.0, 0.36, 0.5, 1.25):
            writer.write(np.zeros((16, 16, 3), np.uint8), seconds)
    with VideoReader(tmp_path / "v.mp4") as reader:
        np.testing.assert_allclose([frame.seconds for frame in reader], [0, 0.36, 0.5, 1.25], atol=1e-3)


def test_odd_sizes_lose_their_last_row_and_column(tmp_path):
    write(tmp_path / "v.mp4", [(9, 9, 9)], size=(33, 47))
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert next(iter(reader)).image.shape == (32, 46, 3)


def test_a_video_held_upright_is_turned(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :16] = 255  # white on the left: on top, when turned a quarter clockwise
    with VideoWriter(tmp_path / "v.mp4", 25) as writer:
        writer.write(image, 0)
    data = (tmp_path / "v.mp4").read_bytes()
    place = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # after version, times and ids, layer and volume
    assert data[place : place + 36] == UPRIGHT
    (tmp_path / "turned.mp4").write_bytes(data[:place] + TURNED + data[place + 36 :])
    with VideoReader(tmp_path / "turned.mp4") as reader:
        turned = next(iter(reader)).image
    assert turned.shape == (64, 48, 3)
    assert turned[:12].mean() > 200
    assert turned[20:].mean() < 30


@pytest.mark.parametrize("content", [None, b"", b"not a video" * 100])
def test_what_is_no_video_is_refused_by_name(tmp_path, content):
    path = tmp_path / "v.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"v\.mp4"), VideoReader(path) as reader:
        list(reader)


def test_an_interrupted_writer_leaves_no_file(tmp_path):
    def interrupted():
        with VideoWriter(tmp_path / "v.mp4", 25) as writer:
            writer.write(np.zeros((16, 16, 3), np.uint8), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size_is_refused(tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 25) as writer:
        writer.write(np.zeros((16, 16, 3), np.uint8), 0)
        with pytest.raises(InputError, match="16x16"):
            writer.write(np.zeros((32, 16, 3), np.uint8), 1)


def test_the_demo_clip_is_what_the_notice_says():
    assert CLIP.stat().st_size <= 2_000_000
    with VideoReader(CLIP) as reader:
        assert reader.rate == pytest.approx(30)
        first, *others = reader
    assert first.image.shape == (720, 1280, 3)
    assert len(others) == 119
