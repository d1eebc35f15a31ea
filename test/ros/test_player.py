"""The player as a process: what a camera would send, when somebody listens."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.video import VideoReader, VideoWriter
from smplerx_ros.ros.conversions.camera_info import camera_from_info, info_from_camera
from smplerx_ros.ros.conversions.image import image_from_message
from smplerx_ros.tools.player import FRAME_ID
from support.films import picture, write_film

WAIT_S = 30


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 10) as writer:
        for index in range(6):
            writer.write(np.full((48, 64, 3), 40 * index, np.uint8), index / 10)
    return path


def player(*arguments):
    command = [sys.executable, "-m", "smplerx_ros.tools.player", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def listener():
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    images, infos = [], []
    qos = QoSProfile(depth=20)
    node.create_subscription(Image, "image", images.append, qos)
    node.create_subscription(CameraInfo, "camera_info", infos.append, qos)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield executor, images, infos
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_every_frame_arrives_with_its_camera_info(clip, listener):
    executor, images, infos = listener
    process = player(clip, "--fov", "70", "--loops", "2")
    try:
        while process.poll() is None or len(images) < 12:
            executor.spin_once(timeout_sec=0.2)
            if process.poll() not in (None, 0):
                break
    finally:
        process.kill()
    assert process.wait() == 0, process.stdout.read()
    assert len(images) == len(infos) == 12
    with VideoReader(clip) as reader:
        expected = [frame.image for frame in reader] * 2
    for image, info, pixels in zip(images, infos, expected, strict=True):
        assert image.header == info.header
        assert image.header.frame_id == FRAME_ID == "camera_optical_frame"
        assert image.encoding == "rgb8"
        np.testing.assert_array_equal(image_from_message(image, "image"), pixels)
        np.testing.assert_allclose(camera_from_info(info, "camera_info").k, Camera.from_fov(64, 48, 70).k)
    stamps = [image.header.stamp.sec * 10**9 + image.header.stamp.nanosec for image in images]
    assert all(later > earlier for earlier, later in pairwise(stamps))


def test_camera_info_follows_a_size_that_changes(tmp_path, listener):
    executor, images, infos = listener
    sizes = [(48, 64)] * 3 + [(96, 48)] * 3
    parts = [
        write_film(tmp_path / f"{height}.ts", [picture(n, height, width) for n in range(3)], codec="libx264")
        for height, width in sizes[::3]
    ]
    (tmp_path / "v.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    process = player(tmp_path / "v.ts")
    while min(len(images), len(infos)) < 6:  # neither topic waits for the other
        executor.spin_once(timeout_sec=0.2)
        assert process.poll() in (None, 0)
    assert process.wait() == 0, process.stdout.read()
    assert [(image.height, image.width) for image in images] == sizes
    assert [(info.height, info.width) for info in infos] == sizes


def test_it_plays_until_it_is_stopped_even_twice(clip, listener):
    executor, images, _ = listener
    process = player(clip, "--loops", "0", "--rate", "50")
    while len(images) < 8:  # the clip has six
        executor.spin_once(timeout_sec=0.2)
        assert process.poll() is None, process.stdout.read()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=WAIT_S)
    assert (process.returncode, output) == (0, "")


def test_without_subscribers_it_gives_up_and_says_so(clip):
    process = player(clip, "--timeout", "1")
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert "/image has 0 subscribers" in output


@pytest.mark.parametrize("content", [None, b"no video"])
def test_an_unreadable_video_is_an_error_and_no_traceback(tmp_path, content):
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    process = player(path)
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert "broken.mp4" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("d", "model"),
    [([], "plumb_bob"), ([0.1, -0.2, 0, 0, 0.05], "plumb_bob"), ([0.1, 0.2, 0, 0], "equidistant")],
)
def test_camera_info_says_what_the_camera_is(d, model):
    camera = Camera(640, 480, np.array([[500.0, 0, 310], [0, 505, 240], [0, 0, 1]]), np.array(d), model)
    again = camera_from_info(info_from_camera(camera, Header()), "camera_info")
    np.testing.assert_array_equal(again.k, camera.k)
    assert (again.width, again.height) == (640, 480)
    if d:
        assert again.model == model
        np.testing.assert_array_equal(again.d, camera.d)
    else:
        assert not again.distorted
