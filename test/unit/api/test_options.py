"""`Options` are the parameters, all of them, and what the estimator goes by."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any, get_type_hints

import numpy as np
import pytest

from smplerx_ros import Box, ConfigError, Estimator, Frame, Options
from smplerx_ros.config.table import PARAMETERS
from smplerx_ros.pipeline.smoothing.motion import smoothing_options
from smplerx_ros.pipeline.smoothing.person_smoother import SmoothingOptions
from smplerx_ros.pipeline.tracking.tracker import MAX_AGE
from support.bodies import standin
from support.still_people import FRAME_NS, IMAGE, SOMEBODY, StillPeople, frame

BODY = standin()
OTHERS: dict[str, object] = {
    "detection.threshold": 0.5,
    "detection.interval": 7,
    "max_people": 3,
    "tracker.max_age": 2.5,
    "latency.budget_ms": 40.0,
    "smoothing.enabled": False,
    "smoothing.rotation_cutoff": 1.5,
    "smoothing.rotation_per_speed": 2.5,
    "smoothing.distance_cutoff": 3.5,
    "smoothing.distance_per_speed": 4.5,
}


class StillDetector:
    def __init__(self, threshold: float = 0.9) -> None:
        self.threshold = threshold

    def detect(self, images: Any) -> list[list[Box]]:
        return [[SOMEBODY] for _ in images]


def attribute(parameter: str) -> str:
    return parameter.replace(".", "_")


def test_they_are_the_parameters_in_their_order_with_types_and_defaults() -> None:
    assert [field.name for field in fields(Options)] == [attribute(parameter.name) for parameter in PARAMETERS]
    hints = get_type_hints(Options)
    for parameter in PARAMETERS:
        assert getattr(Options(), attribute(parameter.name)) == parameter.default
        assert hints[attribute(parameter.name)] == (tuple[str, ...] if parameter.type is tuple else parameter.type)


def test_parts_made_without_options_have_the_same_defaults() -> None:
    assert smoothing_options(Options()) == SmoothingOptions()
    assert Options().tracker_max_age == MAX_AGE


def test_they_come_from_parameters_by_their_names() -> None:
    options = Options.from_config({"detection.interval": 5, "latency.fallback_weights": ["a", "b"], "default_fov": 90})
    expected = Options(detection_interval=5, latency_fallback_weights=("a", "b"), default_fov=90.0)
    assert options == expected
    assert hash(options) == hash(expected)
    with pytest.raises(
        ConfigError, match=r"unknown parameter 'detection_interval' \(did you mean 'detection.interval'"
    ):
        Options.from_config({"detection_interval": 5})
    with pytest.raises(FrozenInstanceError):
        options.max_people = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("default_fov", value) for value in (0, 180, -60.0, float("nan"), 1000, "60", None)),
        *(("max_people", value) for value in (0, -1, 2.5, None)),
        *(("person_height", value) for value in (-1.8, float("nan"), 180, "1.8", None)),
        *(("detection.interval", value) for value in (0, 1.5)),
        *(("tracker.max_age", value) for value in (-1, float("inf"))),
        ("detection.threshold", 2),
        ("latency.budget_ms", -1),
        ("id_prefix", "7"),
        ("smoothing.enabled", 1),
        ("backbone", "s33"),
        ("latency.fallback_weights", "bundles/s32"),
    ],
)
def test_one_that_cannot_be_used_is_named(parameter: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"parameter '{parameter}'"):
        Options(**{attribute(parameter): value})


def test_numbers_of_numpy_become_pythons() -> None:
    options = Options(max_people=np.int64(3), default_fov=90)  # type: ignore[arg-type]
    assert (options, type(options.max_people)) == (Options(max_people=3, default_fov=90.0), int)


def test_an_estimator_says_what_it_goes_by() -> None:
    values = {"device": "cpu", "threads": 1, "detection.interval": 5}
    with Estimator.from_config(values) as estimator:
        assert estimator.options == Options(device="cpu", threads=1, detection_interval=5)
        given = estimator.options
    with Estimator.from_config(given) as estimator:
        assert estimator.options is given
    with pytest.raises(AttributeError):
        estimator.options = Options()  # type: ignore[misc]


@pytest.mark.parametrize("values", [None, 3, "max_people", [("max_people", 3)]])
def test_values_that_are_no_mapping_are_refused(values: Any) -> None:
    with Estimator(StillPeople(), None, BODY, Options()) as estimator:
        for use in (Estimator.from_config, Options.from_config, estimator.update):
            with pytest.raises(ConfigError, match="parameters must be a mapping from names to values, got"):
                use(values)


def test_what_is_updated_is_in_the_options_and_what_is_refused_is_not() -> None:
    with Estimator(StillPeople(), StillDetector(), BODY, Options()) as estimator:
        before = estimator.options
        for refused in ({"max_people": 0}, {"max_people": 3, "device": "cuda"}, {"max_people": 3, "max_peple": 3}):
            with pytest.raises(ConfigError):
                estimator.update(refused)
            assert estimator.options is before
        estimator.update({})
        assert estimator.options == before
        for name, value in OTHERS.items():
            estimator.update({name: value})
        assert estimator.options == replace(before, **{attribute(name): value for name, value in OTHERS.items()})
        assert set(OTHERS) == {parameter.name for parameter in PARAMETERS if parameter.live}


def parts(estimator: Estimator) -> list[object]:
    """What the estimator's parts go by."""
    smoother = estimator._finishing._motion._smoother
    return [
        [state.tracker.max_age for state in estimator._identification._cameras],
        {detector.threshold for detector in estimator._identification._detection._detectors},
        estimator._identification._detection._options,
        None if smoother is None else smoother._options,
        estimator._estimation._budget is not None,
    ]


@pytest.mark.parametrize("enabled", [False, True])
def test_options_mean_the_same_at_the_start_and_later(enabled: bool) -> None:
    """A detector that is handed in has the options' threshold, too, not one of its own."""
    values = {**OTHERS, "smoothing.enabled": enabled}
    wanted = Options.from_config(values)
    with (
        Estimator(StillPeople(), StillDetector(), BODY, wanted) as at_once,
        Estimator(StillPeople(), StillDetector(), BODY, Options(), detector_beside=StillDetector()) as later,
    ):
        at_once.estimate(frame(0))
        later.estimate(frame(0))
        assert parts(later) != parts(at_once)
        later.update(values)
        assert later.options == at_once.options == wanted
        assert parts(later) == parts(at_once)
        assert parts(later)[1] == {0.5}


def test_people_are_smoothed_unless_that_is_switched_off() -> None:
    """By default in both ways of making an estimator."""
    for options, smoothed in ((Options(), True), (Options(smoothing_enabled=False), False)):
        with Estimator(StillPeople(), None, BODY, options) as estimator:
            assert (estimator._finishing._motion._smoother is not None) == smoothed


@pytest.mark.parametrize(("prefix", "name"), [("", "p1"), ("robot", "robot1")])
def test_ids_begin_with_the_prefix(prefix: str, name: str) -> None:
    with Estimator(StillPeople(), None, BODY, Options(id_prefix=prefix)) as estimator:
        (person,) = estimator.estimate(Frame(IMAGE, stamp_ns=FRAME_NS, detections=(SOMEBODY,)))
        assert person.id == name
