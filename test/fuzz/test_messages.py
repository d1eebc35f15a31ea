"""Any message becomes what it says, or an InputError that names its topic: nothing else is raised, nothing is huge."""

from __future__ import annotations

import array
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest

from smplerx_ros.errors import InputError
from smplerx_ros.ros.conversions.camera_info import camera_from_info
from smplerx_ros.ros.conversions.compressed import image_from_compressed
from smplerx_ros.ros.conversions.depth import DEPTH_ENCODINGS, depth_from_message, registered
from smplerx_ros.ros.conversions.from_detection_array import boxes_from_message
from smplerx_ros.ros.conversions.image import ENCODINGS, image_from_message

FUZZ = settings.get_profile("fuzz")
LONGEST_MESSAGE = 1000  # characters: an error must not be a means to fill the disk
EDGES = st.sampled_from([0, 1, 2, 3, 7, 255, 256, 65_535, 2**24, 2**31 - 1, 2**31, 2**32 - 1])
UINT32 = st.integers(0, 40) | EDGES
NUMBER = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1e-300, 1e300, -1.0, float("nan"), float("inf")])
TEXT = st.text(max_size=30) | st.sampled_from(["", "\0", "../../etc/passwd", "$(reboot)", "%s%n", "x" * 5000])


@st.composite
def images(draw: Any, encodings: dict[str, Any]) -> Image:
    """Whole images, and such with some fields changed."""
    name = draw(st.sampled_from(sorted(encodings)))
    kind = encodings[name]
    height, width = 2 * draw(st.integers(1, 8)), 2 * draw(st.integers(1, 8))
    step = width * kind.channels * kind.bits // 8 + draw(st.integers(0, 5))
    data = draw(st.binary(min_size=step * height, max_size=step * height))
    fields: dict[str, Any] = {"height": height, "width": width, "step": step, "encoding": name, "is_bigendian": 0}
    others = {"height": UINT32, "width": UINT32, "step": UINT32, "is_bigendian": st.integers(0, 255)}
    others["encoding"] = st.sampled_from([*ENCODINGS, "32FC1", "nv99"]) | TEXT
    for field in draw(st.sets(st.sampled_from(sorted(others)), max_size=3)):
        fields[field] = draw(others[field])
    message = Image(**{**fields, "encoding": fields["encoding"].replace("\0", "")})
    message.data = array.array("B", draw(st.just(data) | st.binary(max_size=600)))
    return message


def refused(error: InputError, topic: str) -> None:
    assert topic in str(error)
    assert len(str(error)) < LONGEST_MESSAGE


@FUZZ
@given(images(ENCODINGS))
def test_images(message: Image) -> None:
    try:
        image = image_from_message(message, "/image")
    except InputError as error:
        refused(error, "/image")
        return
    assert (image.shape, image.dtype) == ((message.height, message.width, 3), np.uint8)


@FUZZ
@given(images(DEPTH_ENCODINGS))
def test_depth(message: Image) -> None:
    try:
        depth = depth_from_message(message, "/depth")
    except InputError as error:
        refused(error, "/depth")
        return
    assert (depth.shape, depth.dtype) == ((message.height, message.width), np.float32)
    assert not (depth <= 0).any()
    assert not np.isinf(depth).any()
    try:
        registered(message, "/depth", np.zeros((2, 2, 3), np.uint8), "camera")
    except InputError as error:
        refused(error, "/depth")


PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 4), np.uint8)
FILES = [
    bytes(cv2.imencode(suffix, np.ascontiguousarray(PICTURE[..., :channels]))[1])
    for suffix, channels in ((".jpg", 3), (".png", 3), (".png", 4), (".png", 1), (".bmp", 3), (".webp", 3))
]


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header declares another size, with a valid checksum."""
    header = b"IHDR" + struct.pack(">II", width, height) + FILES[1][24:29]
    return FILES[1][:12] + header + struct.pack(">I", zlib.crc32(header)) + FILES[1][33:]


@st.composite
def compressed(draw: Any) -> bytes:
    """Files with holes, other bytes, pieces of others, and sizes that are lies."""
    data = draw(st.sampled_from(FILES) | st.builds(claiming, UINT32, UINT32) | st.binary(max_size=400))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.binary(max_size=12) | st.sampled_from(FILES))
        data = data[:at] + piece + data[at + draw(st.integers(0, 40)) :]
    return data


@FUZZ
@given(compressed(), TEXT)
def test_compressed_images(data: bytes, kind: str) -> None:
    message = CompressedImage(format=kind.replace("\0", ""), data=array.array("B", data))
    try:
        image = image_from_compressed(message, "/image/compressed")
    except InputError as error:
        refused(error, "/image/compressed")
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3


ROI = st.builds(RegionOfInterest, x_offset=UINT32, y_offset=UINT32, width=UINT32, height=UINT32)
GOOD_K = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
INFOS = st.fixed_dictionaries(
    {
        "width": st.just(640) | UINT32,
        "height": st.just(480) | UINT32,
        "k": st.just(GOOD_K) | st.lists(NUMBER, min_size=9, max_size=9),
        "p": st.lists(NUMBER, min_size=12, max_size=12),
        "d": st.lists(NUMBER, max_size=14) | st.sampled_from([[0.1] * n for n in (0, 4, 5, 8, 12, 14)]),
        "distortion_model": st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant", "fisheye", ""]) | TEXT,
        "binning_x": st.just(0) | UINT32,
        "binning_y": st.just(0) | UINT32,
        "roi": st.just(RegionOfInterest()) | ROI,
    }
)


@FUZZ
@given(INFOS, st.booleans())
def test_camera_infos(fields: dict[str, Any], rectified: bool) -> None:
    """What is taken for a camera can be looked through: rays and pixels are finite, or NaN, and never an error."""
    fields["distortion_model"] = fields["distortion_model"].replace("\0", "")
    try:
        camera = camera_from_info(CameraInfo(**fields), "/camera_info", rectified=rectified)
    except InputError as error:
        refused(error, "/camera_info")
        return
    assert np.isfinite(camera.k).all()
    assert camera.k[0, 0] > 0
    assert min(camera.width, camera.height) > 0
    with np.errstate(all="ignore"):
        assert camera.project(np.array([[0.1, -0.2, 2.0], [0, 0, -1]])).shape == (2, 2)
        assert camera.normalize(np.array([[3.0, 4.0]])).shape == (1, 2)


vision_msgs = pytest.importorskip("vision_msgs.msg")


@st.composite
def detections(draw: Any) -> Any:
    message = vision_msgs.Detection2DArray()
    message.header.frame_id = draw(st.sampled_from(["", "camera", "/camera", "other"]))
    for _ in range(draw(st.integers(0, 5)) * draw(st.sampled_from([1, 1, 1, 60]))):
        made = vision_msgs.Detection2D()
        made.bbox.center.position.x, made.bbox.center.position.y = draw(NUMBER), draw(NUMBER)
        made.bbox.center.theta, made.bbox.size_x, made.bbox.size_y = draw(NUMBER), draw(NUMBER), draw(NUMBER)
        for _ in range(draw(st.integers(0, 2))):
            result = vision_msgs.ObjectHypothesisWithPose()
            result.hypothesis.score = draw(NUMBER)
            result.hypothesis.class_id = draw(st.sampled_from(["", "person", "dog"]))
            made.results.append(result)
        message.detections.append(made)
    return message


@FUZZ
@given(detections(), st.sampled_from(["", "person"]))
def test_detections(message: Any, person_class: str) -> None:
    try:
        with np.errstate(all="ignore"):
            boxes, complaint = boxes_from_message(message, "/detections", "camera", 160, 120, person_class)
    except InputError as error:
        refused(error, "/detections")
        return
    assert len(boxes) <= 100
    assert len(complaint) < LONGEST_MESSAGE
    for box in boxes:
        assert np.isfinite([*box.xyxy, box.score]).all()
        assert 0 <= box.x0 < box.x1 <= 160
        assert 0 <= box.y0 < box.y1 <= 120
