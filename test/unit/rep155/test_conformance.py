"""The check lets a good provider pass, and names the requirement that each broken one breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplerx_ros.rep155.conformance.recording import Message, Recording, Transform
from smplerx_ros.rep155.conformance.report import BREAKS, CONFORMS, NOTHING, exit_code, report
from smplerx_ros.rep155.conformance.requirements import FAIL, NOT_SEEN, PASS, REQUIREMENTS, WARN, judge
from support.rep155_recordings import (
    BODY,
    END,
    FACE,
    STAYS,
    URDF,
    good_recording,
    renamed,
    with_endpoints,
    with_messages,
    with_transforms,
)

GOOD = good_recording()
NOW_NS = 1_700_000_000_033_333_333
Break = Callable[[Recording], Recording]


def value(change: Callable[[object], object], *names: str) -> Break:
    return with_messages(lambda m: replace(m, value=change(m.value)), *names)


def turned(axis: str, degrees: float, prefix: str) -> Break:
    turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    return with_transforms(lambda t: replace(t, rotation=t.rotation @ turn), prefix)


def go_on_in_tf(good: Recording) -> Recording:
    last = [t for t in good.transforms if t.child == f"body_{BODY}"][-1]
    more = tuple(replace(last, time=time) for time in np.arange(STAYS, END, 0.1).tolist())
    return replace(good, transforms=(*good.transforms, *more))


def stale_topics(good: Recording) -> Recording:
    first = good.snapshots[0][1]
    return replace(good, snapshots=tuple((time, first) for time, _ in good.snapshots))


def never_empty(m: Message) -> Message | None:
    return m if m.value else None


def person_frames(good: Recording) -> Recording:
    more = tuple(replace(t, child=f"person_{BODY}") for t in good.transforms if t.child == f"body_{BODY}")
    return replace(good, transforms=(*good.transforms, *more))


def two_parents(good: Recording) -> Recording:
    more = tuple(replace(t, parent="map") for t in good.transforms if t.child == f"waist_{BODY}")
    return replace(good, transforms=(*good.transforms, *more))


def parent_of_the_camera(good: Recording) -> Recording:
    return replace(
        good, transforms=(*good.transforms, replace(good.transforms[0], parent=f"body_{BODY}", child="camera"))
    )


def no_urdf(good: Recording) -> Recording:
    return with_endpoints(lambda e: None, "urdf")(with_messages(lambda m: None, "urdf")(good))


def other_urdf(old: str, new: str) -> Break:
    return value(lambda text: URDF.replace(old, new), "urdf")


def late_stamps(m: Message) -> Message:
    return replace(m, stamp_ns=m.stamp_ns + 33_000_000)


BROKEN: dict[str, tuple[str, Break]] = {
    "no lists": ("lists", with_endpoints(lambda e: None, "tracked")),
    "a list of another type": (
        "lists",
        with_endpoints(lambda e: replace(e, type="std_msgs/msg/String"), "bodies/tracked"),
    ),
    "lists without stamps": ("lists", with_messages(lambda m: replace(m, stamp_ns=0), "bodies/tracked")),
    "a volatile list, sent on change only": (
        "late-joiners",
        lambda good: with_endpoints(lambda e: replace(e, latched=False), "tracked")(
            with_messages(lambda m: m if m.time in (0.0, STAYS) else None, "bodies/tracked")(good)
        ),
    ),
    "best effort regions": ("reliable", with_endpoints(lambda e: replace(e, reliable=False), "roi")),
    "best effort lists": ("reliable", with_endpoints(lambda e: replace(e, reliable=False), "bodies/tracked")),
    "an id that starts with a digit": ("ids", renamed(BODY, "1p")),
    "an id with a dash": ("ids", renamed(BODY, "p-1")),
    "no crops of bodies": ("required-topics", with_endpoints(lambda e: None, f"{BODY}/cropped")),
    "no regions of faces": ("required-topics", with_endpoints(lambda e: None, f"{FACE}/roi")),
    "crops that never come": ("required-topics", with_messages(lambda m: None, f"{BODY}/cropped")),
    "an empty list is never sent": ("empty-list", with_messages(never_empty, "bodies/tracked")),
    "topics that stay": ("stale-topics", stale_topics),
    "bodies as persons": ("persons", person_frames),
    "regions in pixels": ("regions", value(lambda roi: (128.0, 48.0, 384.0, 432.0, 0.8), "roi")),
    "regions that are not numbers": ("regions", value(lambda roi: (np.nan, 0.1, 0.6, 0.9, 0.8), f"{BODY}/roi")),
    "empty regions": ("regions", value(lambda roi: (0.6, 0.1, 0.2, 0.9, 0.8), f"{FACE}/roi")),
    "skeletons in pixels": ("skeletons", value(lambda points: np.asarray(points) * 640, "skeleton2d")),
    "landmarks in pixels": ("landmarks", value(lambda points: np.asarray(points) * 640, "landmarks")),
    "stamps of now()": ("stamps", with_messages(late_stamps, "roi", "skeleton2d")),
    "stamps of now() while a bag plays": (
        "stamps",
        with_messages(lambda m: replace(m, stamp_ns=m.stamp_ns + 10**18), "joint_states"),
    ),
    "stamps of now(), no camera in sight": (
        "stamps",
        lambda good: replace(with_messages(late_stamps, "roi")(good), image_stamps=frozenset(), cameras={}),
    ),
    "no matches": ("matches", with_messages(lambda m: None, "candidate_matches")),
    "matches with strangers": ("matches", value(lambda m: ("f9", 2, BODY, 3, 1.0), "candidate_matches")),
    "matches with themselves": ("matches", value(lambda m: (BODY, 3, BODY, 3, 1.0), "candidate_matches")),
    "no URDF": (
        "urdf",
        no_urdf,
    ),
    "a URDF that is not latched": ("urdf", with_endpoints(lambda e: replace(e, latched=False), "urdf")),
    "a URDF that is not XML": ("urdf", value(lambda text: "<robot", "urdf")),
    "a URDF with another root": ("urdf", other_urdf(f"body_{BODY}", f"base_{BODY}")),
    "a URDF without suffixes": ("kinematic-model", other_urdf(f"_{BODY}", "")),
    "a URDF with other joints": (
        "kinematic-model",
        other_urdf("l_y_hip", "left_hip_yaw"),
    ),
    "joints that the URDF lacks": (
        "joint-states",
        value(lambda angles: {f"left_hip_{BODY}": 0.0}, "joint_states"),
    ),
    "joints without suffixes": ("joint-states", value(lambda angles: {"waist": 0.0}, "joint_states")),
    "angles that are not numbers": (
        "joint-states",
        value(lambda angles: {**angles, f"waist_{BODY}": np.nan}, "joint_states"),
    ),
    "an elbow bent backwards": ("joint-limits", value(lambda a: {**a, f"l_elbow_{BODY}": -0.2}, "joint_states")),
    "no body frames": ("body-frame", with_transforms(lambda t: None, "body_")),
    "body frames below the map": ("body-frame", with_transforms(lambda t: replace(t, parent="map"), "body_")),
    "body frames with stamps of now()": (
        "body-frame",
        with_transforms(lambda t: replace(t, stamp_ns=t.stamp_ns + 33_000_000), "body_"),
    ),
    "SMPL-X's axes": ("body-axes", turned("x", 90, "body_")),
    "optical axes": ("body-axes", with_transforms(lambda t: replace(t, rotation=np.eye(3)), "body_")),
    "left for right": ("body-axes", turned("z", 180, "body_")),
    "the origin at the head": (
        "body-axes",
        with_transforms(lambda t: replace(t, position=t.position + (0.0, -1.0, 0.0)), "body_"),
    ),
    "a face that looks away": ("face-frame", turned("z", 180, "face_")),
    "a face upside down": ("face-frame", turned("x", 180, "face_")),
    "a face below the body": ("face-frame", with_transforms(lambda t: replace(t, parent=f"body_{BODY}"), "face_")),
    "a gaze with the face's axes": ("gaze-frame", with_transforms(lambda t: replace(t, rotation=np.eye(3)), "gaze_")),
    "a gaze somewhere else": (
        "gaze-frame",
        with_transforms(lambda t: replace(t, position=np.array([0.1, 0.0, 0.0])), "gaze_"),
    ),
    "no gaze": ("gaze-frame", with_transforms(lambda t: None, "gaze_")),
    "two broadcasters": ("one-parent", two_parents),
    "the camera below a person": ("one-parent", parent_of_the_camera),
    "people on /tf_static": ("not-static", with_transforms(lambda t: replace(t, static=True), "waist_")),
    "frames that go on": ("stale-frames", go_on_in_tf),
}


def verdicts(recording: Recording) -> dict[str, str]:
    return {finding.requirement.name: finding.verdict for finding in judge(recording)}


def test_a_good_provider_passes_everything() -> None:
    assert verdicts(GOOD) == dict.fromkeys((requirement.name for requirement in REQUIREMENTS), PASS)
    assert exit_code(judge(GOOD), GOOD) == CONFORMS


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_provider_is_told_which_requirement_it_breaks(name: str) -> None:
    requirement, broken = BROKEN[name]
    recording = broken(GOOD)
    findings = judge(recording)
    finding = next(f for f in findings if f.requirement.name == requirement)
    assert finding.verdict == (FAIL if finding.requirement.must else WARN), report(findings, recording)
    assert finding.complaints
    assert exit_code(findings, recording) == (BREAKS if finding.requirement.must else CONFORMS)
    assert f"{finding.verdict:8}  {requirement} " in report(findings, recording)


def test_every_requirement_can_be_broken() -> None:
    assert {requirement for requirement, _ in BROKEN.values()} == {r.name for r in REQUIREMENTS}


def test_an_empty_graph_shows_nothing() -> None:
    empty = Recording(0.0, 5.0)
    findings = judge(empty)
    assert exit_code(findings, empty) == NOTHING
    assert "no body or face was tracked" in report(findings, empty)


def test_a_provider_of_bodies_alone_is_judged_by_its_bodies() -> None:
    def bodies_only(good: Recording) -> Recording:
        def keep(text: str) -> bool:
            return "faces" not in text and FACE not in text and "matches" not in text

        return replace(
            good,
            messages=tuple(m for m in good.messages if keep(m.topic)),
            transforms=tuple(t for t in good.transforms if keep(t.child)),
            snapshots=tuple((t, tuple(e for e in es if keep(e.topic))) for t, es in good.snapshots),
        )

    found = verdicts(bodies_only(GOOD))
    assert found["face-frame"] == found["gaze-frame"] == found["landmarks"] == found["matches"] == NOT_SEEN
    assert FAIL not in found.values()


def test_somebody_seen_for_a_moment_is_not_asked_for_everything() -> None:
    """Discovery takes time: topics of an id that came at the very end may not have been seen."""
    late = Message(END - 0.2, "/humans/bodies/tracked", GOOD.messages[-1].stamp_ns, "camera", ("p2",))
    assert FAIL not in verdicts(replace(GOOD, messages=(*GOOD.messages, late))).values()


def test_one_wrong_estimate_does_not_make_the_axes_wrong() -> None:
    def flip_first(good: Recording) -> Recording:
        def change(t: Transform) -> Transform:
            return replace(t, rotation=np.eye(3)) if t.time < 0.15 else t

        return with_transforms(change, "body_")(good)

    assert verdicts(flip_first(GOOD))["body-axes"] == PASS
