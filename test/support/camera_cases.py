"""Random calibrated cameras, and an independent implementation of OpenCV's lens models."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from smplerx_ros.geometry.camera import Camera

Array = NDArray[np.float64]

MARGIN = 1.05  # beyond the corners: boxes extend slightly outside images
# Minimum derivative of the distorted by the undistorted radius: a perfect fisheye lens at 80 degrees; moderate others.
MIN_GROWTH = {"equidistant": 0.03, "plumb_bob": 0.3, "rational_polynomial": 0.3}
MAX_GROWTH = 4.0  # larger values are close to a zero of the rational denominator
MAX_ANGLE = np.radians(75)  # from the optical axis; more of a fisheye lens cannot be undistorted to an image plane


def distorted_rays(rays: Array, model: str, d: Array) -> Array:
    """Distort ray coordinates `(..., 2)` by the formulas of OpenCV's documentation (calib3d, fisheye)."""
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
    """Return a grid of pixels `(steps, steps, 2)` over the image, including the corners."""
    x, y = np.linspace(0, camera.width - 1, steps), np.linspace(0, camera.height - 1, steps)
    return np.stack(np.meshgrid(x, y), axis=-1)


def _one_to_one(camera: Camera) -> bool:
    """Return whether the distorted radius is increasing in all directions, up to the corners of the image."""
    corners = np.array([[u, v] for u in (0, camera.width - 1) for v in (0, camera.height - 1)])
    reach = MARGIN * np.linalg.norm((corners - camera.k[:2, 2]) / camera.k[[0, 1], [0, 1]], axis=1).max()
    directions = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radii = np.tan(np.linspace(0, MAX_ANGLE, 200))
    rays = radii[:, None, None] * np.stack([np.cos(directions), np.sin(directions)], axis=-1)
    distorted = np.linalg.norm(distorted_rays(rays, camera.model, camera.d), axis=-1)
    needed = np.argmax(distorted.min(axis=1) > reach)  # first radius beyond the corners in all directions
    growth = np.diff(distorted[: needed + 1], axis=0) / np.diff(radii[: needed + 1])[:, None]
    moderate = (growth > MIN_GROWTH[camera.model]) & (growth < MAX_GROWTH)
    return bool(needed > 0 and moderate.all())


@st.composite
def coefficients(draw: st.DrawFn, model: str) -> list[float]:
    """Draw moderate coefficients, typical of normal, wide-angle and fisheye lenses."""

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
    """Draw a camera whose lens distortion is invertible over the whole image."""
    model = model or draw(st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant"]))
    width, height = draw(st.integers(160, 4096)), draw(st.integers(120, 3000))
    # A fisheye lens of shorter focal length would exceed MAX_ANGLE in the corners.
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
    # Reduce the distortion until it is invertible: cheaper than rejecting examples.
    while not _one_to_one(camera):
        d = [0.5 * value for value in d]
        camera = Camera(width, height, k, np.array(d), model)
    return camera
