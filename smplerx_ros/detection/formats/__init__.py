"""What exported detectors take and answer, by family: the image's form, and boxes with the score of one class."""

from __future__ import annotations

from smplerx_ros.arrays import FloatArray

from . import grids, queries, rows
from .base import GREY, IMAGENET_DEVIATION, IMAGENET_MEAN, LIKELY, Format, Graph, Outputs, Size, implausible

__all__ = [
    "FORMATS",
    "GREY",
    "IMAGENET_DEVIATION",
    "IMAGENET_MEAN",
    "LIKELY",
    "SAME_OUTPUTS",
    "FloatArray",
    "Format",
    "Graph",
    "Outputs",
    "Size",
    "doubt",
    "implausible",
    "recognised",
]

FORMATS: dict[str, Format] = queries.QUERIES | rows.ROWS | grids.GRIDS

# Formats that differ in the image alone: which one a file has, its answer to a picture shows.
SAME_OUTPUTS = (frozenset({"yolox_nms", "rtmdet"}), frozenset({"label_xyxy_score", "label_xyxy_score_bgr"}))


def recognised(graph: Graph) -> tuple[list[str], dict[str, str]]:
    """The names of the formats that a file may have, and why those that have its shapes are not among them.

    One name: it has that format. None: it has none of `FORMATS`. Several: nothing tells them apart; of `SAME_OUTPUTS`
    the likelier one comes first.
    """
    fitting = [name for name, form in FORMATS.items() if _fits(form, graph)]
    doubts = {name: reason for name in fitting if (reason := doubt(FORMATS[name], graph))}
    names = [name for name in fitting if name not in doubts]
    for tell_apart in (grids.tell_apart, queries.tell_apart, rows.tell_apart):
        names = tell_apart(names, graph)
    return names, doubts


def _fits(form: Format, graph: Graph) -> bool:
    return all(form.fits(answer, graph.size) for answer in graph.answers)


def doubt(form: Format, graph: Graph) -> str:
    """Why the file's answers are not of `form`, whose shapes they have; "" where they may be."""
    return next((reason for answer in graph.answers if (reason := form.doubt(answer, graph.size))), "")
