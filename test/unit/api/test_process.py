"""What `Estimator.process` takes and answers, and what is left of an estimator after errors and after its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from smplerx_ros import Box, Estimator, Frame, InputError, People
from smplerx_ros.config.options import Options
from support.bodies import standin
from support.still_people import IMAGE, StillPeople, frame

BODY = standin()


@pytest.fixture
def backbone() -> StillPeople:
    return StillPeople()


@pytest.fixture
def estimator(backbone: StillPeople) -> Iterator[Estimator]:
    with Estimator(backbone, None, BODY, Options(smoothing_enabled=False)) as made:
        yield made


def ids(people: People) -> list[str]:
    return [person.id for person in people.people]


def test_a_frame_gives_its_people(estimator: Estimator) -> None:
    given = frame()
    people = estimator.process(given)
    assert isinstance(people, People)
    assert people.frame is given
    assert ids(people) == ["p1"]


@pytest.mark.parametrize("sequence", [list, tuple])
def test_a_sequence_gives_a_list_in_its_order(estimator: Estimator, backbone: StillPeople, sequence: Any) -> None:
    results = estimator.process(sequence(frame(0, name) for name in ("left", "right")))
    assert isinstance(results, list)
    assert [(people.frame.source, ids(people)) for people in results] == [("left", ["p1"]), ("right", ["p2"])]
    assert backbone.batches == [["left", "right"]]


def test_a_mapping_gives_a_dictionary_by_the_same_names(estimator: Estimator, backbone: StillPeople) -> None:
    """The frames need no names of their own; they are not changed."""
    for k in range(2):
        given = {"right": frame(k), "left": frame(k, "left")}
        results = estimator.process(given)
        assert {name: ids(people) for name, people in results.items()} == {"right": ["p1"], "left": ["p2"]}
        assert list(results) == ["right", "left"]
        assert {name: people.frame.source for name, people in results.items()} == {"right": "right", "left": "left"}
        assert results["left"].frame is given["left"]
        assert given["right"].source == ""
    assert backbone.batches == [["right", "left"]] * 2


def test_a_camera_of_a_mapping_is_that_of_frames_with_its_name(estimator: Estimator) -> None:
    first = estimator.process({"left": frame(0)})["left"]
    assert ids(estimator.process(frame(1, "left"))) == ids(first) == ["p1"]


def test_no_frames_give_nothing(estimator: Estimator, backbone: StillPeople) -> None:
    assert estimator.process([]) == []
    assert estimator.process(()) == []
    assert estimator.process({}) == {}
    assert backbone.batches == []


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ({1: frame()}, r"the name of a camera must be a string, got 1 \(int\)"),
        ({None: frame()}, r"the name of a camera must be a string, got None"),
        ({"left": frame(0, "right")}, r"camera 'left' has Frame\.source 'right': leave it empty, or the same"),
        ({"": frame(0, "right")}, r"camera '' has Frame\.source 'right'"),
        ({"left": IMAGE}, r"the frame of camera 'left' must be a Frame, got ndarray: make a Frame\(image\) of it"),
        ({"left": None}, r"the frame of camera 'left' must be a Frame, got NoneType"),
        ({"left": [frame()]}, r"the frame of camera 'left' must be a Frame, got list"),
        ([frame(), IMAGE], r"frame 1 must be a Frame, got ndarray: make a Frame\(image\)"),
        ("people.png", r"takes a Frame, a sequence of them, or a mapping of them by camera, got str"),
        (IMAGE, r"got ndarray: make a Frame\(image\) of it"),
        (None, r"got NoneType"),
        ((frame(k, str(k)) for k in range(2)), r"got generator"),
        ([frame(0), frame(0)], r"frames 0 and 1 are both of camera ''"),
        ({"": Frame(IMAGE, frame_id="a"), "a": Frame(IMAGE)}, r"frames 0 and 1 are both of camera 'a'"),
    ],
)
def test_what_is_no_frame_is_named_and_nothing_has_changed(estimator: Estimator, frames: Any, words: str) -> None:
    assert ids(estimator.process(frame(0))) == ["p1"]
    with pytest.raises(InputError, match=words):
        estimator.process(frames)
    assert ids(estimator.process(frame(1))) == ["p1"]


def test_an_error_is_not_swallowed_and_leaves_the_estimator_usable(backbone: StillPeople) -> None:
    with Estimator(backbone, None, BODY, Options(smoothing_enabled=False)) as estimator:
        assert ids(estimator.process(frame(0))) == ["p1"]
        backbone.error = RuntimeError("out of memory")
        with pytest.raises(RuntimeError, match="out of memory"):
            estimator.process(frame(1))
        with pytest.raises(InputError):
            estimator.process([frame(2), Frame(IMAGE)])
        assert ids(estimator.process(frame(2))) == ["p1"]


def test_leaving_the_context_closes_also_after_an_error(backbone: StillPeople) -> None:
    def run() -> None:
        with estimator:
            raise KeyError("the user's own")

    estimator = Estimator(backbone, None, BODY, Options(smoothing_enabled=False))
    with pytest.raises(KeyError, match="the user's own"):
        run()
    with pytest.raises(RuntimeError, match="the estimator is closed: make another one"):
        estimator.process(frame())


def test_a_closed_estimator_says_so_whatever_is_asked_of_it(estimator: Estimator) -> None:
    estimator.process(frame())
    assert estimator.close()
    assert estimator.close()
    uses = (
        *(lambda given=given: estimator.process(given) for given in (frame(), [frame()], {"left": frame()}, [], {})),
        lambda: estimator.estimate(frame()),
        lambda: estimator.update({"max_people": 1}),
        estimator.warm_up,
        estimator.reset,
        estimator.__enter__,
    )
    for use in uses:
        with pytest.raises(RuntimeError, match="the estimator is closed: make another one"):
            use()


def test_somebody_is_where_the_box_is(estimator: Estimator) -> None:
    """The stand-in of these tests is seen at all."""
    (person,) = estimator.estimate(frame())
    assert isinstance(person.box, Box)
    assert person.joints[0, 2] == pytest.approx(3.0, abs=0.1)
