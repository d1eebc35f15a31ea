"""Detectors from files: what they are fed, which class and which images, and unusable files are named."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from smplerx_ros.config.options import Options
from smplerx_ros.detection.onnx import OnnxDetector
from smplerx_ros.errors import ConfigError, InputError, ModelFileError
from smplerx_ros.pipeline.loading import load_detector
from smplerx_ros.runtime.onnx import OnnxNetwork
from support.detectors import (
    PERSON,
    SCORE,
    SIDE,
    WIDE,
    centre,
    logit,
    stretch,
    write,
    written,
    xywh,
    yolov8,
    yolox,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "detector.onnx"


def test_boxes_return_from_tall_images_too(file: Path) -> None:
    tall = np.zeros((200, 100, 3), np.uint8)
    write(file, {"output0": yolov8(0)["output0"]})
    (box,) = OnnxDetector(file).detect([tall])[0]
    in_input = centre(PERSON)  # 16..32, 24..40
    expected = (in_input - [16, 0, 16, 0]) / 0.32
    np.testing.assert_allclose(box.xyxy, expected.clip(0, [100, 200, 100, 200]), atol=0.01)


def _fed(monkeypatch: pytest.MonkeyPatch, detector: OnnxDetector, image: NDArray[np.uint8]) -> NDArray[Any]:
    fed = []
    run = OnnxNetwork.run
    monkeypatch.setattr(OnnxNetwork, "run", lambda self, inputs: (fed.append(inputs), run(self, inputs))[1])
    detector.detect([image])
    return fed[0]["images"][0]


@pytest.mark.parametrize(
    ("family", "pixel", "border"),
    [
        ("yolox", [30, 60, 120], 114),
        ("yolov5", [120 / 255, 60 / 255, 30 / 255], 114 / 255),
        ("yolov8", [120 / 255, 60 / 255, 30 / 255], 114 / 255),
        ("detr", [120 / 255, 60 / 255, 30 / 255], None),
        (
            "rfdetr",
            [(120 / 255 - 0.485) / 0.229, (60 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225],
            None,
        ),
    ],
)
def test_images_have_the_form_of_the_family(
    file: Path, monkeypatch: pytest.MonkeyPatch, family: str, pixel: list[float], border: float | None
) -> None:
    image = np.tile(np.array([120, 60, 30], np.uint8), (100, 200, 1))
    detector = OnnxDetector(written(file, family, 0))
    fed = _fed(monkeypatch, detector, image)
    assert fed.dtype == np.float32
    bottom = fed[:, -1, 32]
    np.testing.assert_allclose(fed[:, 20, 32], pixel, atol=1e-5)
    np.testing.assert_allclose(bottom, pixel if border is None else [border] * 3, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "type", "dtype"),
    [
        ((1, SIDE, SIDE, 3), TensorProto.FLOAT, np.float32),
        ((1, SIDE, SIDE, 3), TensorProto.UINT8, np.uint8),
        ((1, 3, SIDE, SIDE), TensorProto.FLOAT16, np.float16),
        ((1, 3, SIDE, SIDE), TensorProto.UINT8, np.uint8),
    ],
)
def test_input_layouts_and_types(
    file: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], type: int, dtype: Any
) -> None:
    detector = OnnxDetector(write(file, yolov8(0), shape=shape, type=type))
    fed = _fed(monkeypatch, detector, WIDE)
    assert fed.shape == shape[1:]
    assert fed.dtype == dtype
    assert fed.max() == pytest.approx(114 if dtype == np.uint8 else 114 / 255, abs=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 4, "batch"])
def test_images_of_any_number(file: Path, batch: int | str) -> None:
    detector = OnnxDetector(write(file, yolov8(0), shape=(batch, 3, SIDE, SIDE)))
    square = np.zeros((64, 64, 3), np.uint8)
    answers = detector.detect([WIDE, square, WIDE])
    assert [len(boxes) for boxes in answers] == [1, 1, 1]
    np.testing.assert_allclose(answers[0][0].xyxy, PERSON, atol=0.01)
    np.testing.assert_allclose(answers[1][0].xyxy, centre(PERSON), atol=0.01)
    assert answers[2] == answers[0]
    assert detector.detect([]) == []


def test_a_free_input_size_is_640(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.zeros((300, 6))
    rows[0] = [10, 150, 110, 250, 0.9, 0]  # 640 x 320 from row 160 on
    detector = OnnxDetector(write(file, {"output0": rows}, shape=("batch", 3, "height", "width")))
    (box,) = detector.detect([np.zeros((320, 640, 3), np.uint8)])[0]
    np.testing.assert_allclose(box.xyxy, [10, 0, 110, 90])
    assert _fed(monkeypatch, detector, WIDE).shape == (3, 640, 640)


def test_classes_by_the_names_in_the_file(file: Path) -> None:
    write(file, yolov8(2), names="{0: 'dog', 1: 'cat', 2: 'person'}")
    assert len(OnnxDetector(file).detect([WIDE])[0]) == 1
    assert len(OnnxDetector(file, person="dog").detect([WIDE])[0]) == 0
    with pytest.raises(ConfigError, match=r"detection.class.*'horse'.*cat"):
        OnnxDetector(file, person="horse")
    write(file, yolov8(2), names="{0: 'dog', 1: 'cat', 2: 'pedestrian'}")
    with pytest.raises(ConfigError, match=r"detection.class.*'person'.*pedestrian"):
        OnnxDetector(file)
    write(file, yolov8(0), names="no dictionary")
    assert len(OnnxDetector(file).detect([WIDE])[0]) == 1


@pytest.mark.parametrize(
    "names",
    [
        "['dog', 'cat', 'person']",
        '["dog", "cat", "person"]',
        '{"0": "dog", "1": "cat", "2": "person"}',
        "{'dog': 0, 'cat': 1, 'person': 2}",
    ],
)
def test_names_of_classes_in_other_notations(file: Path, names: str) -> None:
    assert len(OnnxDetector(write(file, yolov8(2), names=names)).detect([WIDE])[0]) == 1


def test_names_that_cannot_be_read_are_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    OnnxDetector(write(file, yolov8(0), names="dog and person"))
    assert "names of its classes cannot be parsed: 'dog and person'" in caplog.text


def test_a_guessed_class_is_said(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    OnnxDetector(write(file, yolov8(0)))  # 3 classes without names
    assert "3 classes without names" in caplog.text
    assert "detection.class" in caplog.text
    caplog.clear()
    OnnxDetector(file, person="0")
    OnnxDetector(write(file, yolov8(0), names="{0: 'person', 1: 'dog', 2: 'cat'}"))
    assert "without names" not in caplog.text


def test_a_person_is_class_1_of_91(file: Path) -> None:
    logits = np.full((50, 91), -9.0)
    logits[0, 1] = logit(SCORE)
    outputs = {"dets": np.tile(xywh(stretch(PERSON)) / SIDE, (50, 1)), "labels": logits}
    assert len(OnnxDetector(write(file, outputs)).detect([WIDE])[0]) == 1


@pytest.mark.parametrize("person", ["3", "80", "-1", "1.5", "nobody"])
def test_a_wrong_class_names_parameter_and_file(file: Path, person: str) -> None:
    write(file, yolox(0))
    with pytest.raises(ConfigError, match=rf"detection.class.*{person}.*detector\.onnx.*3 classes"):
        OnnxDetector(file, person=person)


def test_rows_that_are_no_boxes_are_dropped(file: Path) -> None:
    rows = np.zeros((300, 6))
    rows[:6] = [
        [np.nan, 0, 30, 40, 0.9, 0],
        [30, 20, 10, 40, 0.9, 0],
        [0, 0, 0, 0, 0.9, 0],
        [0, 0, 60, 10, 0.9, 0],  # beside the image: the border above it
        [0, 20, 60, 40, np.inf, 0],
        [*centre(PERSON), SCORE, 0],
    ]
    (box,) = OnnxDetector(write(file, {"output0": rows})).detect([WIDE])[0]
    np.testing.assert_allclose(box.xyxy, PERSON, atol=0.01)


def test_files_that_are_no_detectors_are_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"detection.model.*missing\.onnx.*no such file"):
        OnnxDetector(tmp_path / "missing.onnx")
    content = write(file, yolox(0)).read_bytes()
    for wrong in (b"", b"not a network", content[: len(content) // 2]):
        file.write_bytes(wrong)
        with pytest.raises(ModelFileError, match=r"detection.model.*detector\.onnx"):
            OnnxDetector(file)
    write(file, {"probabilities": np.zeros(1000)})
    with pytest.raises(ModelFileError, match=r"detection.model.*detector\.onnx.*probabilities.*detection.format"):
        OnnxDetector(file)
    write(file, yolox(0), shape=(1, 1, SIDE, SIDE))
    with pytest.raises(ModelFileError, match=r"detection.model.*detector\.onnx.*images.*one image"):
        OnnxDetector(file)


def test_the_packages_own_networks_are_no_detectors() -> None:
    assets = Path(str(files("smplerx_ros"))) / "assets"
    for name in ("movenet_multipose.onnx", "hand.onnx", "blendshapes.onnx"):
        with pytest.raises(ModelFileError, match=f"detection.model.*{name}"):
            OnnxDetector(assets / name)


def test_a_wrong_format_names_the_parameter(file: Path) -> None:
    write(file, yolov8(0))
    with pytest.raises(ConfigError, match=r"detection.format.*'yolov5'.*detector\.onnx.*output0"):
        OnnxDetector(file, format="yolov5")
    with pytest.raises(ConfigError, match=r"detection.format.*'yolo'.*yolox"):
        OnnxDetector(file, format="yolo")


def test_wrong_images_are_named(file: Path) -> None:
    detector = OnnxDetector(write(file, yolov8(0)))
    with pytest.raises(InputError, match="detector"):
        detector.detect([np.zeros((4, 4), np.uint8)])


def test_loaded_by_parameters(file: Path) -> None:
    write(file, yolov8(2))
    values = {"detector": "onnx", "detection.model": str(file), "detection.class": "2", "detection.threshold": 0.7}
    detector = load_detector(Options.from_config(values | {"device": "cpu"}))
    assert isinstance(detector, OnnxDetector)
    assert detector.threshold == 0.7
    assert len(detector.detect([WIDE])[0]) == 1
    detector.threshold = 0.9  # live
    assert detector.detect([WIDE]) == [[]]
    with pytest.raises(ConfigError, match=r"detection.model.*needs the path"):
        load_detector(Options(detector="onnx"))
    with pytest.raises(ConfigError, match=r"detection.model.*takes no file"):
        load_detector(Options(detector="builtin", detection_model=str(file)))
    assert load_detector(Options(detector="topic")) is None
