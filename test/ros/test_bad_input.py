"""What a camera can do wrong, against the node as a process: one message, a count, and the next good image is fine."""

from __future__ import annotations

import array
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from graph import HEIGHT, WIDTH, Graph
from node_process import NodeProcess
from sensor_msgs.msg import Image, RegionOfInterest


def spoiled_image(**fields: object) -> Callable[[Graph], None]:
    def send(graph: Graph) -> None:
        image = graph.image()
        for name, value in fields.items():
            setattr(image, name, value)
        graph.infos.publish(graph.info())
        graph.images.publish(image)

    return send


def empty_image(graph: Graph) -> None:
    graph.images.publish(Image(header=graph.header()))


def spoiled_info(**fields: object) -> Callable[[Graph], None]:
    def send(graph: Graph) -> None:
        info = graph.info()
        for name, value in fields.items():
            setattr(info, name, value)
        graph.infos.publish(info)
        graph.images.publish(graph.image())

    return send


def same_stamp_again(graph: Graph) -> None:
    image = graph.image()
    graph.images.publish(image)
    graph.spin_until(lambda: graph.people)
    graph.images.publish(image)


def stamp_a_little_back(graph: Graph) -> None:
    older = graph.image()
    graph.images.publish(graph.image())
    graph.spin_until(lambda: graph.people)
    graph.images.publish(older)


BAD = {
    "empty image": (empty_image, "bad_input", "/image: the image is empty"),
    "no width": (spoiled_image(width=0), "bad_input", "/image: the image is empty"),
    "small step": (spoiled_image(step=3), "bad_input", "/image: step 3"),
    "short data": (spoiled_image(data=array.array("B", bytes(99))), "bad_input", "/image: data has 99 bytes"),
    "long data": (spoiled_image(height=HEIGHT - 1), "bad_input", "/image: data has"),
    "encoding": (spoiled_image(encoding="nv12"), "bad_input", "/image: encoding 'nv12'"),
    "huge size": (spoiled_image(width=2**31, height=2**31), "bad_input", "pixels are more than the limit"),
    "zero K": (spoiled_info(k=[0.0] * 9), "camera_info", "/camera_info: 160x120, using k"),
    "NaN in K": (spoiled_info(k=[float("nan")] * 9), "camera_info", "/camera_info: 160x120, using k"),
    "unknown lens": (spoiled_info(d=[1.0], distortion_model="x"), "camera_info", "'x'"),
    "other size": (spoiled_info(width=2 * WIDTH), "bad_input", "/camera_info describes 320x120"),
    "roi": (spoiled_info(roi=RegionOfInterest(width=999, height=999)), "camera_info", "roi 999x999"),
    "stamp again": (same_stamp_again, "stamp_not_newer", "/image: stamp"),
    "stamp back": (stamp_a_little_back, "stamp_not_newer", "/image: stamp"),
}


class Table:
    """One node and one camera for the whole table: a fault must not leave anything behind."""

    def __init__(self, node: NodeProcess, graph: Graph) -> None:
        self.node, self.graph = node, graph
        graph.connect()
        graph.estimate()
        self._dropped: Counter[str] = Counter()

    def wait_for_drop(self, reason: str) -> None:
        """Until one more than before is reported."""
        self.graph.diagnostic(lambda level, message, values: self._count(values, reason) > self._dropped[reason])
        self._dropped[reason] = self._count(self.graph.next_diagnostic()[1], reason)

    @staticmethod
    def _count(values: dict[str, str], reason: str) -> int:
        return int(values.get(f"dropped: {reason}", "0"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    node, graph = NodeProcess(tmp_path_factory.mktemp("node") / "log"), Graph()
    yield Table(node, graph)
    graph.close()
    node.kill()


@pytest.mark.parametrize("name", BAD)
def test_the_node_survives_says_so_and_goes_on(table: Table, name: str) -> None:
    send, reason, text = BAD[name]
    node, graph = table.node, table.graph
    earlier = node.log.count(f"[{reason}")
    for _ in range(3):
        graph.people.clear()
        send(graph)
    table.wait_for_drop(reason)
    people = graph.estimate()
    assert people.header.frame_id == "test_camera"
    assert people.people
    assert node.alive()
    if earlier == 0:  # later rows with the same reason may fall into the silence after the first message
        assert text in node.log
    assert node.log.count(f"[{reason}") - earlier <= 1, "one message, not one per image"
    assert "Traceback" not in node.log
