"""States of cameras: when one starts anew, which are forgotten, and the events of the tracks that this ends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest

from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.scheduling import cameras as module
from smplerx_ros.pipeline.scheduling.cameras import Cameras, camera_name
from smplerx_ros.types import Frame

SECOND = 1_000_000_000


def ids() -> Iterator[str]:
    return (f"p{n}" for n in count(1))


def frame(source: str, stamp_ns: int = SECOND, size: tuple[int, ...] = (48, 64, 3)) -> Frame:
    return Frame(np.zeros(size, np.uint8), stamp_ns=stamp_ns, source=source)


def with_person(cameras: Cameras, source: str, stamp_ns: int = SECOND) -> str:
    """Lets a camera track somebody; returns the id."""
    first = frame(source, stamp_ns)
    cameras.begin([first])
    cameras[first].detected([Box(10, 5, 40, 45, 0.9)], stamp_ns, confirm=True)
    (identity,) = cameras[first].tracker.ids
    return identity


def test_two_frames_of_one_camera_are_named() -> None:
    cameras = Cameras(ids(), 1.0)
    expected = (
        r"^frames 1 and 2 are both of camera 'left' \(Frame.source, or else frame_id\): "
        r"give one frame a camera, or each camera its own name$"
    )
    with pytest.raises(InputError, match=expected):
        cameras.begin([frame("right"), frame("left"), frame("left")])
    assert len(cameras) == 0


def test_a_camera_goes_on_with_the_next_stamp_the_same_and_none() -> None:
    cameras = Cameras(ids(), 1.0)
    identity = with_person(cameras, "a")
    for stamp in (SECOND, SECOND + 1, 0, 2 * SECOND):
        assert cameras.begin([frame("a", stamp)]) == ()
        assert cameras[frame("a")].tracker.ids == [identity]


@pytest.mark.parametrize(
    "other", [{"stamp_ns": SECOND - 1}, {"stamp_ns": 1}, {"size": (48, 65, 3)}, {"size": (49, 64, 3)}]
)
def test_a_camera_starts_anew_where_time_goes_back_or_the_size_changes(other: dict[str, object]) -> None:
    cameras = Cameras(ids(), 1.0)
    identity = with_person(cameras, "a")
    again = frame("a", **other)  # type: ignore[arg-type]
    assert [event.id for event in cameras.begin([again])] == [identity]
    assert cameras[again].tracker.ids == []
    assert cameras[again].size == again.image.shape[:2]
    assert cameras.begin([again]) == ()


def test_the_events_of_all_cameras_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """One camera starts anew and, in the same call, the least recently used ones are forgotten."""
    monkeypatch.setattr(module, "_MAX_CAMERAS", 2)
    cameras = Cameras(ids(), 1.0)
    ended = [with_person(cameras, name) for name in ("a", "b")]
    kept = with_person(cameras, "c")  # "a" is forgotten
    events = cameras.begin([frame("b", 1), frame("d"), frame("e")])
    assert {event.id for event in events} == {ended[1], kept}
    assert [state.tracker.ids for state in cameras] == [[], [], []]
    assert len(cameras) == 3  # those of one call are never forgotten


def test_trackers_have_the_maximum_age_now_and_later() -> None:
    cameras = Cameras(ids(), 1.5)
    cameras.begin([frame("a")])
    assert [state.tracker.max_age for state in cameras] == [1.5]
    cameras.max_age = 3.0
    cameras.begin([frame("b")])
    assert [state.tracker.max_age for state in cameras] == [3.0, 3.0]
    assert cameras.max_age == 3.0


def test_a_camera_is_called_by_its_source_or_else_its_frame_id() -> None:
    assert camera_name(Frame(np.zeros((4, 4, 3), np.uint8), source="left", frame_id="optical")) == "left"
    assert camera_name(Frame(np.zeros((4, 4, 3), np.uint8), frame_id="optical")) == "optical"
