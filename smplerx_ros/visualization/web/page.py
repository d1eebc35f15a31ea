"""The web viewer's page, served with viser: people of the newest frame in 3-D, backbone, stage times and ages.

Independent of ROS: the owner calls `Page.show` with the results of each frame. Browsers can change the view and toggle
what is shown, nothing else.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import cv2
import numpy as np
import viser
from numpy.typing import NDArray
from viser import uplot

from smplerx_ros.body.model import BodyModel
from smplerx_ros.errors import ConfigError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import Person

from .scene import Parts, PeopleScene
from .timeline import SPAN_S, Timeline

IMAGE_WIDTH = 640  # pixels: larger images are scaled down
FRUSTUM_DEPTH = 0.6  # metres from the camera to the image
PLOT_HEIGHT = 110  # pixels
GROUND_FOLLOWS = 0.1  # share of the distance to the lowest joint that the ground moves per frame


@dataclass(frozen=True)
class Space:
    """Conventions of the people's frame, and the initial view of a browser; metres."""

    up: tuple[float, float, float]
    ground: Literal["xz", "xy"]
    view: tuple[float, float, float]  # position of the viewpoint before people are seen
    target: tuple[float, float, float]  # point that it looks at
    view_follows: float  # share of the first people's position that is added to `view`
    view_per_distance: tuple[float, float, float]  # added to `view` per metre of distance of the people


# Behind the camera, to the right and above, so that the camera is visible as well.
OPTICAL = Space((0, -1, 0), "xz", (1.5, -1.2, -1.5), (0, 0, 3), 0.0, (0.35, -0.2, 0))
# Frames with z up (REP-103): beside the people and above.
UPRIGHT = Space((0, 0, 1), "xy", (-3, -2, 2), (0, 0, 1), 1.0, (0, 0, 0))


@dataclass(frozen=True, eq=False)
class View:
    """Contents of the page: the people of the newest frame and what produced them; metres, in the page's frame."""

    people: tuple[Person, ...] = ()
    backbone: str = ""
    body_model: str = ""
    runtime: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)
    image: NDArray[np.uint8] | None = None  # (H, W, 3) RGB
    camera: Camera | None = None  # of the image
    notices: tuple[str, ...] = ()  # warnings for the user


class _Server(viser.ViserServer):
    """A server that refuses viser's share requests, with which a browser could publish the page on the internet."""

    def request_share_url(self, verbose: bool = True) -> None:
        """Refuse."""


class Page:
    """Serves the page from its construction until `close`.

    Args:
        body: Body model of the people, for meshes.
        host: Address to serve on.
        port: Port to serve on, or the next free one.
        title: Title of the page.
        space: Conventions of the people's frame.

    Raises:
        ConfigError: `host` is not an address of this machine.
    """

    def __init__(self, body: BodyModel, *, host: str, port: int, title: str = "", space: Space = OPTICAL) -> None:
        _check_host(host)
        with redirect_stdout(io.StringIO()):  # viser prints its address
            self._server = _Server(host=host, port=port, label=title or "people", verbose=False)
        self._host = host
        self._body = body
        self._timeline = Timeline()
        self._space = space
        self._up = np.array(space.up, np.float64)
        self._people = PeopleScene(self._server.scene, body, self._up)
        self._ground: float | None = None
        self._looked_at: set[int] = set()
        self._set_up_scene()
        self._set_up_panel()

    @property
    def url(self) -> str:
        """Its address, for a browser on this machine."""
        host = "127.0.0.1" if self._host in ("", "0.0.0.0") else self._host
        return f"http://{host}:{self._server.get_port()}"

    @property
    def watched(self) -> bool:
        """Whether a browser is connected."""
        return bool(self._server.get_clients())

    def close(self) -> None:
        """End the server."""
        with redirect_stdout(io.StringIO()):
            self._server.stop()

    def arrived(self, time: float, age_ms: float) -> None:
        """Add a result to the timeline, whether it is shown or not; `time`: seconds on a steady clock."""
        self._timeline.add(time, age_ms)

    def show(self, view: View) -> None:
        """Replace the contents of the page."""
        known = not view.people or view.body_model == self._body.name
        parts = Parts(self._mesh.value and known, self._skeleton.value, self._labels.value)
        with self._server.atomic():
            self._people.update(view.people, parts)
            self._show_camera(view)
            self._show_ground(view.people)
            self._status.content = _status(view, None if known else self._body.name)
        self._look_at(view.people)

    def show_timeline(self, now: float) -> None:
        """Update the curves; `now`: seconds on a steady clock."""
        self._ages.data, self._rates.data = self._timeline.ages(now), self._timeline.rates(now)

    def clear(self) -> None:
        """Remove all people, and clear the timeline."""
        self._timeline.clear()
        self.show(View())

    def _set_up_scene(self) -> None:
        scene, camera = self._server.scene, self._server.initial_camera
        scene.set_up_direction(self._space.up)
        camera.position, camera.look_at, camera.fov = self._space.view, self._space.target, np.radians(50)
        self._frustum = scene.add_camera_frustum("/camera", 1.0, 4 / 3, thickness=0.006, jpeg_quality=80, visible=False)
        self._grid = scene.add_grid(
            "/ground",
            plane=self._space.ground,
            infinite_grid=True,
            cell_size=1.0,
            section_size=5.0,
            fade_distance=25,
            visible=False,
        )

    def _set_up_panel(self) -> None:
        gui = self._server.gui
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="medium")
        self._status: Any = gui.add_html(_status(View(), None))
        self._mesh = gui.add_checkbox("Mesh", True)
        self._skeleton = gui.add_checkbox("Skeleton", True)
        self._labels = gui.add_checkbox("Labels", True)
        self._camera = gui.add_checkbox("Camera", True)
        self._ages: Any = self._plot("Age of results (ms), last minute")
        self._rates: Any = self._plot("Results per second, last minute")

    def _plot(self, title: str) -> viser.GuiUplotHandle:
        curve: uplot.Series = {"label": title, "stroke": "#0072b2", "width": 1.5}
        return self._server.gui.add_uplot(
            (np.zeros(0), np.zeros(0)),
            series=({}, curve),
            scales={"x": {"time": False, "range": (-SPAN_S, 0.0)}, "y": {"range": (0.0, None)}},
            title=title,
            legend={"show": False},
            height=PLOT_HEIGHT,
        )

    def _show_camera(self, view: View) -> None:
        image, camera = view.image, view.camera
        shown = self._camera.value and image is not None and camera is not None
        if shown and image is not None and camera is not None:
            self._frustum.fov = 2 * float(np.arctan2(camera.height / 2, camera.k[1, 1]))
            self._frustum.aspect = camera.width / camera.height
            self._frustum.scale = FRUSTUM_DEPTH
            self._frustum.image = _small(image)
        self._frustum.visible = shown

    def _show_ground(self, people: Sequence[Person]) -> None:
        if people:
            lowest = min(float(np.min(person.joints @ self._up)) for person in people)
            before = lowest if self._ground is None else self._ground
            self._ground = before + GROUND_FOLLOWS * (lowest - before)
            self._grid.position = self._ground * self._up
        self._grid.visible = self._ground is not None

    def _look_at(self, people: Sequence[Person]) -> None:
        """Point each browser's view once at the first people that it shows."""
        if not people:
            return
        target = np.mean([person.joints[0] for person in people], axis=0).astype(np.float64)
        space = self._space
        position = space.view_follows * target + space.view
        position += np.array(space.view_per_distance) * np.linalg.norm(target)
        for number, client in self._server.get_clients().items():
            if number not in self._looked_at:
                self._looked_at.add(number)
                client.camera.position, client.camera.look_at = position, target


def _check_host(host: str) -> None:
    """Raise ConfigError for an invalid address, for which viser would wait forever."""
    try:
        socket.create_server((host, 0)).close()
    except OSError as error:
        raise ConfigError(f"parameter 'host': {host!r} is not an address of this machine: {error}") from error


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if width <= IMAGE_WIDTH:
        return image
    size = IMAGE_WIDTH, max(1, round(height * IMAGE_WIDTH / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _status(view: View, body_here: str | None) -> str:
    """HTML of the status above the checkboxes. `body_here`: name of the page's body model if it is not the people's."""
    count = len(view.people)
    lines = [f"<b>{count} {'person' if count == 1 else 'people'}</b>" if view.backbone else "<b>waiting for people</b>"]
    if view.backbone:
        about = [f"backbone {view.backbone}", f"body {view.body_model}", *filter(None, [view.runtime])]
        lines.append(escape(", ".join(about)))
    if view.stages_ms:
        lines.append(escape(", ".join(f"{name} {ms:.0f} ms" for name, ms in view.stages_ms.items())))
    notices = view.notices
    if body_here is not None:
        notices += (
            f"No meshes: the people are of body model {view.body_model!r}, this page has {body_here!r}. "
            "Start it with the body_model of the node.",
        )
    lines += [f'<span style="color:#d55e00">{escape(notice)}</span>' for notice in notices]
    return '<div style="padding:0.5em;font-size:0.85em">' + "<br>".join(lines) + "</div>"
