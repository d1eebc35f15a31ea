"""Which format a file has: each family's answer becomes the box that it means, and what nothing tells is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from smplerx_ros.config.table import PARAMETERS
from smplerx_ros.detection.formats import FORMATS
from smplerx_ros.detection.onnx import OnnxDetector
from smplerx_ros.errors import ConfigError, ModelFileError
from support.detectors import (
    FAMILIES,
    PERSON,
    SCORE,
    SIDE,
    WIDE,
    Outputs,
    centre,
    corner,
    label_xyxy_score,
    one_hot,
    stretch,
    torchvision,
    write,
    written,
    xywh,
    yolov8,
    yolov10,
    yolox_nms,
)

# Formats whose graphs answer like another one's: their tests stand below.
ALIKE = {"rtmdet", "label_xyxy_score_bgr"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "detector.onnx"


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_person_and_nobody_else(file: Path, family: str, index: int) -> None:
    _, name = FAMILIES[family]
    written(file, family, index)
    detector = OnnxDetector(file, person=str(index))
    assert detector.format == name
    (box,) = detector.detect([WIDE])[0]
    np.testing.assert_allclose(box.xyxy, PERSON, atol=0.01)
    assert box.score == pytest.approx(SCORE, abs=1e-6)
    assert OnnxDetector(file, person=str(index), format=name).detect([WIDE])[0] == [box]
    assert OnnxDetector(file, person="1").detect([WIDE]) == [[]]  # the class of nobody here
    assert OnnxDetector(file, person=str(index), threshold=0.85).detect([WIDE]) == [[]]


def test_every_format_is_tested_and_offered() -> None:
    assert {name for _, name in FAMILIES.values()} | ALIKE == set(FORMATS)
    (offered,) = (parameter.choices for parameter in PARAMETERS if parameter.name == "detection.format")
    assert set(offered or ()) == {"auto", *FORMATS}


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_answers_are_read_in_single(file: Path, family: str) -> None:
    _, name = FAMILIES[family]
    detector = OnnxDetector(written(file, family, 0, half=True), person="0")
    assert detector.format == name
    (box,) = detector.detect([WIDE])[0]
    np.testing.assert_allclose(box.xyxy, PERSON, atol=0.2)


@pytest.mark.parametrize("family", FAMILIES)
def test_many_images_of_a_free_batch(file: Path, family: str) -> None:
    detector = OnnxDetector(written(file, family, 0, shape=("N", 3, SIDE, SIDE)), person="0")
    answers = detector.detect([WIDE, WIDE, WIDE])
    assert [len(boxes) for boxes in answers] == [1, 1, 1]


@pytest.mark.parametrize("family", ["yolov10", "label_xyxy_score", "yolox_nms", "torchvision", "torchvision_unnamed"])
def test_rows_that_come_only_where_somebody_is(file: Path, family: str) -> None:
    _, name = FAMILIES[family]
    detector = OnnxDetector(written(file, family, 0, only_where_seen=True), person="0")
    assert detector.format == name
    (box,) = detector.detect([WIDE])[0]
    np.testing.assert_allclose(box.xyxy, PERSON, atol=0.01)


def _nothing(columns: int = 6) -> Outputs:
    return {"output0": np.zeros((0, columns))}


def test_rows_that_never_came_do_not_tell_their_columns(file: Path) -> None:
    write(file, _nothing())
    with pytest.raises(ModelFileError, match=r"detection.model.*output0 \[1, 0, 6\].*detection.format.*yolov10"):
        OnnxDetector(file)
    for name in ("yolov10", "label_xyxy_score", "detr_rows"):
        assert OnnxDetector(file, format=name).detect([WIDE]) == [[]]


def test_rows_that_never_came_but_have_names(file: Path) -> None:
    assert OnnxDetector(write(file, _nothing(), names="{0: 'person'}")).format == "yolov10"
    rows = {"label_xyxy_score": np.zeros((0, 6))}
    assert OnnxDetector(write(file, rows)).format == "label_xyxy_score"
    assert OnnxDetector(write(file, rows, image="input_bgr")).format == "label_xyxy_score_bgr"


def test_rows_filled_up_with_zeros_are_pixels(file: Path) -> None:
    assert OnnxDetector(write(file, {"output0": np.zeros((300, 6))})).format == "yolov10"


def _rows(*columns: float, name: str = "output0") -> Outputs:
    rows = np.zeros((20, 6))
    rows[3] = columns
    return {name: rows}


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (_rows(*centre(PERSON), 0.0, SCORE), "column 5 is not a class"),
        (_rows(*centre(PERSON), 80.0, 0.0), "column 4 is not a score"),
        (_rows(0.0, *corner(PERSON), SCORE), "columns 1 to 4 are not normalized"),
        (_rows(*(stretch(PERSON) / SIDE), SCORE, 0.0), "two corners"),
        ({"output": np.array([[0, *corner(PERSON), 0, SCORE]])}, r"output \[1, 1, 7\]"),
        ({"output": np.ones((3, 8, 8, 85))}, r"output \[1, 3, 8, 8, 85\]"),
        ({"boxes": np.zeros((84, 4)), "scores": np.zeros((84, 3))}, r"boxes \[1, 84, 4\], scores \[1, 84, 3\]"),
    ],
)
def test_layouts_that_are_not_known_are_refused_with_the_reason(file: Path, outputs: Outputs, reason: str) -> None:
    write(file, outputs)
    with pytest.raises(ModelFileError, match=rf"detection.model.*{next(iter(outputs))} \[.*detection.format"):
        OnnxDetector(file)
    with pytest.raises(ModelFileError, match=reason):
        OnnxDetector(file)


def test_a_head_of_two_classes_or_of_one_and_objectness(file: Path) -> None:
    """(cells, 6): values tell, then the output's name; without either it is refused."""
    rows = np.zeros((84, 6))
    rows[:, :4] = [32, 32, 8, 9]
    write(file, {"predictions": rows})
    with pytest.raises(ModelFileError, match=r"predictions \[1, 84, 6\].*detection.format.*yolox.*yolov8"):
        OnnxDetector(file)
    for name, format in (("output", "yolox"), ("output0", "yolov8")):
        assert OnnxDetector(write(file, {name: rows})).format == format
    assert OnnxDetector(write(file, {"output": rows}, names="{0: 'dog', 1: 'person'}")).format == "yolov8"
    assert OnnxDetector(write(file, {"predictions": rows}), format="yolov8").format == "yolov8"
    rows[5] = [*xywh(centre(PERSON)), SCORE, 0.02]
    assert OnnxDetector(write(file, {"output": rows})).format == "yolov8"
    rows[5] = [*xywh(centre(PERSON)), 0.9, 0.9]
    assert OnnxDetector(write(file, {"output0": rows})).format == "yolox"


def _with(outputs: Outputs, name: str, change: Any) -> Outputs:
    return {**outputs, name: change(outputs[name])}


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        # logits instead of scores
        (_with(yolov8(0), "output0", lambda rows: np.where(rows == 0, -9.0, rows)), r"scores would be -9"),
        # shares of the image instead of pixels
        (_with(yolov8(0), "output0", lambda rows: rows / [[SIDE]] * 4 + 0.0), "no box is larger"),
        # width and height instead of second corners, and in three of four rows
        (
            {
                "det_boxes": np.tile([40.0, 40.0, 16.0, 16.0], (4, 1)),
                "det_scores": np.full(4, SCORE),
                "det_classes": np.zeros(4, np.int64),
                "num_dets": np.array([4]),
            },
            "second corners would lie before",
        ),
        (
            {
                "boxes": stretch(PERSON)[None] / SIDE,
                "labels": np.array([0]),
                "scores": np.array([SCORE]),
            },
            "normalized coordinates",
        ),
        (
            {
                "boxes": PERSON[None] + 900,
                "labels": np.array([0]),
                "scores": np.array([SCORE]),
            },
            "far outside",
        ),
    ],
)
def test_answers_that_cannot_be_boxes_are_refused(file: Path, outputs: Outputs, reason: str) -> None:
    write(file, outputs)
    with pytest.raises(ModelFileError, match=rf"detection.model.*{next(iter(outputs))} \[.*{reason}.*detection.format"):
        OnnxDetector(file)


def test_a_format_chosen_against_the_values_is_refused(file: Path) -> None:
    write(file, yolov10(0))
    with pytest.raises(ConfigError, match=r"detection.format.*'label_xyxy_score'.*output0.*columns 1 to 4"):
        OnnxDetector(file, format="label_xyxy_score")
    write(file, label_xyxy_score(0))
    with pytest.raises(ConfigError, match=r"detection.format.*'yolov10'.*label_xyxy_score \[1, 1250, 6\]"):
        OnnxDetector(file, format="yolov10")


def test_answers_that_turn_out_to_be_no_boxes_are_dropped_and_logged_once(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come for the first time while it runs, in another order than the chosen one."""
    detector = OnnxDetector(write(file, _nothing()), format="yolov10")
    caplog.clear()
    swapped = {"output0": np.array([[[0.0, *(stretch(PERSON) / SIDE), SCORE]]], np.float32)}
    monkeypatch.setattr(detector, "_run", lambda feed: swapped)
    with caplog.at_level(logging.WARNING):
        assert [detector.detect([WIDE]) for _ in range(3)] == [[[]]] * 3
    (record,) = caplog.records
    assert "detection.model" in record.message
    assert "'yolov10'" in record.message
    assert "detection.format" in record.message


@pytest.mark.parametrize(
    ("image", "name", "pixel"),
    [
        ("images", "label_xyxy_score", [120 / 255, 60 / 255, 30 / 255]),
        ("input_bgr", "label_xyxy_score_bgr", [30, 60, 120]),
    ],
)
def test_the_inputs_name_tells_the_colours_order(
    file: Path, monkeypatch: pytest.MonkeyPatch, image: str, name: str, pixel: list[float]
) -> None:
    detector = OnnxDetector(write(file, label_xyxy_score(0), image=image))
    assert detector.format == name
    fed = []
    run = detector._run
    monkeypatch.setattr(detector, "_run", lambda feed: (fed.append(feed), run(feed))[1])
    (box,) = detector.detect([np.tile(np.array([120, 60, 30], np.uint8), (100, 200, 1))])[0]
    np.testing.assert_allclose(fed[0][image][0, :, 32, 32], pixel, atol=1e-5)
    np.testing.assert_allclose(box.xyxy, PERSON, atol=0.01)
    assert OnnxDetector(file, format="label_xyxy_score_bgr").format == "label_xyxy_score_bgr"


def test_a_person_is_1_in_torchvision_and_0_where_0_is_answered(file: Path) -> None:
    assert len(OnnxDetector(write(file, torchvision(1), batched=False)).detect([WIDE])[0]) == 1
    assert len(OnnxDetector(write(file, torchvision(0), batched=False)).detect([WIDE])[0]) == 1


@pytest.mark.parametrize(("family", "index"), [("yolos", 1), ("detr_authors", 1), ("tensorflow", 1), ("yolov6", 0)])
def test_which_class_is_a_person_without_names(file: Path, family: str, index: int) -> None:
    assert len(OnnxDetector(written(file, family, index)).detect([WIDE])[0]) == 1


def test_a_mask_of_all_pixels_where_the_graph_asks_for_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = OnnxDetector(written(file, "yolos", 1, beside={"pixel_mask": (64, 64)}))
    fed = []
    run = detector._run
    monkeypatch.setattr(detector, "_run", lambda feed: (fed.append(feed), run(feed))[1])
    assert len(detector.detect([WIDE])[0]) == 1
    np.testing.assert_array_equal(fed[0]["pixel_mask"], np.ones((1, 64, 64)))


def test_one_image_a_run_where_the_answer_is_for_one(file: Path) -> None:
    """A free batch in, and rows of the first image out."""
    rows = np.zeros((1, 300, 6))
    rows[0, 0] = [*centre(PERSON), SCORE, 0]
    write(file, {"output0": rows}, shape=("N", 3, SIDE, SIDE), batched=False)
    answers = OnnxDetector(file).detect([WIDE, WIDE, WIDE])
    assert [len(boxes) for boxes in answers] == [1, 1, 1]


def test_a_fixed_batch_with_answers_for_fewer_is_refused(file: Path) -> None:
    rows = np.zeros((1, 300, 6))
    rows[0, 0] = [*centre(PERSON), SCORE, 0]
    write(file, {"output0": rows}, shape=(4, 3, SIDE, SIDE), batched=False)
    with pytest.raises(ModelFileError, match=r"output0 \[1, 300, 6\].*outputs for 1 images of 4"):
        OnnxDetector(file)


def _sees_labelled(path: Path, mean: float) -> Path:
    """A row `label_xyxy_score` that is sure where its input's values are more than `mean`."""
    rows = label_xyxy_score(0)["label_xyxy_score"][None, 9:10].astype(np.float32)
    constants = [
        numpy_helper.from_array(np.float32(mean), "limit"),
        numpy_helper.from_array(rows, "sure"),
        numpy_helper.from_array((rows * [1, 1, 1, 1, 1, 0.1]).astype(np.float32), "unsure"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "limit"], ["right"]),
        helper.make_node("Where", ["right", "sure", "unsure"], ["label_xyxy_score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sees bright images",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIDE, SIDE))],
        [helper.make_tensor_value_info("label_xyxy_score", TensorProto.FLOAT, (1, 1, 6))],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_the_picture_tells_which_values_are_wanted_where_no_name_does(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert OnnxDetector(_sees_labelled(file, 10.0)).format == "label_xyxy_score_bgr"
    assert "label_xyxy_score_bgr, not as label_xyxy_score" in caplog.text
    assert OnnxDetector(_sees_labelled(file, 0.1)).format == "label_xyxy_score"


def _brighter_than(path: Path, mean: float, *, less: bool) -> Path:
    """A detector whose score is SCORE where its input's values are less or more than `mean`, and else a tenth."""
    outputs = yolox_nms(0)
    constants = [
        numpy_helper.from_array(np.float32(mean), "limit"),
        numpy_helper.from_array(outputs["dets"][None, :1].astype(np.float32), "sure"),
        numpy_helper.from_array((outputs["dets"][None, :1] * [1, 1, 1, 1, 0.1]).astype(np.float32), "unsure"),
        numpy_helper.from_array(np.zeros((1, 1), np.int64), "labels"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Less" if less else "Greater", ["mean", "limit"], ["right"]),
        helper.make_node("Where", ["right", "sure", "unsure"], ["dets"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sees some images",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIDE, SIDE))],
        [
            helper.make_tensor_value_info("dets", TensorProto.FLOAT, (1, 1, 5)),
            helper.make_tensor_value_info("labels", TensorProto.INT64, (1, 1)),
        ],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


@pytest.mark.parametrize(("less", "name"), [(True, "rtmdet"), (False, "yolox_nms")])
def test_the_picture_tells_formats_of_the_same_answer(file: Path, less: bool, name: str) -> None:
    detector = OnnxDetector(_brighter_than(file, 10.0, less=less))
    assert detector.format == name
    (box,) = detector.detect([np.full((100, 200, 3), 90, np.uint8)])[0]
    assert box.score == pytest.approx(SCORE)


def test_where_the_picture_does_not_tell_the_likelier_is_taken(file: Path) -> None:
    assert OnnxDetector(written(file, "yolox_nms", 0)).format == "yolox_nms"
    assert OnnxDetector(file, format="rtmdet").format == "rtmdet"


def test_rtmdet_is_fed_bgr_without_mean_and_deviation(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = OnnxDetector(written(file, "yolox_nms", 0), format="rtmdet")
    fed = []
    run = detector._run
    monkeypatch.setattr(detector, "_run", lambda feed: (fed.append(feed), run(feed))[1])
    detector.detect([np.tile(np.array([120, 60, 30], np.uint8), (100, 200, 1))])
    expected = (np.array([30, 60, 120]) - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395]
    np.testing.assert_allclose(fed[0]["images"][0, :, 10, 10], expected, atol=1e-4)


def test_softmax_or_sigmoid_by_what_most_queries_say(file: Path) -> None:
    """Three logits: two classes and none, or three classes of which the last is the least unlikely."""
    boxes = np.tile(xywh(stretch(PERSON)) / SIDE, (50, 1))
    logits = np.tile([-6.0, -6.0, -4.0], (50, 1))
    assert OnnxDetector(write(file, {"logits": logits, "pred_boxes": boxes})).format == "detr_logits"
    logits[:, 2] = 4
    assert OnnxDetector(write(file, {"logits": logits, "pred_boxes": boxes})).format == "detr_softmax"


def test_yolox_over_all_cells_is_sure_of_few(file: Path) -> None:
    """Decoded, one row that is sure, and zeros: YOLOX by its output's name, YOLOv6 by its."""
    rows = np.zeros((84, 8))
    rows[7] = [*xywh(corner(PERSON)), 1.0, *one_hot(0, 3, SCORE)]
    assert OnnxDetector(write(file, {"output": rows})).format == "yolox"
    assert OnnxDetector(write(file, {"outputs": rows})).format == "yolov6"


def test_who_sees_no_person_in_a_picture_of_people_is_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    OnnxDetector(written(file, "yolov10", 0))
    assert "detects no person" not in caplog.text
    OnnxDetector(written(file, "yolov10", 1))  # and class 1 with 0.95, the first one by nobody
    (record,) = [record for record in caplog.records if "detects no person" in record.message]
    for part in ("detector.onnx", "'yolov10'", "(class 0)", "class 1 0.95", "detection.class", "detection.format"):
        assert part in record.message
    caplog.clear()
    OnnxDetector(write(file, {"output0": np.zeros((300, 6))}))
    assert "no class at all" in caplog.text


def test_a_scale_in_which_a_person_is_seen_is_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    OnnxDetector(_brighter_than(file, 10.0, less=True), format="yolox_nms")
    assert "a person 0.80 with values of 0..1" in caplog.text
    caplog.clear()
    OnnxDetector(_brighter_than(file, 10.0, less=False), format="yolox_nms")
    assert "detects no person" not in caplog.text


def _tensorflow(boxes: Any, classes: Any) -> Outputs:
    return {
        "detection_boxes": np.array(boxes),
        "detection_classes": np.array(classes, np.float64),
        "detection_scores": np.full(len(classes), SCORE),
    }


def test_boxes_of_other_classes_must_be_boxes_too(file: Path) -> None:
    """Pixels under names that mean shares, and nothing of the chosen class."""
    write(file, _tensorflow([stretch(PERSON), stretch(PERSON)], [7, 3]))
    with pytest.raises(ModelFileError, match=r"detection_boxes.*far outside"):
        OnnxDetector(file)


def test_a_person_is_0_in_tensorflow_where_0_is_answered(file: Path) -> None:
    share = stretch(PERSON)[[1, 0, 3, 2]] / SIDE
    (box,) = OnnxDetector(write(file, _tensorflow([share, share], [0, 2]))).detect([WIDE])[0]
    np.testing.assert_allclose(box.xyxy, PERSON, atol=0.01)


@pytest.mark.parametrize("columns", [6, 84, 85])
@pytest.mark.parametrize("across", [False, True])
def test_a_box_of_two_corners_a_cell_is_refused(file: Path, columns: int, across: bool) -> None:
    rows = np.zeros((21, columns))  # of 32 pixels a side
    rows[:, :4] = [10, 12, 18, 20]
    rows[3, :6] = [4, 4, 20, 30, SCORE, 0]
    write(file, {"output": rows.T if across else rows}, shape=(1, 3, 32, 32))
    with pytest.raises(ModelFileError, match=r"output \[1, .*two corners"):
        OnnxDetector(file)


@pytest.mark.parametrize("family", ["detr_logits", "rfdetr"])
def test_queries_with_scores_or_corners_are_refused(file: Path, family: str) -> None:
    """A sigmoid of scores is at least 0.5: everything would be a person."""
    boxes, logits = (next(name for name in FAMILIES[family][0](0) if name in names) for names in _QUERIES)
    answer = FAMILIES[family][0](0)
    scores = _with(answer, logits, lambda values: 1 / (1 + np.exp(-values)))
    with pytest.raises(ModelFileError, match="scores, not logits"):
        OnnxDetector(write(file, scores))
    edges = answer[boxes].copy()
    edges[:] = [0.1, 0.1, 0.3, 0.4]
    edges[4] = [0.2, 0.3, 0.5, 0.9]
    with pytest.raises(ModelFileError, match=f"{boxes} are two corners"):
        OnnxDetector(write(file, answer | {boxes: edges}))


_QUERIES = (("pred_boxes", "dets"), ("logits", "labels"))
