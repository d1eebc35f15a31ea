from __future__ import annotations

import numpy as np
import pytest

from smplerx_ros.io.video import VideoReader, VideoWriter


def grey(height, width, value=120):
    return np.full((height, width, 3), value, np.uint8)


def write(path, images, times=None, rate=25.0):
    with VideoWriter(path, rate) as writer:
        for index, image in enumerate(images):
            writer.write(image, index / rate if times is None else times[index])
    with VideoReader(path) as reader:
        return list(reader)


def test_colours_and_times_come_back(tmp_path):
    colors = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    frames = write(tmp_path / "v.mp4", [np.full((48, 64, 3), color, np.uint8) for color in colors])
    for frame, color in zip(frames, colors, strict=True):
        np.testing.assert_allclose(frame.image.mean((0, 1)), color, atol=12)
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.04, 0.08], atol=1e-3)


def test_uneven_times_are_kept(tmp_path):
    frames = write(tmp_path / "v.mp4", [grey(16, 16)] * 4, (0.0, 0.36, 0.5, 1.25))
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.36, 0.5, 1.25], atol=1e-3)


def test_times_that_do_not_increase_lose_no_frame(tmp_path):
    frames = write(tmp_path / "v.mp4", [grey(16, 16, value) for value in (50, 90, 130, 170)], (0.0, 0.04, 0.04, 0.0))
    np.testing.assert_allclose([frame.image.mean() for frame in frames], [50, 90, 130, 170], atol=4)


@pytest.mark.parametrize(("size", "written"), [((33, 47), (34, 48)), ((48, 1), (48, 2)), ((1, 1), (2, 2))])
def test_odd_sizes_are_filled_up(tmp_path, size, written):
    frames = write(tmp_path / "v.mp4", [grey(*size)] * 3)
    assert [frame.image.shape[:2] for frame in frames] == [written] * 3
    np.testing.assert_allclose(frames[0].image, 120, atol=4)


def test_an_image_of_another_size_is_fitted_in_its_proportions(tmp_path):
    first, tall, small, large = write(tmp_path / "v.mp4", [grey(40, 80), grey(80, 40), grey(20, 40), grey(41, 81)])
    assert {frame.image.shape for frame in (first, tall, small, large)} == {(40, 80, 3)}
    bright = tall.image.mean(axis=(0, 2)) > 60
    assert bright.sum() == pytest.approx(20, abs=1)
    assert bright[30:50].all()
    for frame in (small, large):
        np.testing.assert_allclose(frame.image.mean(), 120, atol=6)


@pytest.mark.parametrize("rate", [1e-9, 90_000.0])
def test_a_rate_that_no_camera_has(tmp_path, rate):
    assert len(write(tmp_path / "v.mp4", [grey(16, 16)] * 3, (0.0, 0.1, 0.2), rate)) == 3


def test_an_interrupted_writer_leaves_no_file(tmp_path):
    def interrupted():
        with VideoWriter(tmp_path / "v.mp4", 25) as writer:
            writer.write(grey(16, 16), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
