"""cv_bridge is used where it is there and works; what it cannot do is told, and what comes out is the same."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import Image

from smplerx_ros.errors import InputError
from smplerx_ros.ros.conversions.bridge import cv_bridge_converter
from smplerx_ros.ros.conversions.image import ENCODINGS, image_from_message

WIDTH, HEIGHT = 16, 12
BRIDGED = sorted(name for name, encoding in ENCODINGS.items() if encoding.bridged)
Convert = Callable[[Image], Any]


@pytest.fixture(autouse=True)
def looked_up_anew() -> Iterator[None]:
    cv_bridge_converter.cache_clear()
    yield
    cv_bridge_converter.cache_clear()


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Convert], list[str]]:
    """`install(convert)`: a module cv_bridge that converts so; the encodings that it is asked for follow."""

    def made(convert: Convert) -> list[str]:
        asked: list[str] = []

        class CvBridge:
            def imgmsg_to_cv2(self, message: Image, desired_encoding: str) -> Any:
                assert desired_encoding == "rgb8"
                asked.append(message.encoding)
                return convert(message)

        module = ModuleType("cv_bridge")
        module.CvBridge = CvBridge  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "cv_bridge", module)
        return asked

    return made


def message(encoding: str, padding: int = 0, seed: int = 0) -> Image:
    kind = ENCODINGS[encoding]
    step = WIDTH * kind.channels * kind.bits // 8 + padding
    made = Image(height=HEIGHT, width=WIDTH, encoding=encoding, step=step)
    values = np.random.default_rng(seed).integers(0, 256, step * kind.rows(HEIGHT), np.uint8)
    made.data = array.array("B", values.tobytes())
    return made


def reversed_colours(image: Image) -> np.ndarray:
    """Right for bgr8, which is what the small test asks for."""
    return np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)[..., ::-1]


def test_it_is_used_where_it_is_there(install: Callable[[Convert], list[str]]) -> None:
    asked = install(reversed_colours)
    made = message("bgr8")
    np.testing.assert_array_equal(image_from_message(made, "/image"), reversed_colours(made))
    assert asked == ["bgr8", "bgr8"]  # the small test, once, and the image
    image_from_message(made, "/image")
    assert asked == ["bgr8"] * 3


@pytest.mark.parametrize(
    "made", [message("rgb8"), message("8UC3"), message("nv12"), message("mono16"), message("bgr8", padding=4)]
)
def test_what_it_does_not_read_is_left_to_us(install: Callable[[Convert], list[str]], made: Image) -> None:
    asked = install(reversed_colours)
    assert image_from_message(made, "/image").shape == (HEIGHT, WIDTH, 3)
    assert asked == []


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [(None, "NoneType"), (np.zeros((1, 2, 3), np.uint8), "expected uint8"), (np.zeros((HEIGHT, WIDTH, 3)), "float64")],
)
def test_its_answers_are_checked(install: Callable[[Convert], list[str]], answer: Any, fragment: str) -> None:
    install(lambda image: reversed_colours(image) if image.height == 1 else answer)
    with pytest.raises(InputError, match=f"^/camera/image_raw: cv_bridge made .*{fragment}"):
        image_from_message(message("bgra8"), "/camera/image_raw")


def test_its_failures_are_input_errors(install: Callable[[Convert], list[str]]) -> None:
    def fail(image: Image) -> np.ndarray:
        if image.height == 1:
            return reversed_colours(image)
        raise RuntimeError("conversion is not possible")

    install(fail)
    with pytest.raises(InputError, match="/image: cv_bridge cannot convert mono8: conversion is not possible"):
        image_from_message(message("mono8"), "/image")


def test_one_that_cannot_be_imported_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A module built for NumPy 1 raises AttributeError under NumPy 2."""
    module = ModuleType("cv_bridge")
    module.__getattr__ = lambda name: 1 / 0  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    assert image_from_message(message("bgr8"), "/image").shape == (HEIGHT, WIDTH, 3)
    assert "cv_bridge is there but cannot be used" in caplog.text


def test_one_that_converts_wrongly_is_not_used(
    install: Callable[[Convert], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    install(lambda image: np.zeros((image.height, image.width, 3), np.uint8))
    assert cv_bridge_converter() is None
    assert "converts wrongly" in caplog.text


@pytest.mark.skipif(find_spec("cv_bridge") is None, reason="cv_bridge comes with a ROS installation")
@pytest.mark.parametrize("encoding", BRIDGED)
def test_the_real_one_gives_what_we_give(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = message(encoding)
    bridged = image_from_message(made, "/image")
    monkeypatch.setattr("smplerx_ros.ros.conversions.image.cv_bridge_converter", lambda: None)
    np.testing.assert_array_equal(bridged, image_from_message(made, "/image"))
