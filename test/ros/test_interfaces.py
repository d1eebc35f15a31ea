"""The messages on the wire: ours agree with the core, and the stand-ins for released packages with the releases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smplerx_ros.body.skeleton import JOINT_NAMES
from smplerx_ros.types import PARAM_SIZES, Estimated

msg = pytest.importorskip("smplerx_ros.msg")
index = pytest.importorskip("ament_index_python.packages")

# Type hashes (REP-2011) of the packages released for Jazzy: geometry2 0.36, vision_msgs 4.1.1, hri_msgs 2.3.2.
# A stand-in under test/interfaces/ with another field, type or order would have another hash, and DDS would not
# connect it to the released type.
RELEASED = {
    "tf2_msgs/TFMessage": "e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087",
    "tf2_msgs/TF2Error": "db2485e7d6a0ec75bf087e058ee45df682acc3a621ca7780503d10aac141809a",
    "vision_msgs/Detection2DArray": "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "vision_msgs/LabelInfo": "3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
    "hri_msgs/BodyPosture": "fa4258f18cc616a912e5aa1d48dbfead0fa5235a8546b4c69b70d64db7cef570",
    "hri_msgs/Expression": "411b88e0604397d44775d8ec6a4bc69398fb0dfbfe864c33a40fa99ee85f1b00",
    "hri_msgs/FacialActionUnits": "43f431104624b6ff7f84350f1faa3747efc8a9330dee942b717a08830a267ed3",
    "hri_msgs/FacialLandmarks": "f1d6b0ba159f4d6be1632e5dfc9cb79ce5e35da73888da2a4789bd9b35112a63",
    "hri_msgs/IdsList": "7e0812d1ac945c98fd3e393568d581ad0ab567f37b24eff633eab778c1bfe62d",
    "hri_msgs/IdsMatch": "1c649d4a87ca2d4fe5f606395e83a863640e411c9192dfda6d399a68019966f0",
    "hri_msgs/NormalizedRegionOfInterest2D": "2e50c93f1ca166ee77af9a5424dc951ae4e452b740162a7f83c082d917dcaff5",
    "hri_msgs/Skeleton2D": "1cb61f012db6ca43c48fa0097ccab9a00108ea39323c13f01bb983323c1e3420",
}


@pytest.mark.parametrize("name", RELEASED)
def test_interface_has_the_released_type_hash(name: str) -> None:
    package, type_name = name.split("/")
    description = Path(index.get_package_share_directory(package), "msg", f"{type_name}.json")
    hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(description.read_text())["type_hashes"]}
    assert hashes[f"{package}/msg/{type_name}"] == f"RIHS01_{RELEASED[name]}"


def test_person_has_the_fields_that_others_rely_on() -> None:
    assert msg.Person.get_fields_and_field_types() == {
        "id": "string",
        "frame_prefix": "string",
        "score": "float",
        "box": "sensor_msgs/RegionOfInterest",
        "params": "smplerx_ros/SmplxParams",
        "joints": "geometry_msgs/Point32[55]",
        "joints_image": "float[110]",
        "confidence": "float[55]",
        "pose_covariance": "double[36]",
        "root_velocity": "geometry_msgs/Vector3",
        "left_wrist_velocity": "geometry_msgs/Vector3",
        "right_wrist_velocity": "geometry_msgs/Vector3",
    }


def test_joint_constants_follow_the_skeleton() -> None:
    constants = {name: value for name, value in _constants(msg.Person).items() if name.startswith("JOINT_")}
    assert constants == {f"JOINT_{name.upper()}": i for i, name in enumerate(JOINT_NAMES)}
    assert len(JOINT_NAMES) == msg.Person.NUM_JOINTS


def test_flags_follow_the_core() -> None:
    assert _constants(msg.SmplxParams) == {f"ESTIMATED_{flag.name}": flag.value for flag in Estimated if flag}


def test_parameters_have_their_sizes_in_the_core_s_order() -> None:
    fields = msg.SmplxParams.get_fields_and_field_types()
    expected = {name: f"float[{size}]" for name, size in PARAM_SIZES.items()}
    assert list(fields.items()) == [*expected.items(), ("estimated", "uint16")]


def test_an_array_says_where_it_comes_from() -> None:
    fields = msg.PersonArray.get_fields_and_field_types()
    names = ["header", "backbone", "body_model", "runtime", "camera_source", "stages", "people", "left_out", "degraded"]
    assert list(fields) == names
    sources = (
        msg.PersonArray.CAMERA_SOURCE_UNKNOWN,
        msg.PersonArray.CAMERA_SOURCE_CAMERA_INFO,
        msg.PersonArray.CAMERA_SOURCE_DEFAULT_FOV,
    )
    assert sources == (0, 1, 2)


def _constants(message: type) -> dict[str, int]:
    names = [name for name in dir(type(message)) if name.isupper() and not name.startswith("_")]
    return {name: getattr(message, name) for name in names}
