"""The estimator, loaded once, and the golden images."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smplerx_ros.backbones.lite.landmark_estimator import LandmarkEstimator
from smplerx_ros.backbones.lite.landmarks import LandmarkQuery
from smplerx_ros.geometry.boxes import Box
from support.paths import DATA


@pytest.fixture(scope="session")
def estimator() -> LandmarkEstimator:
    return LandmarkEstimator(threads=2)


@pytest.fixture(scope="session")
def golden() -> dict[str, NDArray[np.float32]]:
    with np.load(DATA / "lite" / "golden.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def query(golden: dict[str, NDArray[np.float32]]) -> Callable[[str], LandmarkQuery]:
    """A golden image by name, with the person's box."""

    def make(name: str) -> LandmarkQuery:
        image = cv2.cvtColor(cv2.imread(str(DATA / "lite" / f"{name}.png")), cv2.COLOR_BGR2RGB)
        return LandmarkQuery(image, Box(*golden[f"{name}/box"].tolist()))

    return make
