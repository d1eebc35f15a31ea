"""The landmark networks: rows of a batch do not touch each other, and the heat-map step is what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from smplerx_ros.backbones.lite.landmarks import LandmarkQuery
from smplerx_ros.backbones.lite.networks import HEATMAP_CONFIDENCE, HEATMAP_WINDOW, LandmarkNetworks, refined, sigmoid


@pytest.fixture(scope="module")
def networks() -> LandmarkNetworks:
    return LandmarkNetworks(threads=2)


@pytest.mark.parametrize("method", ["bodies", "hands", "faces", "hand_regions"])
def test_batches_equal_single_runs(
    networks: LandmarkNetworks, query: Callable[[str], LandmarkQuery], method: str
) -> None:
    images = [query("walker").image, query("astronaut").image, query("walker").image]
    regions = np.array([[100.0, 250, 450, 0], [140, 80, 110, 0.1], [90, 240, 300, 1.0]])
    together = getattr(networks, method)(images, regions)
    for i in range(3):
        alone = getattr(networks, method)(images[i : i + 1], regions[i : i + 1])
        pairs = [(together, alone)] if method == "hand_regions" else zip(*map(_values, (together, alone)), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a[i], b[0], rtol=1e-3, atol=2e-3)


def _values(answer: object) -> list[np.ndarray]:
    return list(vars(answer).values())


def test_blendshapes_ignore_offset_and_scale_and_other_rows(networks: LandmarkNetworks) -> None:
    faces = np.random.default_rng(5).normal(100, 20, (3, 478, 3))
    faces[1] = faces[0] * 2.5 + 40
    weights = networks.blendshapes(faces)
    assert weights.shape == (3, 52)
    assert ((weights >= 0) & (weights <= 1)).all()
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-3)
    np.testing.assert_allclose(networks.blendshapes(faces[2:])[0], weights[2], atol=1e-3)


def _refined_by_loops(point: np.ndarray, heatmap: np.ndarray, size: int) -> np.ndarray:
    cells, reach = len(heatmap), HEATMAP_WINDOW // 2
    column, row = (point / size * cells).astype(int)
    if not (0 <= column < cells and 0 <= row < cells):
        return point
    total, centre, best = 0.0, np.zeros(2), 0.0
    for y in range(max(0, row - reach), min(cells, row + reach + 1)):
        for x in range(max(0, column - reach), min(cells, column + reach + 1)):
            weight = float(sigmoid(heatmap[y, x]))
            total, centre, best = total + weight, centre + weight * np.array([x, y]), max(best, weight)
    return centre / total * size / cells if best >= HEATMAP_CONFIDENCE else point


def test_refinement_equals_plain_loops() -> None:
    rng = np.random.default_rng(7)
    points = rng.uniform(-20, 276, (4, 30, 2))
    heatmaps = rng.normal(-3, 2, (4, 64, 64, 30)).astype(np.float32)
    heatmaps[1] = -5  # nothing sure: all stay
    got = refined(points, heatmaps, 256)
    for i in range(4):
        for k in range(30):
            expected = _refined_by_loops(points[i, k], heatmaps[i, :, :, k], 256)
            np.testing.assert_allclose(got[i, k], expected, atol=1e-6)
    np.testing.assert_array_equal(got[1], points[1])


def test_sigmoid_does_not_overflow() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_allclose(sigmoid(np.array([-1e9, 0, 1e9])), [0, 0.5, 1], atol=1e-12)
