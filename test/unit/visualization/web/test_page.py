"""The page as a browser is told it: nodes, coordinates and texts, over viser's own protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest

viser = pytest.importorskip("viser", reason="the page for browsers needs the extra `viewer`")

from smplerx_ros.body import BodyModel  # noqa: E402
from smplerx_ros.body.skeleton import JOINT_INDEX  # noqa: E402
from smplerx_ros.errors import ConfigError  # noqa: E402
from smplerx_ros.geometry.camera import Camera  # noqa: E402
from smplerx_ros.types import Person  # noqa: E402
from smplerx_ros.visualization.palette import BONES, person_color  # noqa: E402
from smplerx_ros.visualization.web.page import IMAGE_WIDTH, UPRIGHT, Page, View  # noqa: E402
from support.viser_client import ViserClient  # noqa: E402

Stand = Callable[..., Person]


@pytest.fixture
def client(page: Page) -> Iterator[ViserClient]:
    with ViserClient(page.url) as made:
        made.wait(lambda: page.watched)
        yield made


def view(*people: Person, body_model: str = "standin_anny", **more: Any) -> View:
    return View(people, "lite", body_model, "CPUExecutionProvider", {"body": 0.002}, **more)


def test_people_are_where_their_message_says(page: Page, client: ViserClient, body: BodyModel, stand: Stand) -> None:
    people = stand("p1", -1.0, 4.0), stand("p2", 1.0, 5.0)
    page.show(view(*people))
    client.wait(lambda: {"/people/p1/label", "/people/p2/label"} <= set(client.nodes))
    for person in people:
        mesh, bones, label = (client.nodes[f"/people/{person.id}/{part}"] for part in ("mesh", "bones", "label"))
        vertices = np.reshape(mesh["vertices"], (-1, 3))
        np.testing.assert_allclose(vertices, body.vertices(person.params)[0], atol=1e-6)
        np.testing.assert_array_equal(np.reshape(mesh["faces"], (-1, 3)), body.faces)
        assert tuple(mesh["color"]) == person_color(person.id)
        ends = np.reshape(bones["points"], (-1, 2, 3))
        np.testing.assert_allclose(ends, person.joints[np.array(BONES)], atol=1e-6)
        assert label["text"] == f"{person.id}  {np.linalg.norm(person.joints[0]):.1f} m"
        assert label["position"][1] < vertices[:, 1].min(), "the label is above the head: y points down"
    assert "2 people" in client.text()
    assert "standin_anny" in client.text()


def test_the_scene_is_upright_in_the_optical_frame(page: Page) -> None:
    """The root turns the world so that -y of the optical frame is up in the browser's world, where +y is."""
    with ViserClient(page.url) as client:
        orientation = client.wait(lambda: client.world)
    up = viser.transforms.SO3(np.array(orientation)) @ np.array([0.0, -1.0, 0.0])
    np.testing.assert_allclose(up, [0, 1, 0], atol=1e-6)


def test_people_in_an_upright_frame(body: BodyModel, stand: Stand) -> None:
    """Of maps and robots, where z is up and the camera's place is not known."""
    page = Page(body, host="127.0.0.1", port=0, space=UPRIGHT)
    person = stand("p1", 0.0, 4.0)
    upright_from_optical = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    person = replace(person, joints=person.joints @ upright_from_optical.T)
    try:
        with ViserClient(page.url) as client:
            orientation = client.wait(lambda: page.watched and client.world)
            up = viser.transforms.SO3(np.array(orientation)) @ np.array([0.0, 0.0, 1.0])
            np.testing.assert_allclose(up, [0, 1, 0], atol=1e-6)
            page.show(view(person))
            label = client.wait(lambda: client.nodes.get("/people/p1/label"))
            assert label["position"][2] > person.joints[:, 2].max()
            assert client.nodes["/ground"]["position"][2] == pytest.approx(person.joints[:, 2].min(), abs=1e-6)
    finally:
        page.close()


def test_people_move_and_leave(page: Page, client: ViserClient, body: BodyModel, stand: Stand) -> None:
    page.show(view(stand("p1", 0.0, 4.0), stand("p2", 1.0, 4.0)))
    client.wait(lambda: "/people/p2/label" in client.nodes)
    moved = stand("p1", 0.5, 3.0)
    page.show(view(moved))
    client.wait(lambda: "/people/p2" not in client.nodes)
    expected = body.vertices(moved.params)[0]
    client.wait(lambda: np.allclose(np.reshape(client.nodes["/people/p1/mesh"]["vertices"], (-1, 3)), expected))
    page.clear()
    client.wait(lambda: "/people/p1" not in client.nodes)
    assert not any(name.startswith("/people/") for name in client.nodes)
    assert "waiting for people" in client.text()


@pytest.mark.parametrize(("label", "part"), [("Mesh", "mesh"), ("Skeleton", "bones"), ("Labels", "label")])
def test_switches(page: Page, client: ViserClient, stand: Stand, label: str, part: str) -> None:
    name = f"/people/p1/{part}"
    page.show(view(stand("p1", 0.0, 4.0)))
    client.wait(lambda: name in client.nodes)
    client.switch(label, False)

    def shown(wanted: bool) -> bool:
        page.show(view(stand("p1", 0.0, 4.0)))
        client.wait(lambda: True)
        return (name in client.nodes) == wanted

    client.wait(lambda: shown(False))
    assert len([node for node in client.nodes if node.startswith("/people/p1/")]) == 2
    client.switch(label, True)
    client.wait(lambda: shown(True))


def test_a_wrong_body_model_shows_no_mesh_and_says_so(page: Page, client: ViserClient, stand: Stand) -> None:
    page.show(view(stand("p1", 0.0, 4.0), body_model="SMPLX_NEUTRAL"))
    client.wait(lambda: "/people/p1/bones" in client.nodes)
    assert "/people/p1/mesh" not in client.nodes
    assert "SMPLX_NEUTRAL" in client.text()
    assert "standin_anny" in client.text()


def test_the_camera_and_what_it_sees(page: Page, client: ViserClient) -> None:
    image = np.full((720, 1280, 3), (200, 30, 30), np.uint8)
    page.show(view(image=image, camera=Camera.from_fov(1280, 720, 90.0)))
    client.wait(lambda: client.nodes.get("/camera", {}).get("visible"))
    node = client.nodes["/camera"]
    assert node["fov"] == pytest.approx(2 * np.arctan(360 / 640))
    assert node["aspect"] == pytest.approx(1280 / 720)
    sent = cv2.imdecode(np.frombuffer(node["_image_data"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert sent.shape == (IMAGE_WIDTH * 720 // 1280, IMAGE_WIDTH, 3)
    np.testing.assert_allclose(sent[100, 100], [200, 30, 30], atol=6)


def test_what_comes_from_outside_is_text_not_markup(page: Page, client: ViserClient) -> None:
    page.show(View(backbone="<script>x</script>", notices=("<img src=http://example.com>",)))
    client.wait(lambda: "example.com" in client.text())
    assert "<script" not in client.text()
    assert "<img" not in client.text()


def test_a_browser_cannot_publish_the_page(page: Page, client: ViserClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Viser's share button opens a tunnel through a public server; anybody may send what the button sends."""
    tunnels: list[Any] = []
    asked = threading.Event()
    refuse = type(page._server).request_share_url
    monkeypatch.setattr("viser._viser.ViserTunnel", lambda *address: tunnels.append(address) or MagicMock())
    monkeypatch.setattr(page._server, "request_share_url", lambda: (refuse(page._server), asked.set()))
    client.send("ShareUrlRequest")
    client.wait(asked.is_set)
    assert tunnels == []


def test_the_ground_is_under_the_feet(page: Page, client: ViserClient, stand: Stand) -> None:
    person = stand("p1", 0.0, 4.0)
    page.show(view(person))
    client.wait(lambda: client.nodes.get("/ground", {}).get("visible"))
    assert client.nodes["/ground"]["position"][1] == pytest.approx(person.joints[JOINT_INDEX["left_foot"], 1], abs=0.1)


def test_nobody_looks_after_the_browser_has_gone(page: Page) -> None:
    assert not page.watched
    with ViserClient(page.url) as client:
        client.wait(lambda: page.watched)
    client.wait_closed(lambda: not page.watched)


def test_the_next_free_port(body: BodyModel, page: Page) -> None:
    port = int(page.url.rpartition(":")[2])
    other = Page(body, host="127.0.0.1", port=port)
    try:
        assert other.url != page.url
    finally:
        other.close()


def test_a_host_that_is_not_here(body: BodyModel) -> None:
    with pytest.raises(ConfigError, match=r"'host': '192\.0\.2\.1' is not an address of this machine"):
        Page(body, host="192.0.2.1", port=0)  # TEST-NET-1 of RFC 5737
