"""Loading of the backbones and detectors that the options select."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from smplerx_ros.backbones.backbone import Backbone
from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.backbones.smpler_x.bundle import Bundle, convert_hint, is_bundle
from smplerx_ros.backbones.smpler_x.model import Model
from smplerx_ros.body import BodyModel
from smplerx_ros.config.options import Options
from smplerx_ros.detection import Detector
from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.runtime.providers import CPU


def load_backbones(options: Options, body: BodyModel, *, bundles_only: bool) -> list[Backbone]:
    """Load the configured backbone, then those of `latency.fallback_weights`.

    Args:
        options: The parameters.
        body: The body model that the backbones pose.
        bundles_only: Whether to refuse checkpoints, which would have to be converted first.

    Raises:
        ConfigError: If parameters contradict each other.
        ModelFileError: If a file is unusable.
    """
    if options.backbone == "lite":
        return [_lite(options, body)]
    from smplerx_ros.backbones.smpler_x.estimation import NetworkBackbone

    main = NetworkBackbone(load_network(options, bundles_only=bundles_only), body, options.known_height)
    smaller: list[Backbone] = []
    for folder in options.latency_fallback_weights:
        try:
            backbone = Bundle.load(folder, verify=False).backbone
            own = replace(options, backbone=backbone, weights=folder, runtime="auto", precision="auto")
            smaller.append(NetworkBackbone(load_network(own, bundles_only=True), body, options.known_height))
        except ModelFileError as error:
            raise ModelFileError(f"parameter 'latency.fallback_weights': {error}") from error
    return [main, *smaller]


def _lite(options: Options, body: BodyModel) -> Backbone:
    if options.latency_fallback_weights:
        raise ConfigError(
            "parameter 'latency.fallback_weights': backbone 'lite' has nothing to fall back on; leave it empty"
        )
    taken = {"runtime": ("auto", "onnx"), "precision": ("auto", "fp32"), "weights": ("",), "gpu_mode": ("plain",)}
    for name, choices in taken.items():
        if getattr(options, name) not in choices:
            raise ConfigError(f"parameter {name!r}: backbone 'lite' takes {' or '.join(map(repr, choices))} only")
    from smplerx_ros.backbones.lite.backbone import LiteBackbone
    from smplerx_ros.backbones.lite.landmark_estimator import LandmarkEstimator

    return LiteBackbone(body, LandmarkEstimator(options.device, options.threads or None), options.known_height)


def load_network(options: Options, *, bundles_only: bool) -> Model:
    """Load the network selected by `backbone weights runtime device precision threads gpu_mode`.

    `auto` is the runtime and precision of a bundle; for a checkpoint it is ONNX Runtime and fp32.

    Raises:
        ConfigError: If parameters contradict each other.
        ModelFileError: If a file is unusable, or is a checkpoint and `bundles_only` is set.
    """
    if not options.weights:
        raise ConfigError(f"parameter 'weights': backbone {options.backbone!r} needs a bundle; {convert_hint()}")
    try:
        return _load(options, bundles_only)
    except ModelFileError as error:
        raise ModelFileError(f"parameter 'weights': {error}") from error


def _load(options: Options, bundles_only: bool) -> Model:
    from smplerx_ros.backbones.smpler_x.loading import load_bundle, load_model

    path, runtime = options.weights, options.runtime
    if runtime == "auto":
        runtime = Bundle.load(path, verify=False).runtime if is_bundle(path) else "onnx"
    chosen: dict[str, Any] = {
        "runtime": runtime,
        "device": options.device,
        "precision": None if options.precision == "auto" else options.precision,
        "threads": options.threads or None,
        "gpu_mode": options.gpu_mode,
    }
    if bundles_only:
        return load_bundle(get_backbone(options.backbone), path, **chosen)
    return load_model(options.backbone, path, **chosen)


def load_detectors(options: Options) -> tuple[Detector, Detector] | tuple[None, None]:
    """Load the detector, and one for background detections, which on a CPU has half as many threads.

    Networks that share cores slow each other down: each step ends with its slowest thread.
    """
    detector = load_detector(options)
    if detector is None:
        return None, None
    count = options.threads or os.cpu_count() or 1
    if count == 1 or getattr(detector, "provider", None) != CPU:
        return detector, detector
    background = load_detector(replace(options, threads=count // 2))
    assert background is not None
    return detector, background


def load_detector(options: Options) -> Detector | None:
    """Load the configured detector; None if boxes come with the frames.

    Raises:
        ConfigError: If parameters contradict each other.
        ModelFileError: If a file is unusable.
    """
    kind, threads, threshold = options.detector, options.threads or None, options.detection_threshold
    if kind != "onnx" and options.detection_model:
        raise ConfigError(f"parameter 'detection.model': detector {kind!r} takes no file; use detector: onnx")
    if kind == "topic":
        return None
    if kind == "full_frame":
        from smplerx_ros.detection.full_frame import FullFrameDetector

        return FullFrameDetector()
    if kind == "onnx":
        from smplerx_ros.detection.onnx import OnnxDetector

        if not options.detection_model:
            raise ConfigError("parameter 'detection.model': detector 'onnx' needs the path of an ONNX file")
        chosen = {"person": options.detection_class, "format": options.detection_format}
        return OnnxDetector(options.detection_model, options.device, threads, threshold, **chosen)
    from smplerx_ros.detection.builtin import BuiltinDetector

    return BuiltinDetector(options.device, threads, threshold)
