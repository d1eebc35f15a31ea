"""The parameter table: defaults, types, ranges, and errors that say what to do."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.config.parameter import Parameter
from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS, check_live, validate
from smplerx_ros.errors import ConfigError
from smplerx_ros.visualization.web.options import VIEWER_PARAMETERS
from support.paths import ROOT

SCRIPT = ROOT / "scripts" / "generate_parameter_docs.py"


def test_nothing_given_is_all_defaults() -> None:
    values = validate({})
    assert values == {parameter.name: parameter.default for parameter in PARAMETERS}
    assert next(iter(values)) == "backbone"


def test_names_are_unique_and_defaults_allowed() -> None:
    table = (*PARAMETERS, *ROS_PARAMETERS)
    assert len({parameter.name for parameter in table}) == len(table)
    for parameter in table:
        assert parameter.check(parameter.default) == parameter.default
        assert type(parameter.default) is parameter.type
        assert parameter.description.endswith(".")


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        ({"bacbone": "lite"}, ["bacbone", "did you mean 'backbone'"]),
        ({"zzz": 1}, ["zzz", "known", "backbone"]),
        ({"backbone": "light"}, ["backbone", "'light'", "lite"]),
        ({"backbone": 3}, ["backbone", "3", "str"]),
        ({"threads": -1}, ["threads", "-1", "1 to 256, or 0 = the runtime's choice"]),
        ({"threads": 1.5}, ["threads", "1.5", "int"]),
        ({"threads": True}, ["threads", "True", "int"]),
        ({"person_height": 0.2}, ["person_height", "0.2", "0.5 to 2.5, or 0 = unknown"]),
        ({"person_height": float("nan")}, ["person_height", "nan"]),
        ({"default_fov": 0.0}, ["default_fov", "0.0", "10 to 170"]),
        ({"smoothing.enabled": 1}, ["smoothing.enabled", "true | false"]),
        ({"latency.fallback_weights": "s32"}, ["latency.fallback_weights", "'s32'", "a list of strings"]),
        ({"latency.fallback_weights": ["s32", 3]}, ["latency.fallback_weights", "3"]),
        ({"latency.fallback_weights": ["s32", "s32"]}, ["latency.fallback_weights", "twice"]),
        ({"device": None}, ["device", "None", "cuda"]),
        ({"autostart": True}, ["autostart"]),  # the node's own, not the estimator's
    ],
)
def test_what_cannot_be_used_is_named(values: dict[str, object], fragments: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        validate(values)
    for fragment in fragments:
        assert fragment in str(error.value)


HUGE = {
    "beyond floats": 10**400,
    "below floats": -(10**400),
    "more digits than Python prints": 10**5000,
    "fraction": Fraction(10**400),
    "beyond 64 bits": 2**63,
    "long": "x" * 10_000,
    "list": ["y" * 10_000],
}


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("parameter", [*PARAMETERS, *ROS_PARAMETERS], ids=lambda parameter: parameter.name)
def test_huge_values_are_refused_by_name_and_not_repeated(parameter: Parameter, value: object) -> None:
    try:
        parameter.check(value)
    except ConfigError as error:
        reason = str(error)
    else:
        assert parameter.type in (str, tuple)
        assert not parameter.index or isinstance(value, str)
        return
    assert repr(parameter.name) in reason
    assert len(reason) < 700
    assert isinstance(value, int | Fraction) or "... (100" in reason


def test_the_name_of_an_unknown_parameter_is_not_repeated_at_any_length() -> None:
    with pytest.raises(ConfigError, match="unknown parameter 'xxx") as error:
        validate({"x" * 10_000: 1})
    assert len(str(error.value)) < 2000


def test_integers_count_as_numbers_and_zero_as_unknown() -> None:
    values = validate({"default_fov": 90, "person_height": 0})
    assert values["default_fov"] == 90.0
    assert type(values["default_fov"]) is float
    assert values["person_height"] == 0.0


@given(st.sampled_from(PARAMETERS), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()))
def test_any_value_is_taken_in_its_type_or_refused_by_name(parameter, value) -> None:  # type: ignore[no-untyped-def]
    try:
        checked = parameter.check(value)
    except ConfigError as error:
        reason = str(error)
    else:
        assert type(checked) is parameter.type
        return
    assert repr(parameter.name) in reason


def test_an_integer_names_a_class_by_its_index() -> None:
    assert validate({"detection.class": 0})["detection.class"] == "0"
    for value in (0.0, True):
        with pytest.raises(ConfigError, match=r"detection.class"):
            validate({"detection.class": value})


def test_no_parameter_is_a_group_of_others() -> None:
    """`ros2 param dump` writes groups as mappings: a name that is a value and a mapping, too, gets lost there."""
    for table in ((*PARAMETERS, *ROS_PARAMETERS), VIEWER_PARAMETERS):
        names = {parameter.name for parameter in table}
        assert len(names) == len(table)
        groups = {name[:end] for name in names for end, letter in enumerate(name) if letter == "."}
        assert groups.isdisjoint(names)


def test_names_of_cameras_are_names_of_topics() -> None:
    (cameras,) = (parameter for parameter in ROS_PARAMETERS if parameter.name == "cameras")
    assert cameras.check(["front", "head/left_2"]) == ("front", "head/left_2")
    assert cameras.check([""]) == ()
    for bad in ("2nd", "a b", "/front", "front/", "~"):
        with pytest.raises(ConfigError, match="cameras"):
            cameras.check([bad])


def test_what_is_live_is_checked_and_nothing_else_taken() -> None:
    assert check_live({"max_people": 3}) == {"max_people": 3}
    with pytest.raises(ConfigError, match="'default_fov' is not live"):
        check_live({"default_fov": 60.0})
    with pytest.raises(ConfigError, match="out of range"):
        check_live({"max_people": 0})
    with pytest.raises(ConfigError, match="did you mean 'max_people'"):
        check_live({"max_peple": 1})


def test_documentation_is_current() -> None:
    result = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_stale_documentation_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "parameters.md"
    assert subprocess.run([sys.executable, SCRIPT, "--output", page]).returncode == 0
    page.write_text(page.read_text().replace("lite", "heavy"))
    assert subprocess.run([sys.executable, SCRIPT, "--check", "--output", page], capture_output=True).returncode == 1
