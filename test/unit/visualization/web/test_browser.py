"""The page in a real browser: it loads without the internet, and people stand where they should, upright."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

viser = pytest.importorskip("viser", reason="the page for browsers needs the extra `viewer`")

from smplerx_ros.body import BodyModel  # noqa: E402
from smplerx_ros.types import Person  # noqa: E402
from smplerx_ros.visualization.palette import person_color  # noqa: E402
from smplerx_ros.visualization.web.page import Page, View  # noqa: E402
from support.browser import CHROMIUM, Browser, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)")
PANEL_PX = 340  # at the right of the window
EDGE_PX = 4  # a silhouette's edge is blurred


def expected_pixels(page: Page, vertices: np.ndarray, width: int, height: int) -> np.ndarray:
    """Where the browser's camera sees `vertices (V, 3)`: `(V, 2)` pixels of the window."""
    (client,) = page._server.get_clients().values()
    world_from_camera = viser.transforms.SO3(client.camera.wxyz).as_matrix()
    seen = (vertices - client.camera.position) @ world_from_camera
    focal = height / 2 / np.tan(client.camera.fov / 2)
    return np.asarray(focal * seen[:, :2] / seen[:, 2:] + [width / 2, height / 2])


def shown_pixels(browser: Browser, path: Path, color: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of what has the hue of `color`, left of the panel, in a screenshot."""
    browser.screenshot(path)
    image = cv2.imread(str(path))[:, :-PANEL_PX, ::-1].astype(np.float64)
    hue = np.array(color) - np.mean(color)
    hues = image - image.mean(axis=2, keepdims=True)
    norm = np.linalg.norm(hues, axis=2)
    alike = (hues @ hue) / np.maximum(norm * np.linalg.norm(hue), 1e-9)
    return np.argwhere((alike > 0.95) & (norm > 25))


def test_a_person_stands_where_the_estimate_says(
    page: Page, body: BodyModel, stand: Callable[..., Person], tmp_path: Path
) -> None:
    person = stand("p3", 0.3, 4.0)
    vertices = body.vertices(person.params)[0]
    shown = View((person,), "lite", body.name, "CPUExecutionProvider")
    size = 1000, 700
    for switch in (page._skeleton, page._labels):  # nothing before the mesh
        switch.value = False
    with Browser(tmp_path / "profile", *size) as browser:
        browser.open(page.url)
        wait_until(lambda: page.watched)
        page.show(shown)
        wait_until(lambda: "1 person" in browser.text())

        def difference() -> float:
            pixels = shown_pixels(browser, tmp_path / "page.png", person_color("p3"))
            if not len(pixels):
                return np.inf
            expected = expected_pixels(page, vertices, *size)[:, ::-1]
            corners = [pixels.min(0) - expected.min(0), pixels.max(0) - expected.max(0)]
            return float(np.abs(corners).max())

        wait_until(lambda: difference() < EDGE_PX)
        rows, _ = shown_pixels(browser, tmp_path / "page.png", person_color("p3")).T
        assert np.ptp(rows) > 100, "too small to tell anything"
        widest = np.bincount(rows).argmax()
        assert widest < rows.min() + np.ptp(rows) / 2, "the arms are above the middle: upright"
        assert browser.hosts() == {"127.0.0.1"}, "nothing comes from the internet"
