"""Formats of exported detectors, by family: how images are passed in, and boxes and scores are read out."""

from __future__ import annotations

from smplerx_ros.arrays import FloatArray

from . import grids, queries, rows
from .base import CONFIDENT, GREY, IMAGENET_MEAN, IMAGENET_STD, Format, Outputs, ProbedModel, Size, implausible

__all__ = [
    "CONFIDENT",
    "FORMATS",
    "GREY",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "SAME_OUTPUTS",
    "FloatArray",
    "Format",
    "Outputs",
    "ProbedModel",
    "Size",
    "implausible",
    "matching_formats",
    "mismatch",
]

FORMATS: dict[str, Format] = queries.QUERIES | rows.ROWS | grids.GRIDS

# Formats that differ only in their preprocessing, so that the output for the sample image decides.
SAME_OUTPUTS = (frozenset({"yolox_nms", "rtmdet"}), frozenset({"label_xyxy_score", "label_xyxy_score_bgr"}))


def matching_formats(model: ProbedModel) -> tuple[list[str], dict[str, str]]:
    """Determine the formats that a model may have.

    Returns:
        The names of the possible formats, the likelier of `SAME_OUTPUTS` first; and, for each format that was excluded
        although its shapes match, the reason.
    """
    fitting = [name for name, form in FORMATS.items() if _fits(form, model)]
    mismatches = {name: reason for name in fitting if (reason := mismatch(FORMATS[name], model))}
    names = [name for name in fitting if name not in mismatches]
    for family in (grids, queries, rows):
        names = family.disambiguate(names, model)
    return names, mismatches


def _fits(form: Format, model: ProbedModel) -> bool:
    return all(form.fits(outputs, model.size) for outputs in model.samples)


def mismatch(form: Format, model: ProbedModel) -> str:
    """Reason why the model's outputs, whose shapes match `form`, are not of this format; "" if they may be."""
    return next((reason for outputs in model.samples if (reason := form.mismatch(outputs, model.size))), "")
