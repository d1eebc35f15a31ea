"""The messages on the wire: ours agree with the core, and the stand-ins for released packages with the releases."""

from __future__ import annotations

import json
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from smplerx_ros.body.skeleton import JOINT_NAMES
from smplerx_ros.geometry.uncertainty import UNKNOWN_VARIANCE
from smplerx_ros.types import PARAM_SIZES, Degradation, DistanceSource, Estimated, Gender

ROOT = Path(__file__).resolve().parents[2]

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


# The package's own: what a change of a message means is in CONTRIBUTING.md.
OWN = {
    "Person": "fad6a46dfa7c1997562c11fecad2dbe342fab6d6b8f611b1bc37a43f5a9b1cac",
    "PersonArray": "519a87000f1250ef2c4b69d016014ac401d14521aa3dbf6dbfe471d59757dc5c",
    "SmplxParams": "45f5cc7df157ad212f256d129a571926a2aa0d0dbdc6943a86bee64f257afab5",
}


@pytest.mark.parametrize("name", OWN)
def test_own_messages_have_the_type_hashes_that_were_agreed_on(name: str) -> None:
    description = Path(index.get_package_prefix("smplerx_ros"), "share/smplerx_ros/msg", f"{name}.json")
    hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(description.read_text())["type_hashes"]}
    assert hashes[f"smplerx_ros/msg/{name}"] == f"RIHS01_{OWN[name]}"


def test_there_are_no_other_messages() -> None:
    assert {path.stem for path in (ROOT / "msg").iterdir()} == set(OWN)


def test_joint_constants_follow_the_skeleton() -> None:
    constants = {name: value for name, value in _constants(msg.Person).items() if name.startswith("JOINT_")}
    assert constants == {f"JOINT_{name.upper()}": i for i, name in enumerate(JOINT_NAMES)}
    assert len(JOINT_NAMES) == msg.Person.NUM_JOINTS


@pytest.mark.parametrize(
    ("message", "prefix", "enumeration"),
    [
        (msg.SmplxParams, "ESTIMATED", Estimated),
        (msg.SmplxParams, "GENDER", Gender),
        (msg.Person, "DISTANCE_SOURCE", DistanceSource),
        (msg.PersonArray, "DEGRADED", Degradation),
    ],
)
def test_enumerations_follow_the_core(message: type, prefix: str, enumeration: type[IntEnum] | type[IntFlag]) -> None:
    constants = {name: value for name, value in _constants(message).items() if name.startswith(f"{prefix}_")}
    members = enumeration.__members__.items()
    flags = issubclass(enumeration, IntFlag)
    assert constants == {f"{prefix}_{name}": int(value) for name, value in members if value or not flags}


def test_parameters_have_their_sizes_in_the_core_s_order() -> None:
    fields = msg.SmplxParams.get_fields_and_field_types()
    expected = {name: f"float[{size}]" for name, size in PARAM_SIZES.items()}
    assert list(fields.items()) == [("gender", "uint8"), *expected.items(), ("estimated", "uint16")]
    assert (msg.SmplxParams.USE_PCA, msg.SmplxParams.FLAT_HAND_MEAN) == (False, False)


def test_the_unknown_variance_is_the_core_s() -> None:
    assert msg.Person.UNKNOWN_VARIANCE == UNKNOWN_VARIANCE


def test_an_array_says_where_the_intrinsics_come_from() -> None:
    sources = (
        msg.PersonArray.CAMERA_SOURCE_UNKNOWN,
        msg.PersonArray.CAMERA_SOURCE_CAMERA_INFO,
        msg.PersonArray.CAMERA_SOURCE_DEFAULT_FOV,
    )
    assert sources == (0, 1, 2)


def _constants(message: type) -> dict[str, int]:
    names = [name for name in dir(type(message)) if name.isupper() and not name.startswith("_")]
    return {name: getattr(message, name) for name in names}
