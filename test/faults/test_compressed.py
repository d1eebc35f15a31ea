"""Fault 5 of docs/reference/faults.md: compressed images."""

from __future__ import annotations

import array
import struct
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from graph import GREY
from scene import Row, Scene
from sensor_msgs.msg import CompressedImage

JPEG = cv2.imencode(".jpg", GREY)[1].tobytes()
PNG = cv2.imencode(".png", GREY)[1].tobytes()


class CompressedScene(Scene):
    """The camera publishes `image/compressed`."""

    def __init__(self, *arguments: object) -> None:
        compressed = ("image_transport:=compressed", "camera_info_timeout:=0.0")
        super().__init__(*arguments, *compressed)  # type: ignore[arg-type]
        self.graph.images = self.graph.node.create_publisher(CompressedImage, "image/compressed", 5)
        self.graph.image = lambda *_: self.made(JPEG)  # type: ignore[method-assign]
        self.graph.connect()

    def made(self, data: bytes, kind: str = "jpeg") -> CompressedImage:
        return CompressedImage(header=self.graph.header(), format=kind, data=array.array("B", data))


def sent(data: bytes, kind: str = "jpeg") -> Callable[[CompressedScene], None]:
    return lambda scene: scene.publish(scene.made(data, kind), scene.graph.info())


def png_claiming(width: int, height: int) -> bytes:
    """A small PNG whose header declares another size, with a valid checksum."""
    header = b"IHDR" + struct.pack(">II", width, height) + PNG[24:29]
    return PNG[:12] + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]


def jpeg_claiming(width: int, height: int) -> bytes:
    at = JPEG.index(b"\xff\xc0")
    return JPEG[: at + 5] + struct.pack(">HH", height, width) + JPEG[at + 9 :]


TOPIC = "/image/compressed: "
COMPRESSED = [
    Row(5, "truncated JPEG", sent(JPEG[: len(JPEG) // 2]), "bad_input", f"{TOPIC}data is truncated"),
    Row(5, "truncated PNG", sent(PNG[:-20]), "bad_input", f"{TOPIC}data is truncated"),
    Row(5, "corrupt PNG", sent(PNG[:45] + bytes(20) + PNG[65:]), "bad_input", f"{TOPIC}data is corrupt"),
    Row(5, "no image", sent(b"GIF89a" + bytes(99)), "bad_input", f"{TOPIC}data is neither JPEG nor PNG"),
    Row(5, "nothing", sent(b""), "bad_input", f"{TOPIC}the compressed image is empty"),
    Row(5, "PNG bomb", sent(png_claiming(60_000, 60_000)), "bad_input", "60000x60000 pixels, more than the limit"),
    Row(5, "JPEG bomb", sent(jpeg_claiming(65_500, 65_500)), "bad_input", "65500x65500 pixels, more than the limit"),
]


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompressedScene]:
    made = CompressedScene(tmp_path_factory.mktemp("compressed"))
    made.good()
    yield made
    made.close()


@pytest.mark.parametrize("row", COMPRESSED, ids=lambda row: f"{row.fault} {row.name}")
def test_compressed_images(compressed: CompressedScene, row: Row) -> None:
    compressed.suffer(row)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (JPEG, "rgb8; jpeg compressed bgr8"),
        (JPEG, "☃" * 99),
        (PNG, "jpeg"),
        (cv2.imencode(".png", np.dstack([GREY, GREY[..., 0]]))[1].tobytes(), "png"),
    ],
    ids=["odd format", "snow", "a PNG called JPEG", "PNG with alpha"],
)
def test_5_unusual_but_right(compressed: CompressedScene, data: bytes, kind: str) -> None:
    assert len(compressed.answer(lambda: compressed.made(data, kind)).people) == 1
