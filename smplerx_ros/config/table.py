"""The one table of parameters, for the estimator, the ROS node, the command line and docs/reference/parameters.md."""

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
        "What turns images into SMPL-X parameters; `lite` needs no weights.",
        choices=tuple(BACKBONES),
    ),
    Parameter("weights", str, "", "Folder of the backbone's bundle (`smplerx convert`). Empty for `lite`."),
    Parameter("body_model", str, "", "SMPL-X body model (`SMPLX_*.npz`). Empty: the embedded stand-in body."),
    Parameter(
        "runtime",
        str,
        "auto",
        "What runs the networks; `auto` is the bundle's, ONNX Runtime for `lite`.",
        choices=("auto", "onnx", "torch"),
    ),
    Parameter(
        "device",
        str,
        "auto",
        "Where the networks run; `auto` takes CUDA where it works. TensorRT and OpenVINO: ONNX Runtime's providers.",
        choices=("auto", "cpu", "cuda", "tensorrt", "openvino"),
    ),
    Parameter(
        "precision",
        str,
        "auto",
        "Number format of the networks; `auto` is the bundle's, `bf16` needs `runtime: torch`, `int8` is for CPUs.",
        choices=("auto", "fp32", "fp16", "bf16", "int8"),
    ),
    Parameter(
        "gpu_mode",
        str,
        "plain",
        "What ONNX Runtime does on a GPU besides plain runs, each with all before it: `bound` keeps inputs in its "
        "memory, `crops` cuts people out there, `graphs` replays CUDA graphs. No GPU has run them yet: "
        "docs/howto/gpu.md.",
        choices=("plain", "bound", "crops", "graphs"),
    ),
    Parameter("threads", int, 0, "CPU threads of the networks.", range=(1, 256), zero="the runtime's choice"),
    Parameter(
        "detector",
        str,
        "builtin",
        "Where people come from: `builtin` finds them, `onnx` is your own network (`detection.model`), `topic` takes "
        "the boxes of your own detector, `full_frame` the whole image as one person.",
        choices=("builtin", "onnx", "topic", "full_frame"),
    ),
    Parameter("detection.model", str, "", "ONNX file of `detector: onnx`: YOLOX, YOLOv5 to 26, RT-DETR, D-FINE, ..."),
    Parameter(
        "detection.format",
        str,
        "auto",
        "What that file takes and answers (docs/reference/detection.md); `auto` finds it from the graph and a picture.",
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
        "The class in that file that is a person: its name, if the file has names, or its index.",
        index=True,
    ),
    Parameter(
        "detection.threshold",
        float,
        DEFAULT_THRESHOLD,
        "Least score of a detected person.",
        range=(0.0, 1.0),
        live=True,
    ),
    Parameter(
        "detection.interval",
        int,
        10,
        "Look for new people in every n-th frame; known ones are followed.",
        range=(1, 1000),
        live=True,
    ),
    Parameter(
        "max_people",
        int,
        10,
        "Most people estimated in one image: the nearest.",
        range=(1, 100),
        live=True,
    ),
    Parameter(
        "tracker.max_age",
        float,
        1.0,
        "Seconds for which a person who is hidden or out of view keeps the id.",
        range=(0.0, 60.0),
        live=True,
    ),
    Parameter(
        "id_prefix",
        str,
        "",
        "What the ids of people begin with: letters and digits. Empty: four random letters in the node, so "
        "that ids are unique in the graph and over restarts; `p` in the library.",
        pattern="([A-Za-z][A-Za-z0-9]{0,15})?",
    ),
    Parameter(
        "latency.budget_ms",
        float,
        0.0,
        "Time that the estimation of one image may take: above it detections come less often, then fewer people, then "
        "`latency.fallback_weights` (docs/explanation/scheduling.md).",
        range=(1.0, 60000.0),
        zero="no limit",
        live=True,
    ),
    Parameter(
        "latency.fallback_weights",
        tuple,
        (),
        "Folders of the bundles of smaller backbones that `latency.budget_ms` may turn to, in this order.",
    ),
    Parameter(
        "person_height",
        float,
        0.0,
        "Height of the people in metres, if known; it fixes their size, hence the distance.",
        range=(0.5, 2.5),
        zero="unknown",
    ),
    Parameter(
        "default_fov",
        float,
        DEFAULT_FOV_DEG,
        "Field of view in degrees across the image's longer side, assumed for images without calibration.",
        range=(10.0, 170.0),
    ),
    Parameter(
        "smoothing.enabled",
        bool,
        True,
        "Filter poses, places and shapes over time (One-Euro); false: raw estimates.",
        live=True,
    ),
    Parameter(
        "smoothing.rotation_cutoff",
        float,
        0.5,
        "Cutoff frequency of a joint at rest in Hz: lower is steadier.",
        range=(0.01, 100.0),
        live=True,
    ),
    Parameter(
        "smoothing.rotation_per_speed",
        float,
        9.0,
        "Hz added to the cutoff for each rad/s beyond a joint at rest: higher follows faster.",
        range=(0.0, 1000.0),
        live=True,
    ),
    Parameter(
        "smoothing.distance_cutoff",
        float,
        0.5,
        "Cutoff frequency in Hz of the distance of a person who keeps it.",
        range=(0.01, 100.0),
        live=True,
    ),
    Parameter(
        "smoothing.distance_per_speed",
        float,
        5.0,
        "Hz added to that cutoff for each unit a second of the distance's logarithm.",
        range=(0.0, 1000.0),
        live=True,
    ),
)

IMAGE_TRANSPORT = Parameter(  # of the node and of the page for browsers
    "image_transport",
    str,
    "raw",
    "`raw` subscribes sensor_msgs/Image on `image`, `compressed` CompressedImage on `image/compressed`.",
    choices=("raw", "compressed"),
)

ROS_PARAMETERS: tuple[Parameter, ...] = (
    Parameter("autostart", bool, True, "Configure and activate the node when it starts."),
    Parameter(
        "cameras",
        tuple,
        (),
        "Names of several cameras, each with the topics `<name>/image`, `<name>/camera_info`, `<name>/depth` and "
        "`<name>/detections`. Empty: one camera, with topics without a name before them.",
        pattern="[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*",
    ),
    IMAGE_TRANSPORT,
    Parameter(
        "image_is_rectified",
        bool,
        False,
        "The images are undistorted: use CameraInfo's P and no distortion instead of K, D.",
    ),
    Parameter(
        "camera_info_timeout",
        float,
        2.0,
        "Seconds after the first image to wait for a usable CameraInfo before `default_fov` is assumed.",
        range=(0.0, 3600.0),
    ),
    Parameter(
        "image_max_age",
        float,
        0.0,
        "Seconds after its stamp, in the node's time, until an image is too old to be estimated.",
        range=(0.001, 3600.0),
        zero="any age",
    ),
    Parameter(
        "detection.sync_tolerance",
        float,
        0.1,
        "Most seconds between the stamps of an image and the boxes on `detections` (`detector: topic`); an image waits "
        "as long for its boxes where they have kept pace.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "detection.topic_class",
        str,
        "",
        "`class_id` of a person on the topic `detections`. Empty: everything there is a person.",
        index=True,
    ),
    Parameter(
        "depth.enabled",
        bool,
        False,
        "Take distances from the topic `depth`, registered to the image, where it shows them.",
    ),
    Parameter(
        "depth.sync_tolerance",
        float,
        0.05,
        "Most seconds between the stamps of an image and its depth image; an image waits as long for its own where one "
        "is due by the topic's rhythm.",
        range=(0.0, 1.0),
    ),
    Parameter("tf.enabled", bool, True, "Publish people on /tf: the groups that `tf.*` switch.", live=True),
    Parameter(
        "tf.prefix",
        str,
        "",
        "What the names of joint frames begin with, before the slot's number. Empty: `smplx_`, behind the node's "
        "namespace and name where it is not `/smplerx`.",
        pattern="([A-Za-z][A-Za-z0-9_/]*)?",
    ),
    Parameter("tf.body", bool, True, "Frames `smplx_<slot>/...` of the 22 body joints.", live=True),
    Parameter("tf.hands", bool, True, "Frames `smplx_<slot>/...` of the 30 finger joints.", live=True),
    Parameter("tf.face", bool, True, "Frames `smplx_<slot>/...` of jaw and eyes.", live=True),
    Parameter("tf.rep155", bool, True, "REP-155's frames `body_<id>`, `face_<id>`, `gaze_<id>`.", live=True),
    Parameter(
        "tf.rep155_links",
        bool,
        False,
        "Frames of the 26 links below `body_<id>`, as a robot_state_publisher makes them from `urdf` and "
        "`joint_states`: for robots where none runs. TF listeners keep them for every id (docs/reference/frames.md).",
        live=True,
    ),
    Parameter(
        "rep155.enabled",
        bool,
        True,
        "Provide bodies and faces under /humans as REP-155 (ROS4HRI) has them, where hri_msgs is installed.",
    ),
    Parameter(
        "rep155.cropped",
        bool,
        True,
        "Publish `cropped` images of bodies and faces to those who subscribe; REP-155 requires it, privacy may not.",
        live=True,
    ),
    Parameter(
        "target_frame",
        str,
        "",
        "TF frame of `~/people` and `~/markers`; needs tf2_ros. Empty: the camera's. TF itself stays below the camera.",
    ),
    Parameter(
        "markers.mesh",
        bool,
        False,
        "Add each person's mesh, a thin one, to `~/markers`; drawn beside the estimation, as markers and overlays are.",
        live=True,
    ),
)


def validate(values: Mapping[str, object], parameters: Iterable[Parameter] = PARAMETERS) -> dict[str, Any]:
    """All parameters by name: `values` checked, defaults for the rest. Raises ConfigError for unknown names, too."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"parameters must be a mapping from names to values, got {type(values).__name__}")
    table = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in table:
            raise ConfigError(unknown_parameter(name, table))
    return {name: parameter.check(values.get(name, parameter.default)) for name, parameter in table.items()}


def check_live(values: Mapping[str, object]) -> dict[str, Any]:
    """The estimator's live parameters among `PARAMETERS`, checked. Raises ConfigError for any other name, too."""
    checked = validate(values)
    for parameter in PARAMETERS:
        if parameter.name in values and not parameter.live:
            raise ConfigError(f"parameter {parameter.name!r} is not live: it is read when the estimator is made")
    return {name: checked[name] for name in values}
