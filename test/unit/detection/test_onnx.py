"""Detectors from files: each family's answer becomes the box that it means, and unusable files are named.

The networks are graphs made here, whose answer is constant and known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from smplerx_ros.config import PARAMETERS, validate
from smplerx_ros.detection import load_detector
from smplerx_ros.detection.formats import FORMATS
from smplerx_ros.detection.onnx import OnnxDetector
from smplerx_ros.errors import ConfigError, InputError, ModelFileError
from smplerx_ros.runtime.onnx import OnnxNetwork

SIDE = 64  # of the networks' input: 64 + 16 + 4 cells
CELLS = 84
WIDE = np.full((100, 200, 3), 90, np.uint8)  # 64 x 32 in the networks' input
# The box that every network means, in the image WIDE, and the class of it.
PERSON = np.array([50.0, 25.0, 100.0, 75.0])
SCORE = 0.8
Outputs = dict[str, NDArray[Any]]


def corner(box: NDArray[Any]) -> NDArray[Any]:
    return box * 0.32


def centre(box: NDArray[Any]) -> NDArray[Any]:
    return box * 0.32 + [0, 16, 0, 16]


def stretch(box: NDArray[Any]) -> NDArray[Any]:
    return box * [0.32, 0.64, 0.32, 0.64]


def xywh(box: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])


def one_hot(index: int, classes: int, value: float = 1.0) -> NDArray[Any]:
    scores = np.zeros(classes)
    scores[index] = value
    return scores


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def yolox(index: int) -> Outputs:
    """Cell (3, 2) of the grid of 8 px, and a double with less score from its neighbour."""
    rows = np.zeros((CELLS, 5 + 3))
    x, y, width, height = xywh(corner(PERSON))
    for column, objectness in ((3, SCORE), (2, 0.6)):
        offsets = x / 8 - column, y / 8 - 2, np.log(width / 8), np.log(height / 8)
        rows[2 * 8 + column] = [*offsets, objectness, *one_hot(index, 3)]
    return {"output": rows}


def yolox_decoded(index: int) -> Outputs:
    rows = np.zeros((CELLS, 5 + 3))
    rows[:, :4] = [32, 32, 8, 8]
    rows[7] = [*xywh(corner(PERSON)), 1.0, *one_hot(index, 3, SCORE)]
    return {"output": rows}


def yolox_nms(index: int) -> Outputs:
    return {"dets": np.array([[*corner(PERSON), SCORE], [0, 0, 9, 9, 0.9]]), "labels": np.array([index, 2 - index])}


def yolov5(index: int) -> Outputs:
    rows = np.zeros((3 * CELLS, 5 + 3))
    rows[5] = rows[6] = [*xywh(centre(PERSON)), SCORE, *one_hot(index, 3)]
    return {"output0": rows}


def yolov8(index: int) -> Outputs:
    rows = np.zeros((CELLS, 4 + 3))
    rows[5] = rows[6] = [*xywh(centre(PERSON)), *one_hot(index, 3, SCORE)]
    return {"output0": rows.T}


def yolov8_seg(index: int) -> Outputs:
    coefficients = np.full((5, CELLS), 9.0)
    return {"output0": np.concatenate([yolov8(index)["output0"], coefficients]), "output1": np.ones((5, 16, 16))}


def yolov10(index: int) -> Outputs:
    rows = np.zeros((300, 6))
    rows[0] = [*centre(PERSON), SCORE, index]
    rows[1] = [0, 0, 60, 60, 0.95, 2 - index]
    return {"output0": rows}


def detr(index: int) -> Outputs:
    boxes = np.array([stretch(PERSON), [0, 0, 60, 60]])
    return {"labels": np.array([index, 2 - index]), "boxes": boxes, "scores": np.array([SCORE, 0.95])}


def detr_logits(index: int) -> Outputs:
    logits = np.full((50, 3), -9.0)
    logits[4, index], logits[5, 2 - index] = logit(SCORE), logit(0.95)
    return {"logits": logits, "pred_boxes": np.tile(xywh(stretch(PERSON)) / SIDE, (50, 1))}


def rfdetr(index: int) -> Outputs:
    answer = detr_logits(index)
    return {"dets": answer["pred_boxes"], "labels": answer["logits"]}


def detr_rows(index: int) -> Outputs:
    rows = np.zeros((300, 4 + 3))
    rows[:, :4] = 0.1
    rows[9] = [*xywh(stretch(PERSON)) / SIDE, *one_hot(index, 3, SCORE)]
    return {"output0": rows}


def detr_best_rows(index: int) -> Outputs:
    rows = np.full((300, 6), 0.1)
    rows[9] = [*xywh(stretch(PERSON)) / SIDE, SCORE, index]
    rows[8] = [0.5, 0.5, 0.5, 0.5, 0.95, 2 - index]
    return {"output0": rows}


FAMILIES: dict[str, tuple[Callable[[int], Outputs], str]] = {
    "yolox": (yolox, "yolox"),
    "yolox_decoded": (yolox_decoded, "yolox"),
    "yolox_nms": (yolox_nms, "yolox_nms"),
    "yolov5": (yolov5, "yolov5"),
    "yolov8": (yolov8, "yolov8"),
    "yolov8_seg": (yolov8_seg, "yolov8"),
    "yolov10": (yolov10, "yolov10"),
    "detr": (detr, "detr"),
    "detr_logits": (detr_logits, "detr_logits"),
    "rfdetr": (rfdetr, "rfdetr"),
    "detr_rows": (detr_rows, "detr_rows"),
    "detr_best_rows": (detr_best_rows, "detr_rows"),
}


def write(
    path: Path,
    outputs: Mapping[str, NDArray[Any]],
    *,
    shape: tuple[int | str, ...] = (1, 3, SIDE, SIDE),
    type: int = TensorProto.FLOAT,
    with_sizes: bool = False,
    names: str = "",
) -> Path:
    """A network that answers `outputs` for every image of a batch, whatever it shows."""
    inputs = [helper.make_tensor_value_info("images", type, shape)]
    nodes = [
        helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values"], ["means"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["means", "means"], ["zeros"]),  # (N,)
    ]
    if with_sizes:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, (shape[0], 2)))
    constants, answers = [], []
    for name, value in outputs.items():
        kind = TensorProto.INT64 if value.dtype == np.int64 else TensorProto.FLOAT
        constants.append(numpy_helper.from_array(value[None].astype(np.float32), f"{name}_value"))
        constants.append(numpy_helper.from_array(np.array([-1] + [1] * value.ndim), f"{name}_shape"))
        nodes.append(helper.make_node("Reshape", ["zeros", f"{name}_shape"], [f"{name}_zeros"]))
        nodes.append(helper.make_node("Add", [f"{name}_value", f"{name}_zeros"], [f"{name}_float"]))
        nodes.append(helper.make_node("Cast", [f"{name}_float"], [name], to=kind))
        answers.append(helper.make_tensor_value_info(name, kind, [None] * (value.ndim + 1)))
    graph = helper.make_graph(nodes, "known answer", inputs, answers, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if names:
        helper.set_model_props(model, {"names": names})
    onnx.save(model, str(path))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "detector.onnx"


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_person_and_nobody_else(file: Path, family: str, index: int) -> None:
    make, name = FAMILIES[family]
    write(file, make(index), with_sizes=name == "detr")
    detector = OnnxDetector(file, person=str(index))
    assert detector.format == name
    (box,) = detector.detect([WIDE])[0]
    np.testing.assert_allclose(box.xyxy, PERSON, atol=0.01)
    assert box.score == pytest.approx(SCORE, abs=1e-6)
    assert OnnxDetector(file, person=str(index), format=name).detect([WIDE])[0] == [box]
    assert OnnxDetector(file, person="1").detect([WIDE]) == [[]]  # the class of nobody here
    assert OnnxDetector(file, person=str(index), threshold=0.85).detect([WIDE]) == [[]]


def test_every_format_is_tested_and_offered() -> None:
    assert {name for _, name in FAMILIES.values()} == set(FORMATS)
    (offered,) = (parameter.choices for parameter in PARAMETERS if parameter.name == "detector_format")
    assert offered == ("auto", *FORMATS)


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
    detector = OnnxDetector(write(file, FAMILIES[family][0](0), with_sizes=family == "detr"))
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
    with pytest.raises(ConfigError, match=r"detector_class.*'horse'.*cat"):
        OnnxDetector(file, person="horse")
    write(file, yolov8(2), names="{0: 'dog', 1: 'cat', 2: 'pedestrian'}")
    with pytest.raises(ConfigError, match=r"detector_class.*'person'.*pedestrian"):
        OnnxDetector(file)
    write(file, yolov8(0), names="no dictionary")
    assert len(OnnxDetector(file).detect([WIDE])[0]) == 1


def test_a_person_is_class_1_of_91(file: Path) -> None:
    logits = np.full((50, 91), -9.0)
    logits[0, 1] = logit(SCORE)
    outputs = {"dets": np.tile(xywh(stretch(PERSON)) / SIDE, (50, 1)), "labels": logits}
    assert len(OnnxDetector(write(file, outputs)).detect([WIDE])[0]) == 1


@pytest.mark.parametrize("person", ["3", "80", "-1", "1.5", "nobody"])
def test_a_wrong_class_names_parameter_and_file(file: Path, person: str) -> None:
    write(file, yolox(0))
    with pytest.raises(ConfigError, match=rf"detector_class.*{person}.*detector\.onnx.*3 classes"):
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
    with pytest.raises(ModelFileError, match=r"detector_model.*missing\.onnx.*no such file"):
        OnnxDetector(tmp_path / "missing.onnx")
    content = write(file, yolox(0)).read_bytes()
    for wrong in (b"", b"not a network", content[: len(content) // 2]):
        file.write_bytes(wrong)
        with pytest.raises(ModelFileError, match=r"detector_model.*detector\.onnx"):
            OnnxDetector(file)
    write(file, {"probabilities": np.zeros(1000)})
    with pytest.raises(ModelFileError, match=r"detector_model.*detector\.onnx.*probabilities.*detector_format"):
        OnnxDetector(file)
    write(file, yolox(0), shape=(1, 1, SIDE, SIDE))
    with pytest.raises(ModelFileError, match=r"detector_model.*detector\.onnx.*images.*one image"):
        OnnxDetector(file)


def test_the_packages_own_networks_are_no_detectors() -> None:
    assets = Path(__file__).resolve().parents[3] / "smplerx_ros" / "assets"
    for name in ("movenet_multipose.onnx", "hand.onnx", "blendshapes.onnx"):
        with pytest.raises(ModelFileError, match=f"detector_model.*{name}"):
            OnnxDetector(assets / name)


def test_a_wrong_format_names_the_parameter(file: Path) -> None:
    write(file, yolov8(0))
    with pytest.raises(ConfigError, match=r"detector_format.*'yolov5'.*detector\.onnx.*output0"):
        OnnxDetector(file, format="yolov5")
    with pytest.raises(ConfigError, match=r"detector_format.*'yolo'.*yolox"):
        OnnxDetector(file, format="yolo")


def test_wrong_images_are_named(file: Path) -> None:
    detector = OnnxDetector(write(file, yolov8(0)))
    with pytest.raises(InputError, match="detector"):
        detector.detect([np.zeros((4, 4), np.uint8)])


def test_loaded_by_parameters(file: Path) -> None:
    write(file, yolov8(2))
    values = {"detector": "onnx", "detector_model": str(file), "detector_class": "2", "detection_threshold": 0.7}
    detector = load_detector(validate(values | {"device": "cpu"}))
    assert isinstance(detector, OnnxDetector)
    assert detector.threshold == 0.7
    assert len(detector.detect([WIDE])[0]) == 1
    detector.threshold = 0.9  # live
    assert detector.detect([WIDE]) == [[]]
    with pytest.raises(ConfigError, match=r"detector_model.*needs the path"):
        load_detector(validate({"detector": "onnx"}))
    with pytest.raises(ConfigError, match=r"detector_model.*takes no file"):
        load_detector(validate({"detector": "builtin", "detector_model": str(file)}))
    assert load_detector(validate({"detector": "topic"})) is None
