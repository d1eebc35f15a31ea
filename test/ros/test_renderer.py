"""What the drawing process publishes of a scene, and when it takes it down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
from fake_estimator import make_person, random_params
from graph import Graph
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from smplerx_ros.body.placement import Placement
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.ros.conversions.compressed import image_from_compressed
from smplerx_ros.ros.conversions.image import image_from_message
from smplerx_ros.ros.drawing import renderer as renderer_module
from smplerx_ros.ros.drawing.renderer import Renderer
from smplerx_ros.ros.drawing.scene import Scene
from smplerx_ros.ros.qos import numbers_of
from support.bodies import standin

BODY = standin()
CAMERA = Camera.from_fov(160, 120)
QOS = numbers_of(QoSProfile(depth=5))
SETTINGS = {
    "node": "_artist",
    "namespace": "/",
    "body_model": "",
    "markers": {"name": "/markers", "qos": QOS},
    "overlays": {name: {"name": f"/{name}", "qos": QOS} for name in ("left", "right")},
    "compressed": {name: {"name": f"/{name}/compressed", "qos": QOS} for name in ("left", "right")},
}


def scene(source: str = "left", person_id: str = "p1", **changes: Any) -> Scene:
    person = make_person(BODY, CAMERA, random_params(0), person_id)
    return replace(Scene(source, Header(frame_id=source), (person,), True, False), **changes)


class Exhibition:
    """The renderer, and what arrives of its works."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.renderer = Renderer(graph.context, SETTINGS)
        self.markers = graph.listen(MarkerArray, "/markers")
        self.pictures = {name: graph.listen(Image, f"/{name}") for name in ("left", "right")}

    def draw(self, what: Scene) -> MarkerArray:
        """Until the markers come that were drawn last."""
        self.markers.clear()

        def come() -> bool:
            self.renderer.draw(what)
            self.graph.spin_once()
            return bool(self.markers)

        self.graph.spin_until(come)
        for _ in range(3):
            self.graph.spin_once()
        return self.markers[-1]


@pytest.fixture
def exhibition(graph: Graph) -> Iterator[Exhibition]:
    made = Exhibition(graph)
    yield made
    made.renderer.close()


def test_markers_are_placed_in_the_target_frame(exhibition: Exhibition) -> None:
    placement = Placement(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([10.0, 0, 1]))
    plain, placed = exhibition.draw(scene()), exhibition.draw(scene(target=("map", placement)))
    for here, there in zip(plain.markers[1].points, placed.markers[1].points, strict=True):
        expected = placement.target_from_optical @ [here.x, here.y, here.z] + placement.position
        np.testing.assert_allclose([there.x, there.y, there.z], expected, atol=1e-5)
    assert {marker.header.frame_id for marker in placed.markers} == {"map"}
    label, head = placed.markers[2].pose.position, placed.markers[1].points[15]
    assert label.z - head.z == pytest.approx(0.25, abs=1e-5)  # up in the map


def test_each_camera_has_its_overlay_and_its_people(exhibition: Exhibition) -> None:
    image = np.full((120, 160, 3), 90, np.uint8)
    left = exhibition.draw(scene("left", "p1", image=image, camera=CAMERA))
    right = exhibition.draw(scene("right", "p2", image=image, camera=CAMERA))
    assert {m.id for m in left.markers}.isdisjoint(m.id for m in right.markers)
    assert {m.action for m in right.markers} == {Marker.ADD}  # the other camera's people stay

    def shown() -> bool:
        for name, person_id in (("left", "p1"), ("right", "p2")):
            exhibition.renderer.draw(scene(name, person_id, image=image, camera=CAMERA))
        exhibition.graph.spin_once()
        return all(exhibition.pictures.values())

    exhibition.graph.spin_until(shown)
    for name, pictures in exhibition.pictures.items():
        assert pictures[-1].header.frame_id == name
        assert bytes(pictures[-1].data) != bytes([90]) * len(pictures[-1].data)
    assert (image == 90).all()  # it lies in memory that is shared


def test_the_overlay_as_jpeg_is_the_overlay(exhibition: Exhibition) -> None:
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
    compressed = exhibition.graph.listen(CompressedImage, "/left/compressed")
    pictures = exhibition.pictures["left"]

    def shown() -> bool:
        exhibition.renderer.draw(scene(image=image, camera=CAMERA))
        exhibition.graph.spin_once()
        return bool(compressed and pictures)

    exhibition.graph.spin_until(shown)
    (raw, jpeg) = pictures[-1], compressed[-1]
    assert jpeg.header == raw.header
    assert jpeg.format == "rgb8; jpeg compressed bgr8"  # what image_transport's plugin writes of such an image
    drawn, decoded = image_from_message(raw, ""), image_from_compressed(jpeg, "")
    assert np.abs(drawn.astype(int) - image).mean() > 5  # somebody is there
    assert np.abs(decoded.astype(int) - drawn).mean() < 5  # with red and blue where they were
    assert len(jpeg.data) < len(raw.data) / 3


def test_each_kind_of_overlay_is_made_for_its_subscribers_only(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for name in ("compressed_from_image", "message_from_image"):
        monkeypatch.setattr(renderer_module, name, partial(_noted, made, name, getattr(renderer_module, name)))
    renderer = Renderer(graph.context, SETTINGS)
    picture = scene(image=np.zeros((120, 160, 3), np.uint8), camera=CAMERA)
    renderer.draw(picture)
    assert made == []
    for kind, topic, name in (
        (CompressedImage, "/left/compressed", "compressed_from_image"),
        (Image, "/left", "message_from_image"),
    ):
        arrived: list[Any] = []
        subscription = graph.node.create_subscription(kind, topic, arrived.append, QoSProfile(depth=5))
        made.clear()

        def come(arrived: list[Any] = arrived) -> bool:
            renderer.draw(picture)
            graph.spin_once()
            return bool(arrived)

        graph.spin_until(come)
        assert set(made) == {name}
        graph.node.destroy_subscription(subscription)
        graph.spin_until(lambda topic=topic: not graph.node.count_subscribers(topic))
    renderer.close()


def _noted(made: list[str], name: str, make: Callable[..., Any], *arguments: Any) -> Any:
    made.append(name)
    return make(*arguments)


def test_nobody_is_left_when_nothing_comes_any_more(exhibition: Exhibition) -> None:
    shown = exhibition.draw(scene())
    exhibition.renderer.delete_expired(time.monotonic() + 1.0)
    exhibition.markers.clear()
    exhibition.renderer.delete_expired(time.monotonic() + 2.1)
    exhibition.graph.spin_until(lambda: exhibition.markers)
    assert {(m.ns, m.id) for m in exhibition.markers[-1].markers} >= {(m.ns, m.id) for m in shown.markers}
    assert {m.action for m in exhibition.markers[-1].markers} == {Marker.DELETE}


def test_markers_last_until_the_next_where_frames_come_seldom(
    exhibition: Exhibition, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    exhibition.draw(scene())
    lifetimes = []
    for seconds in (now + 100, now + 104, now + 204, now + 204.1):
        monkeypatch.setattr(renderer_module.time, "monotonic", lambda s=seconds: s)
        exhibition.markers.clear()
        exhibition.renderer.draw(scene())
        monkeypatch.undo()
        exhibition.graph.spin_until(lambda: exhibition.markers)
        lifetimes.append(exhibition.markers[-1].markers[0].lifetime.sec)
    assert lifetimes == [2, 12, 2, 2]
