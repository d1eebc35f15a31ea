"""Random cameras as calibrations give them, and OpenCV's lens models written out once more."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from smplerx_ros.geometry.camera import Camera

Array = NDArray[np.float64]

MARGIN = 1.05  # beyond the corners: boxes reach out of images a little
# Of the seen radius with the true one: that of a perfect fisheye lens at 80 degrees; others are moderately bent.
LEAST_GROWTH = {"equidistant": 0.03, "plumb_bob": 0.3, "rational_polynomial": 0.3}
MOST_GROWTH = 4.0  # more comes near a zero of the rational denominator
WIDEST = np.radians(75)  # from the axis: no more of a fisheye lens is an image plane's business


def distorted_rays(rays: Array, model: str, d: Array) -> Array:
    """Ray coordinates `(..., 2)` after the lens, by the formulas of OpenCV's documentation (calib3d, fisheye)."""
    d = np.concatenate([d, np.zeros(14)])
    x, y = rays[..., 0], rays[..., 1]
    r2 = x * x + y * y
    if model == "equidistant":
        r = np.sqrt(r2)
        t = np.arctan(r)
        bent = t * (1 + d[0] * t**2 + d[1] * t**4 + d[2] * t**6 + d[3] * t**8)
        return rays * np.divide(bent, r, out=np.ones_like(r), where=r > 0)[..., None]
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = d[:12]
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + s1 * r2 + s2 * r2**2,
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + s3 * r2 + s4 * r2**2,
        ],
        axis=-1,
    )


def pixels(camera: Camera, steps: int = 7) -> Array:
    """Pixels all over the image `(steps, steps, 2)`, corners included."""
    x, y = np.linspace(0, camera.width - 1, steps), np.linspace(0, camera.height - 1, steps)
    return np.stack(np.meshgrid(x, y), axis=-1)


def _one_to_one(camera: Camera) -> bool:
    """Whether the lens keeps spreading, radially and everywhere, up to what the image's corners see."""
    corners = np.array([[u, v] for u in (0, camera.width - 1) for v in (0, camera.height - 1)])
    reach = MARGIN * np.linalg.norm((corners - camera.k[:2, 2]) / camera.k[[0, 1], [0, 1]], axis=1).max()
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radii = np.tan(np.linspace(0, WIDEST, 200))
    rays = radii[:, None, None] * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    seen = np.linalg.norm(distorted_rays(rays, camera.model, camera.d), axis=-1)
    needed = np.argmax(seen.min(axis=1) > reach)  # first radius that all directions see beyond the corners
    growth = np.diff(seen[: needed + 1], axis=0) / np.diff(radii[: needed + 1])[:, None]
    usual = (growth > LEAST_GROWTH[camera.model]) & (growth < MOST_GROWTH)
    return bool(needed > 0 and usual.all())


@st.composite
def coefficients(draw: st.DrawFn, model: str) -> list[float]:
    """Moderate ones, such as ordinary, wide and fisheye lenses have."""

    def within(*limits: float) -> list[float]:
        return [draw(st.floats(-limit, limit)) for limit in limits]

    if model == "plumb_bob":
        return within(0.35, 0.15, 0.005, 0.005, 0.05)[: draw(st.sampled_from([0, 4, 5]))]
    if model == "rational_polynomial":
        few = within(0.3, 0.1, 0.003, 0.003, 0.02, 0.3, 0.05, 0.02)
        return few + draw(st.sampled_from([[], within(0.002, 0.002, 0.002, 0.002)]))
    return within(0.08, 0.04, 0.02, 0.01)


@st.composite
def cameras(draw: st.DrawFn, model: str | None = None) -> Camera:
    """Any usual camera whose lens can be undone over its whole image."""
    model = model or draw(st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant"]))
    width, height = draw(st.integers(160, 4096)), draw(st.integers(120, 3000))
    # A fisheye lens of shorter focal length would see beyond `WIDEST` in the corners.
    focal = draw(st.floats(0.8 if model == "equidistant" else 0.45, 2.5)) * max(width, height)
    k = np.array(
        [
            [focal, 0, draw(st.floats(0.4, 0.6)) * width],
            [0, focal * draw(st.floats(0.95, 1.05)), draw(st.floats(0.4, 0.6)) * height],
            [0, 0, 1],
        ]
    )
    d = draw(coefficients(model))
    camera = Camera(width, height, k, np.array(d), model)
    # Weaker lenses of the same kind, until one is one-to-one: cheaper than to throw examples away.
    while not _one_to_one(camera):
        d = [0.5 * value for value in d]
        camera = Camera(width, height, k, np.array(d), model)
    return camera
