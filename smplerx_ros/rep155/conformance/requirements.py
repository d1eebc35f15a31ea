"""The requirements of REP-155 for providers of bodies and faces, as a table of rules over a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from . import frames, graph, model, values
from .recording import Recording

# A rule yields one entry per item checked: None if it conforms, else a description of the violation.
Rule = Callable[[Recording], Iterator[str | None]]

PASS, FAIL, WARN, NOT_SEEN = "pass", "FAIL", "warn", "not seen"


@dataclass(frozen=True)
class Requirement:
    """One line of the report. A violated `must` fails the provider, a violated `should` is a warning."""

    name: str
    text: str
    rule: Rule
    must: bool = True


@dataclass(frozen=True)
class Finding:
    """The verdict on one requirement, the number of items checked, and the distinct violations with their counts."""

    requirement: Requirement
    verdict: str
    judged: int
    complaints: tuple[str, ...]


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("lists", "tracked ids are IdsList messages with a stamp", graph.lists),
    Requirement("late-joiners", "a late reader gets the list: transient local, or sent again and again", graph.late),
    Requirement("reliable", "publishers under /humans are reliable, as pyhri and libhri subscribe", graph.reliable),
    Requirement("ids", "ids start with a letter and are legal in topic names", graph.ids),
    Requirement("required-topics", "each body and face has roi and cropped", graph.required),
    Requirement("empty-list", "ids leave the list when nothing is published for them any more", graph.leaving),
    Requirement("stale-topics", "topics of an id that left are taken down", graph.stale_topics),
    Requirement("persons", "bodies are not published as persons", graph.persons),
    Requirement("regions", "regions of interest lie in 0..1 and are not empty", values.regions),
    Requirement("skeletons", "skeleton2d has 18 points with x, y and confidence in 0..1", values.skeletons, must=False),
    Requirement("landmarks", "landmarks have 70 points with x, y and confidence in 0..1", values.landmarks, must=False),
    Requirement("stamps", "stamps are those of the images", values.stamps),
    Requirement("matches", "candidate_matches ties faces to bodies", values.matches, must=False),
    Requirement("urdf", "each body has a URDF on the latched topic urdf, rooted at body_<id>", model.urdf),
    Requirement("kinematic-model", "links and joints have the REP's names, each with _<id>", model.names),
    Requirement("joint-states", "joint states have the URDF's joints and finite angles", model.joint_states),
    Requirement("joint-limits", "angles are within the URDF's limits", model.limits),
    Requirement("body-frame", "body_<id> hangs below the sensor's frame, with the images' stamps", frames.body_frame),
    Requirement("body-axes", "body_<id>: x forward, y left, z to the head, origin between the hips", frames.body_axes),
    Requirement("face-frame", "face_<id> hangs below the sensor's frame, x out of the face, z up", frames.face_frame),
    Requirement("gaze-frame", "gaze_<id>: at the face, z along the gaze, x right, y down", frames.gaze_frame),
    Requirement("one-parent", "no frame has two parents, and the sensor's frame gets none", frames.one_parent),
    Requirement("not-static", "no frame of a person is on /tf_static", frames.not_static),
    Requirement("stale-frames", "frames of an id that left stop", frames.stale),
)


def judge(recording: Recording, requirements: Iterable[Requirement] = REQUIREMENTS) -> list[Finding]:
    """Check each requirement."""
    return [_finding(requirement, recording) for requirement in requirements]


def _finding(requirement: Requirement, recording: Recording) -> Finding:
    entries = list(requirement.rule(recording))
    complaints: dict[str, int] = {}
    for entry in entries:
        if entry is not None:
            complaints[entry] = complaints.get(entry, 0) + 1
    texts = tuple(text if number == 1 else f"{text} ({number} times)" for text, number in complaints.items())
    verdict = NOT_SEEN if not entries else (FAIL if requirement.must else WARN) if texts else PASS
    return Finding(requirement, verdict, len(entries), texts)
