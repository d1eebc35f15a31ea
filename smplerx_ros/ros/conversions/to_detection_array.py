"""People to vision_msgs/Detection2DArray: boxes with ids, published on `~/detections`."""

from __future__ import annotations

from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesis, ObjectHypothesisWithPose

from smplerx_ros.types import People, Person

PERSON_CLASS = "person"


def detection_array(people: People, header: Header) -> Detection2DArray:
    """One detection per person; boxes in pixels, clipped to the image. `header`: of the image."""
    height, width = people.frame.image.shape[:2]
    detections = [_detection(person, header, width, height) for person in people.people]
    return Detection2DArray(header=header, detections=detections)


def _detection(person: Person, header: Header, width: int, height: int) -> Detection2D:
    hypothesis = ObjectHypothesis(class_id=PERSON_CLASS, score=float(person.score))
    message = Detection2D(header=header, id=person.id, results=[ObjectHypothesisWithPose(hypothesis=hypothesis)])
    box = person.box
    x0, x1 = max(box.x0, 0.0), min(box.x1, float(width))
    y0, y1 = max(box.y0, 0.0), min(box.y1, float(height))
    message.bbox.center.position.x, message.bbox.center.position.y = (x0 + x1) / 2, (y0 + y1) / 2
    message.bbox.size_x, message.bbox.size_y = max(x1 - x0, 0.0), max(y1 - y0, 0.0)
    return message
