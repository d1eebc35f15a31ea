"""Boxes of the user's own detector: messages to boxes, and the topic against the node as a process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph import Graph
from hypothesis import given
from hypothesis import strategies as st
from std_msgs.msg import Header
from vision_msgs import msg as vision_msgs

from smplerx_ros.errors import InputError
from smplerx_ros.ros.conversions.from_detection_array import best_scores, boxes_from_message

NAN = float("nan")


def detection(x: float, y: float, width: float, height: float, theta: float = 0.0, **scores: float) -> Any:
    """A box round a centre; `scores` by class."""
    made = vision_msgs.Detection2D()
    # Not floats, but numbers all the same, would be sent as something else.
    made.bbox.center.position.x, made.bbox.center.position.y, made.bbox.center.theta = float(x), float(y), theta
    made.bbox.size_x, made.bbox.size_y = float(width), float(height)
    for name, score in scores.items():
        add_hypothesis(made, name, score)
    return made


def add_hypothesis(made: Any, name: str, score: float) -> None:
    result = vision_msgs.ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = name, float(score)
    made.results.append(result)


def array(*detections: Any, header: Header | None = None) -> Any:
    return vision_msgs.Detection2DArray(header=header or Header(), detections=list(detections))


def boxes(*detections: Any, person_class: str = "") -> tuple[list[list[float]], str]:
    found, complaint = boxes_from_message(array(*detections), "/detections", "camera", 160, 120, person_class)
    return [[*box.xyxy.tolist(), round(box.score, 6)] for box in found], complaint


def test_centres_and_sizes_become_corners() -> None:
    assert boxes(detection(50, 40, 20, 30, person=0.5)) == ([[40, 25, 60, 55, 0.5]], "")


def test_a_turned_box_counts_with_its_corners() -> None:
    ((x0, y0, x1, y1, _),), _ = boxes(detection(80, 60, 20, 40, np.pi / 2))
    assert [x0, y0, x1, y1] == pytest.approx([60, 50, 100, 70])


def test_other_classes_are_no_persons_and_no_fault() -> None:
    both = detection(50, 40, 20, 30, dog=0.9), detection(90, 40, 20, 30, person=0.4, dog=0.6)
    assert boxes(*both, person_class="person") == ([[80, 25, 100, 55, 0.4]], "")
    assert [row[4] for row in boxes(*both)[0]] == [0.9, 0.6]
    assert boxes(detection(50, 40, 20, 30), person_class="person") == ([], "")  # nobody says that it is one
    assert boxes(detection(50, 40, 20, 30))[0][0][4] == 1.0


def test_bad_boxes_are_dropped_and_the_good_ones_stay() -> None:
    bad = [
        detection(NAN, 40, 20, 30),
        detection(50, float("inf"), 20, 30),
        detection(50, 40, -20, 30),
        detection(50, 40, 0, 30),
        detection(50, 40, 20, 30, NAN),
        detection(900, 900, 20, 30),
        detection(50, 40, 20, 30, person=NAN),
    ]
    found, complaint = boxes(*bad, detection(50, 40, 20, 30))
    assert found == [[40, 25, 60, 55, 1.0]]
    assert complaint.startswith("/detections: 7 of 8 boxes dropped")


@pytest.mark.parametrize("scores", [(NAN, 0.8), (0.8, NAN), (float("inf"), 0.8), (0.3, NAN, 0.8)])
def test_a_score_that_is_not_finite_does_not_cost_the_other_hypotheses(scores: tuple[float, ...]) -> None:
    made = detection(50, 40, 20, 30)
    for score in scores:
        add_hypothesis(made, "person", score)
    assert boxes(made, person_class="person") == ([[40, 25, 60, 55, 0.8]], "")
    assert best_scores(array(made)) == {"person": 0.8}


def test_scores_in_per_cent_are_told() -> None:
    found, complaint = boxes(detection(50, 40, 20, 30, person=87), detection(90, 40, 20, 30, person=12))
    assert [row[4] for row in found] == [1.0, 1.0]
    assert complaint.startswith("/detections: 2 of 2 boxes have scores above 1, up to 87")
    assert "divided by 100" in complaint
    assert boxes(detection(50, 40, 20, 30, person=1.0000001))[1] == ""
    _, both = boxes(detection(50, 40, 20, 30, person=87), detection(50, 40, -20, 30, person=12))
    assert "1 of 2 boxes dropped" in both
    assert "1 of 2 boxes have scores above 1" in both


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [float("inf"), -float("inf"), NAN, 1.7e308])
@pytest.mark.parametrize("field", range(5))
def test_numbers_beyond_all_bounds_are_dropped_without_a_warning_of_numpy(field: int, number: float) -> None:
    values = [50.0, 40.0, 20.0, 30.0, 0.0]
    values[field] = number
    assert all(0 <= x0 < x1 <= 160 for x0, _, x1, _, _ in boxes(detection(*values), detection(*[number] * 5))[0])


def test_a_crowd_passes_and_a_flood_is_cut() -> None:
    assert len(boxes(*[detection(80, 60, 9, 9)] * 60)[0]) == 60
    found, complaint = boxes(*[detection(80, 60, 9, 9)] * 3000)
    assert len(found) == 100
    assert "2900 of 3000" in complaint


def test_boxes_of_another_camera_are_refused() -> None:
    message = array(detection(50, 40, 20, 30), header=Header(frame_id="rear"))
    with pytest.raises(InputError, match="/detections is in frame 'rear', the image in 'front'"):
        boxes_from_message(message, "/detections", "front", 160, 120)


numbers = st.floats(width=32)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers, numbers), max_size=5))
def test_whatever_comes_boxes_lie_in_the_image(rows: list[tuple[float, ...]]) -> None:
    for x0, y0, x1, y1, score in boxes(*[detection(*row[:5], person=row[5]) for row in rows])[0]:
        assert 0 <= x0 < x1 <= 160
        assert 0 <= y0 < y1 <= 120
        assert 0 <= score <= 1


@pytest.fixture
def topic(graph: Graph, start_node: Any) -> Any:
    """The node that takes boxes from its topic, and the publisher of them."""
    node = start_node("detector:=topic", "detection.topic_class:=person", "max_people:=3", "camera_info_timeout:=0.0")
    publisher = graph.node.create_publisher(vision_msgs.Detection2DArray, "detections", 5)
    graph.connect()
    graph.spin_until(publisher.get_subscription_count)
    return node, publisher


def seen_with(graph: Graph, publisher: Any, *detections: Any) -> Any:
    """The people of an image for which these detections came."""
    stamps = []

    def answered() -> Any:
        image = graph.image()
        stamps.append(image.header.stamp)
        publisher.publish(array(*detections, header=image.header))
        graph.images.publish(image)
        before = len(graph.people)
        for _ in range(4):
            graph.spin_once()
        answers = [people for people in graph.people[before:] if people.header.stamp in stamps]
        return next((people for people in answers if len(people.people) != 1), None)  # one: none had come

    return graph.spin_until(answered)


def test_people_are_where_the_topic_says(graph: Graph, topic: Any) -> None:
    node, publisher = topic
    people = seen_with(graph, publisher, *[detection(20 + 20 * k, 60, 15, 40, person=0.9) for k in range(2)])
    assert (len(people.people), people.num_not_estimated) == (2, 0)
    crowd = [detection(3 * k, 60, 15, 40, person=0.9) for k in range(50)]
    people = graph.spin_until(
        lambda: next((p for p in [seen_with(graph, publisher, *crowd)] if p.num_not_estimated), None)
    )
    assert (len(people.people), people.num_not_estimated) == (3, 47)
    assert len(seen_with(graph, publisher, detection(20, 60, 15, 40, dog=0.9)).people) == 0
    assert node.alive()


def test_bad_boxes_are_told_and_survived(graph: Graph, topic: Any) -> None:
    node, publisher = topic
    bad = [detection(NAN, 60, 15, 40, person=0.9), detection(20, 60, -15, 40, person=0.9)]
    good = [detection(20 + 20 * k, 60, 15, 40, person=0.9) for k in range(2)]
    assert len(seen_with(graph, publisher, *bad, *good).people) == 2
    assert "/detections: 2 of 4 boxes dropped" in node.log
    graph.diagnostic(lambda level, message, values: "dropped: bad_detections" in values)
    assert node.alive()
    assert "Traceback" not in node.log


def test_a_topic_that_never_comes_is_named_and_frames_go_on(graph: Graph, start_node: Any) -> None:
    node = start_node("detector:=topic", "camera_info_timeout:=0.0")
    graph.connect()

    def told() -> bool:
        graph.images.publish(graph.image())
        return "/detections: no vision_msgs/Detection2DArray near the images' times" in node.log

    graph.spin_until(told)
    graph.spin_until(lambda: told() and graph.people)
    graph.images.publish(graph.image())
    graph.diagnostic(lambda level, message, values: level == 1 and "no_detections" in message and told())
    assert node.log.count("no vision_msgs/Detection2DArray") == 1
    assert node.alive()


def test_stamps_that_do_not_match_are_told(graph: Graph, start_node: Any) -> None:
    node = start_node("detector:=topic", "camera_info_timeout:=0.0", "detection.sync_tolerance:=0.01")
    publisher = graph.node.create_publisher(vision_msgs.Detection2DArray, "detections", 5)
    graph.connect()
    graph.spin_until(publisher.get_subscription_count)

    def told() -> bool:
        publisher.publish(array(header=graph.header()))
        graph.images.publish(graph.image())  # stamped 0.1 s later
        return "see detection.sync_tolerance" in node.log

    graph.spin_until(told)
    assert node.alive()


def test_detections_are_not_subscribed_unless_asked_for(graph: Graph, start_node: Any) -> None:
    start_node()
    publisher = graph.node.create_publisher(vision_msgs.Detection2DArray, "detections", 5)
    graph.connect()
    assert graph.estimate().people
    assert publisher.get_subscription_count() == 0


@pytest.mark.parametrize(
    ("given", "scores", "words"),
    [
        ("person", {"0": 0.9}, "none is of class 'person' (detection.topic_class); received: '0' (score up to 0.90)"),
        ("person", {"Person": 0.9}, "did you mean 'Person'?"),
        ("", {"person": 0.0}, "no score reaches detection.threshold, 0.2; received: 'person' (score up to 0.00)"),
    ],
)
def test_boxes_that_vanish_are_told(
    graph: Graph, start_node: Any, given: str, scores: dict[str, float], words: str
) -> None:
    node = start_node("detector:=topic", f"detection.topic_class:='{given}'", "camera_info_timeout:=0.0")
    publisher = graph.node.create_publisher(vision_msgs.Detection2DArray, "detections", 5)
    graph.connect()
    graph.spin_until(publisher.get_subscription_count)

    def told() -> bool:
        image = graph.image()
        publisher.publish(array(detection(80, 60, 15, 40, **scores), header=image.header))
        graph.images.publish(image)
        graph.spin_once()
        return words in node.log

    graph.spin_until(told, 40.0)
    graph.diagnostic(lambda level, text, values: told() and level == 1 and "no_person_boxes" in text)
