"""Crops cut by the network for GPUs, here on the CPU's provider: as OpenCV's, one upload an image."""

from __future__ import annotations

import importlib.util
from importlib import resources
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from smplerx_ros.geometry.crops import crop_batch
from smplerx_ros.runtime.crops import Cropper, DeviceCrops
from smplerx_ros.runtime.onnx import OnnxNetwork
from support import parity
from support.paths import ROOT

SCRIPT = ROOT / "scripts" / "make_crop_network.py"
# x, y, width, height in a 640x480 image: inside, over an edge, round the whole image, beside it, enlarged.
REGIONS = np.array(
    [[200.3, 90.7, 150, 200], [-30.2, -41.9, 300, 400], [-150, -200, 900, 1200], [700, 90, 90, 120], [3.3, 4.4, 6, 8]]
)


@pytest.fixture(scope="module")
def cropper() -> Cropper:
    return Cropper("cpu")


@pytest.fixture(scope="module")
def scene() -> NDArray[np.uint8]:
    return parity.image(10, 480, 640)


def array(crops: DeviceCrops) -> NDArray[Any]:
    """What they write."""
    memory = onnxruntime.OrtValue.ortvalue_from_numpy(np.full(crops.shape, np.nan, np.float32), "cpu", 0)
    crops.write(memory)
    return np.array(memory.numpy())


def bilinear(image: NDArray[Any], region: NDArray[Any]) -> NDArray[Any]:
    """The definition, in float64: pixel (i, j) of the crop lies at (y + i h / 256, x + j w / 192); black outside."""
    ys = region[1] + np.arange(256) * region[3] / 256
    xs = region[0] + np.arange(192) * region[2] / 192
    rows = np.maximum(0, 1 - np.abs(ys[:, None] - np.arange(image.shape[0])))
    columns = np.maximum(0, 1 - np.abs(xs[:, None] - np.arange(image.shape[1])))
    return np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True)


def test_the_asset_is_what_the_script_writes() -> None:
    onnx = pytest.importorskip("onnx")
    spec = importlib.util.spec_from_file_location("make_crop_network", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    installed = (resources.files("smplerx_ros") / "assets" / script.FILE.name).read_bytes()
    assert onnx.load_from_string(installed) == script.network()


def test_they_are_bilinear_and_black_beyond_the_image(cropper: Cropper, scene: NDArray[np.uint8]) -> None:
    cut = array(cropper.crops([scene] * len(REGIONS), list(REGIONS)))
    for crop, region in zip(cut, REGIONS, strict=True):
        np.testing.assert_allclose(crop, bilinear(scene, region), atol=0.05)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.floats(-60, 60), st.floats(-60, 60), st.floats(0.1, 90))
def test_any_image_and_region(cropper: Cropper, width: int, height: int, x: float, y: float, size: float) -> None:
    image = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    region = np.array([x, y, size, size / 0.75])
    (crop,) = array(cropper.crops([image], [region]))
    np.testing.assert_allclose(crop, bilinear(image, region), atol=0.05)


def test_they_are_opencvs_but_for_its_rounding_of_places(cropper: Cropper, scene: NDArray[np.uint8]) -> None:
    """To 1/32 pixel: the largest difference is what an image changes within half of that."""
    images = [scene] * len(REGIONS)
    apart = np.abs(array(cropper.crops(images, list(REGIONS))) - crop_batch(images, REGIONS.astype(np.float32)))
    assert apart.max() < (255 + 255) / 64  # across and down an edge from black to white
    assert apart.mean() < 0.1
    whole = np.array([[64, 32, 192, 256], [-20, 40, 384, 512]], np.float32)  # nothing to round
    exact = array(cropper.crops([scene] * 2, list(whole)))
    np.testing.assert_allclose(exact, crop_batch([scene] * 2, list(whole)), atol=1e-3)


def test_each_image_goes_up_once_and_only_what_is_seen_of_it(cropper: Cropper, scene: NDArray[np.uint8]) -> None:
    other = np.ascontiguousarray(scene[::-1, :320])
    images = [scene, scene, other, scene]
    regions = [np.array([x, 100, 60, 80], np.float32) for x in (100, 200, 50, 300)]
    with patch.object(OnnxNetwork, "run_into", autospec=True, side_effect=OnnxNetwork.run_into) as run:
        cut = array(cropper.crops(images, regions))
    sent = [call.args[1]["image"] for call in run.call_args_list]
    assert [part.dtype for part in sent] == [np.uint8] * 3
    assert [part.shape for part in sent] == [(85, 165, 3), (85, 65, 3), (85, 65, 3)]
    assert [call.args[4] for call in run.call_args_list] == [slice(0, 2), slice(2, 3), slice(3, 4)]
    for crop, image, region in zip(cut, images, regions, strict=True):
        np.testing.assert_allclose(crop, bilinear(image, region), atol=0.05)


def test_they_are_sliced_as_an_array_is(cropper: Cropper, scene: NDArray[np.uint8]) -> None:
    crops = cropper.crops([scene] * len(REGIONS), list(REGIONS))
    whole = array(crops)
    assert (len(crops), crops.shape, crops.dtype) == (5, whole.shape, whole.dtype)
    for rows in (slice(1, 3), slice(4, 9), np.array([2, 2, 0])):
        np.testing.assert_allclose(array(crops[rows]), whole[rows], atol=1e-3)
        assert len(crops[rows]) == len(whole[rows])
