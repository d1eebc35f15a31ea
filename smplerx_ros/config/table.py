"""Table of all parameters of the estimator, the ROS node and the command line; source of their documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.detection.constants import DEFAULT_THRESHOLD
from smplerx_ros.errors import ConfigError
from smplerx_ros.geometry.constants import DEFAULT_FOV_DEG

from .parameter import Parameter, unknown_parameter

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "backbone",
        str,
        "lite",
        "Method that estimates SMPL-X parameters from images. `lite` needs no weights.",
        choices=tuple(BACKBONES),
    ),
    Parameter("weights", str, "", "Folder of the backbone's bundle (from `smplerx convert`). Empty for `lite`."),
    Parameter("body_model", str, "", "SMPL-X body model file (`SMPLX_*.npz`). Empty: the embedded stand-in body."),
    Parameter(
        "runtime",
        str,
        "auto",
        "Library that runs the networks. `auto` selects the bundle's, or ONNX Runtime for `lite`.",
        choices=("auto", "onnx", "torch"),
    ),
    Parameter(
        "device",
        str,
        "auto",
        "Device that runs the networks. `auto` selects CUDA if available, otherwise the CPU. `tensorrt` and "
        "`openvino` are execution providers of ONNX Runtime.",
        choices=("auto", "cpu", "cuda", "tensorrt", "openvino"),
    ),
    Parameter(
        "precision",
        str,
        "auto",
        "Numeric precision of the networks. `auto` selects the bundle's, `bf16` requires `runtime: torch`, `int8` is "
        "for CPUs.",
        choices=("auto", "fp32", "fp16", "bf16", "int8"),
    ),
    Parameter(
        "gpu_mode",
        str,
        "plain",
        "Optimizations of ONNX Runtime on a GPU, each including the previous ones: `bound` keeps input buffers in GPU "
        "memory, `crops` crops people on the GPU, `graphs` replays CUDA graphs. Not yet tested on a GPU: "
        "docs/howto/gpu.md.",
        choices=("plain", "bound", "crops", "graphs"),
    ),
    Parameter("threads", int, 0, "Number of CPU threads of the networks.", range=(1, 256), zero="the runtime's choice"),
    Parameter(
        "detector",
        str,
        "builtin",
        "Person detector: `builtin` is the embedded network, `onnx` a network of your own (`detection.model`), `topic` "
        "uses the bounding boxes of an external detector, `full_frame` takes the whole image as one person.",
        choices=("builtin", "onnx", "topic", "full_frame"),
    ),
    Parameter("detection.model", str, "", "ONNX file for `detector: onnx`: YOLOX, YOLOv5 to 26, RT-DETR, D-FINE, ..."),
    Parameter(
        "detection.format",
        str,
        "auto",
        "Input and output format of `detection.model` (docs/reference/detection.md). `auto` determines it from the "
        "file and its output for a sample image.",
        choices=(
            "auto",
            "detr",
            "detr_logits",
            "detr_softmax",
            "deformable_detr",
            "rfdetr",
            "yolox_nms",
            "rtmdet",
            "yolo_nms",
            "torchvision",
            "tensorflow",
            "label_xyxy_score",
            "label_xyxy_score_bgr",
            "detr_rows",
            "yolov10",
            "yolox",
            "yolov6",
            "yolov5",
            "yolov8",
        ),
    ),
    Parameter(
        "detection.class",
        str,
        "person",
        "Class of a person in `detection.model`: its name, if the file contains names, or its index.",
        index=True,
    ),
    Parameter(
        "detection.threshold",
        float,
        DEFAULT_THRESHOLD,
        "Minimum score of a detected person.",
        range=(0.0, 1.0),
        live=True,
    ),
    Parameter(
        "detection.interval",
        int,
        10,
        "Run the detector in every n-th frame; people are tracked in between.",
        range=(1, 1000),
        live=True,
    ),
    Parameter(
        "max_people",
        int,
        10,
        "Maximum number of people to estimate in an image; the nearest ones are chosen.",
        range=(1, 100),
        live=True,
    ),
    Parameter(
        "tracker.max_age",
        float,
        1.0,
        "Time in seconds for which an occluded person, or one out of view, keeps the id.",
        range=(0.0, 60.0),
        live=True,
    ),
    Parameter(
        "id_prefix",
        str,
        "",
        "Prefix of the ids of people, letters and digits. Empty: four random letters in the node, so that ids are "
        "unique in the ROS graph and across restarts; `p` in the library.",
        pattern="([A-Za-z][A-Za-z0-9]{0,15})?",
    ),
    Parameter(
        "latency.budget_ms",
        float,
        0.0,
        "Time budget in milliseconds for the estimation of an image. If it is exceeded, the detector runs less often, "
        "then fewer people are estimated, then `latency.fallback_weights` are used (docs/explanation/scheduling.md).",
        range=(1.0, 60000.0),
        zero="no limit",
        live=True,
    ),
    Parameter(
        "latency.fallback_weights",
        tuple,
        (),
        "Folders of the bundles of smaller backbones to fall back to for `latency.budget_ms`, in this order.",
    ),
    Parameter(
        "person_height",
        float,
        0.0,
        "Height of the people in metres, if known. It determines their scale, and hence their distance.",
        range=(0.5, 2.5),
        zero="unknown",
    ),
    Parameter(
        "default_fov",
        float,
        DEFAULT_FOV_DEG,
        "Field of view in degrees along the image's longer side, assumed for uncalibrated cameras.",
        range=(10.0, 170.0),
    ),
    Parameter(
        "smoothing.enabled",
        bool,
        True,
        "Smooth poses, positions and shapes over time with One Euro filters; false: raw estimates.",
        live=True,
    ),
    Parameter(
        "smoothing.rotation_cutoff",
        float,
        0.5,
        "Cutoff frequency in Hz for the rotation of a joint at rest; lower values reduce jitter.",
        range=(0.01, 100.0),
        live=True,
    ),
    Parameter(
        "smoothing.rotation_per_speed",
        float,
        9.0,
        "Increase of that cutoff in Hz per rad/s of angular speed; higher values reduce lag.",
        range=(0.0, 1000.0),
        live=True,
    ),
    Parameter(
        "smoothing.distance_cutoff",
        float,
        0.5,
        "Cutoff frequency in Hz for the distance of a person at rest.",
        range=(0.01, 100.0),
        live=True,
    ),
    Parameter(
        "smoothing.distance_per_speed",
        float,
        5.0,
        "Increase of that cutoff in Hz per unit per second of the distance's logarithm.",
        range=(0.0, 1000.0),
        live=True,
    ),
)

IMAGE_TRANSPORT = Parameter(  # of the node and the web viewer
    "image_transport",
    str,
    "raw",
    "Image messages: `raw` subscribes to sensor_msgs/Image on `image`, `compressed` to CompressedImage on "
    "`image/compressed`.",
    choices=("raw", "compressed"),
)

ROS_PARAMETERS: tuple[Parameter, ...] = (
    Parameter("autostart", bool, True, "Configure and activate the node at startup."),
    Parameter(
        "cameras",
        tuple,
        (),
        "Names of the cameras, each with the topics `<name>/image`, `<name>/camera_info`, `<name>/depth` and "
        "`<name>/detections`. Empty: a single camera, with topics without this prefix.",
        pattern="[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*",
    ),
    IMAGE_TRANSPORT,
    Parameter(
        "image_is_rectified",
        bool,
        False,
        "Whether images are rectified: use P of CameraInfo without distortion, instead of K and D.",
    ),
    Parameter(
        "camera_info_timeout",
        float,
        2.0,
        "Time in seconds to wait for a valid CameraInfo after the first image, before `default_fov` is assumed.",
        range=(0.0, 3600.0),
    ),
    Parameter(
        "image_max_age",
        float,
        0.0,
        "Maximum age of an image in seconds, by its stamp and the node's clock; older images are dropped.",
        range=(0.001, 3600.0),
        zero="any age",
    ),
    Parameter(
        "detection.sync_tolerance",
        float,
        0.1,
        "Maximum difference in seconds between the stamps of an image and of its boxes on `detections` "
        "(`detector: topic`). An image waits as long for its boxes, if those of previous images arrived in time.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "detection.topic_class",
        str,
        "",
        "`class_id` of a person on the topic `detections`. Empty: all boxes are people.",
        index=True,
    ),
    Parameter(
        "depth.enabled",
        bool,
        False,
        "Measure distances in the depth images on `depth`, registered to the image, where they are valid.",
    ),
    Parameter(
        "depth.sync_tolerance",
        float,
        0.05,
        "Maximum difference in seconds between the stamps of an image and its depth image. An image waits as long for "
        "its depth image, if one is due at the topic's rate.",
        range=(0.0, 1.0),
    ),
    Parameter("tf.enabled", bool, True, "Publish people on /tf: the frames that `tf.*` select.", live=True),
    Parameter(
        "tf.prefix",
        str,
        "",
        "Prefix of the names of joint frames, before the number of the slot. Empty: `smplx_`, preceded by the node's "
        "namespace and name unless that is `/smplerx`.",
        pattern="([A-Za-z][A-Za-z0-9_/]*)?",
    ),
    Parameter("tf.body", bool, True, "Publish the frames `smplx_<slot>/...` of the 22 body joints.", live=True),
    Parameter("tf.hands", bool, True, "Publish the frames `smplx_<slot>/...` of the 30 finger joints.", live=True),
    Parameter("tf.face", bool, True, "Publish the frames `smplx_<slot>/...` of jaw and eyes.", live=True),
    Parameter("tf.rep155", bool, True, "Publish REP-155's frames `body_<id>`, `face_<id>` and `gaze_<id>`.", live=True),
    Parameter(
        "tf.rep155_links",
        bool,
        False,
        "Publish the frames of the 26 links below `body_<id>`, as a robot_state_publisher would from `urdf` and "
        "`joint_states`. TF listeners keep them for every id (docs/reference/frames.md).",
        live=True,
    ),
    Parameter(
        "rep155.enabled",
        bool,
        True,
        "Publish bodies and faces under /humans according to REP-155 (ROS4HRI), if hri_msgs is installed.",
    ),
    Parameter(
        "rep155.cropped",
        bool,
        True,
        "Publish `cropped` images of bodies and faces if they are subscribed to. REP-155 requires them; privacy may "
        "forbid them.",
        live=True,
    ),
    Parameter(
        "target_frame",
        str,
        "",
        "TF frame of `~/people` and `~/markers`; requires tf2_ros. Empty: the camera's optical frame. Frames on /tf "
        "remain children of the camera.",
    ),
    Parameter(
        "markers.mesh",
        bool,
        False,
        "Add a decimated mesh of each person to `~/markers`; drawn outside the estimation pipeline, as all markers and "
        "overlays.",
        live=True,
    ),
)


def validate(values: Mapping[str, object], parameters: Iterable[Parameter] = PARAMETERS) -> dict[str, Any]:
    """Validate `values` and add the defaults of the other parameters.

    Raises:
        ConfigError: If a name is unknown or a value is invalid.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"parameters must be a mapping from names to values, got {type(values).__name__}")
    table = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in table:
            raise ConfigError(unknown_parameter(name, table))
    return {name: parameter.check(values.get(name, parameter.default)) for name, parameter in table.items()}


def check_live(values: Mapping[str, object]) -> dict[str, Any]:
    """Validate new values of the estimator's live parameters.

    Raises:
        ConfigError: If a parameter is unknown or not live, or a value is invalid.
    """
    checked = validate(values)
    for parameter in PARAMETERS:
        if parameter.name in values and not parameter.live:
            raise ConfigError(f"parameter {parameter.name!r} is not live: it is read when the estimator is created")
    return {name: checked[name] for name in values}
