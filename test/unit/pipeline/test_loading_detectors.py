"""Which detectors the estimator gets: one that frames wait for, and one beside the estimation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smplerx_ros.config.options import Options
from smplerx_ros.detection.builtin import BuiltinDetector
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.pipeline.loading import load_detectors

OPTIONS = Options(device="cpu", detection_threshold=0.3)


def threads(detector: object) -> int:
    assert isinstance(detector, BuiltinDetector)
    return int(detector._network._session.get_session_options().intra_op_num_threads)


def test_the_one_beside_has_half_of_the_threads() -> None:
    detector, beside = load_detectors(replace(OPTIONS, threads=4))
    assert (threads(detector), threads(beside)) == (4, 2)
    assert detector.threshold == beside.threshold == 0.3


def test_the_estimator_has_both() -> None:
    with Estimator.from_config({"device": "cpu", "threads": 2}) as estimator:
        runner = estimator._identification._detection
        assert (threads(runner._detector), threads(runner._background_detector)) == (2, 1)


def test_half_of_all_cores_where_nobody_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    detector, beside = load_detectors(OPTIONS)
    assert (threads(detector), threads(beside)) == (0, 3)  # 0: ONNX Runtime's choice, all cores


def test_one_thread_and_other_devices_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, beside = load_detectors(replace(OPTIONS, threads=1))
    assert detector is beside
    monkeypatch.setattr(BuiltinDetector, "provider", "CUDAExecutionProvider")
    detector, beside = load_detectors(replace(OPTIONS, threads=4))
    assert detector is beside


def test_none_where_boxes_come_with_the_frames() -> None:
    assert load_detectors(Options(detector="topic")) == (None, None)
