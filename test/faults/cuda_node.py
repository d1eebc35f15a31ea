"""The node with a network on an accelerator that fails as CUDA does, as a script; what it does stands in a file.

The file named by DEVICE_STATE: `ok`; `room <n>`, batches above n fail for want of memory; `lost`, all of them fail.
Instead of a file DETECTION_HANGS: then it is the detection beside the estimation that never returns.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from faulty_node import HANG_S

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.backbones.smpler_x.estimation import NetworkBackbone
from smplerx_ros.backbones.smpler_x.model import Model
from smplerx_ros.body import load_body
from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.runtime.onnx import OnnxNetwork

PEOPLE = 3
DETECTION_HANGS = "detection hangs"
# What ONNX Runtime says.
NO_ROOM = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running MatMul node. "
    "Status Message: bfc_arena.cc Failed to allocate memory for requested buffer of size 150994944"
)
LOST = "CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=robot"


class FakeDevice:
    """In place of ONNX Runtime's session: answers somebody upright, or fails."""

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider"]

    def run(self, names: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
        file = os.environ["DEVICE_STATE"]
        what, _, number = ("ok" if file == DETECTION_HANGS else Path(file).read_text()).partition(" ")
        count = len(feed["image"])
        if what == "lost":
            raise RuntimeError(LOST)
        if what == "room" and count > int(number):
            raise RuntimeError(NO_ROOM)
        upright = np.tile(np.array([1, 0, 0, 1, 0, 0], np.float32), (count, 53, 1))
        answers = {"pose_6d": upright} | {name: np.zeros((count, 10), np.float32) for name in ("betas", "expression")}
        answers["camera"] = np.tile(np.array([0, 0, 3], np.float32), (count, 1))
        return [answers[name] for name in names]


class Boxes:
    """Finds PEOPLE side by side in every image."""

    threshold = 0.0

    def detect(self, images: Sequence[Any]) -> list[list[Box]]:
        return [[Box(10 + 50 * i, 20, 40 + 50 * i, 100, 0.9) for i in range(PEOPLE)] for _ in images]


class BoxesOnce(Boxes):
    """Finds them, but hangs beside the estimation."""

    def detect(self, images: Sequence[Any]) -> list[list[Box]]:
        if threading.current_thread().name.startswith("smplerx_detector"):
            sys.stderr.write("the detection hangs\n")
            time.sleep(HANG_S)
        return super().detect(images)


def estimator(_: Mapping[str, object]) -> Estimator:
    """The package's own, down to the session."""
    network = OnnxNetwork((resources.files("smplerx_ros") / "assets" / "hand_recrop.onnx").read_bytes())
    network._session = FakeDevice()
    network._outputs = ["pose_6d", "betas", "expression", "camera"]
    body = load_body()
    backbone = NetworkBackbone(Model(BACKBONES["s32"], network, "onnx", "fp32"), body)
    detector = BoxesOnce() if os.environ["DEVICE_STATE"] == DETECTION_HANGS else Boxes()
    return Estimator(backbone, detector, body, Options(smoothing_enabled=False))


if __name__ == "__main__":
    from faulty_node import prepare

    from smplerx_ros.ros.node.main import main

    prepare()
    sys.exit(main(estimator_factory=estimator))
