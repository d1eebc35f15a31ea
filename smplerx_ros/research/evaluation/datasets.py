"""Data sets on which SMPLer-X is evaluated: evaluation protocol, published results, and where to get the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from smplerx_ros.errors import ConfigError, InputError

from .humandata import HumanData, boxes_with_confidence, read_humandata

HUMANDATA_PAGE = "the HumanData files of https://github.com/SMPLCap/SMPLer-X (its page says where), images from {}"
_RATIO = 1.2  # crop to box, for tight boxes
_PADDED_RATIO = 1.2 * 0.833  # for HumanData's boxes, which already include a padding of 1.2
_HANDS_AND_FACE = (
    *("pve", "pve_hands", "pve_face", "pa_pve", "pa_pve_hands", "pa_pve_face"),
    *("pa_mpjpe", "pa_mpjpe_hands"),
)


@dataclass(frozen=True)
class EvaluationSet:
    """Evaluation protocol of one data set."""

    name: str
    title: str
    annotations: tuple[str, ...]  # glob patterns of file names
    where: str  # to get it
    metrics: tuple[str, ...]
    box_ratio: float  # crop to stored box
    truth: str = "smplx"  # or "scan": EHF's aligned meshes; "smpl": joints of SMPL bodies
    gendered: bool = False  # the ground truth uses body models of the people's genders
    visible_only: bool = False  # only points inside the image are evaluated
    interval: int = 1  # every n-th person is evaluated
    paper: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # mm, best published model


_ENTRIES = (
    EvaluationSet(
        name="ehf",
        title="EHF",
        annotations=("EHF.json", "ehf*.npz"),
        where="images and *_align.ply from https://smpl-x.is.tue.mpg.de, EHF.json (boxes) as SMPLer-X's page describes",
        metrics=_HANDS_AND_FACE,
        box_ratio=_RATIO,
        truth="scan",
        paper=MappingProxyType({"pve": 62.4, "pa_pve": 37.1}),
    ),
    EvaluationSet(
        name="3dpw",
        title="3DPW (test)",
        annotations=("pw3d_test*.npz", "3dpw_test*.npz"),
        where=HUMANDATA_PAGE.format("https://virtualhumans.mpi-inf.mpg.de/3DPW"),
        metrics=("mpjpe", "pa_mpjpe"),
        box_ratio=_RATIO,
        truth="smpl",
        gendered=True,
        paper=MappingProxyType({"mpjpe": 75.2}),
    ),
    EvaluationSet(
        name="agora",
        title="AGORA (validation)",
        annotations=("agora_val*.npz",),
        where=HUMANDATA_PAGE.format("https://agora.is.tue.mpg.de"),
        metrics=(
            *("nmve", "nmve_body", "nmje", "pve", "pve_body", "pve_face", "pve_hands", "mpjpe"),
            *("pa_pve", "pa_pve_hands", "pa_pve_face"),
        ),
        box_ratio=_PADDED_RATIO,
        gendered=True,
        paper=MappingProxyType({"nmve": 107.2, "nmve_body": 68.3, "pve": 99.7, "pve_face": 29.9, "pve_hands": 39.3}),
    ),
    EvaluationSet(
        name="ubody",
        title="UBody (intra-scene test)",
        annotations=("ubody*test*.npz",),
        where=HUMANDATA_PAGE.format("https://osx-ubody.github.io"),
        metrics=_HANDS_AND_FACE,
        box_ratio=1.25,
        visible_only=True,
        interval=100,
        paper=MappingProxyType(
            {
                **{"pve": 57.5, "pve_hands": 40.2, "pve_face": 21.6},
                **{"pa_pve": 31.9, "pa_pve_hands": 10.3, "pa_pve_face": 2.8},
            }
        ),
    ),
    EvaluationSet(
        name="egobody",
        title="EgoBody (egocentric test)",
        annotations=("egobody_egocentric_test*.npz",),
        where=HUMANDATA_PAGE.format("https://sanweiliti.github.io/egobody/egobody.html"),
        metrics=_HANDS_AND_FACE,
        box_ratio=_PADDED_RATIO,
        paper=MappingProxyType({"pve": 63.6}),
    ),
    EvaluationSet(
        name="synthetic",
        title="rendered people",
        annotations=("humandata.npz", "*.npz"),
        where="python -m smplerx_ros synthesize",
        metrics=("mpjpe", *_HANDS_AND_FACE),
        box_ratio=_PADDED_RATIO,
    ),
)
DATASETS: Mapping[str, EvaluationSet] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


@dataclass(frozen=True, eq=False)
class LoadedSet:
    """An evaluation set with its annotations; people are addressed by their rows."""

    spec: EvaluationSet
    folder: Path
    annotations: Path
    people: HumanData

    def image_path(self, row: int) -> Path:
        """Return the path of the image of a person."""
        return self.folder / self.people.image_paths[row]

    def scan_path(self, row: int) -> Path:
        """Return the path of the aligned scan (ground-truth mesh) of a person of EHF."""
        image = self.image_path(row)
        return image.with_name(image.stem.removesuffix("_img") + "_align.ply")


def load_set(name: str, folder: Path, annotations: Path | None = None, limit: int | None = None) -> LoadedSet:
    """Load the annotations of a data set and check that its images exist.

    Args:
        name: Key of DATASETS.
        folder: Folder with the images and annotations.
        annotations: Annotation file; None: found in `folder` by its usual name.
        limit: Use only the first `limit` people.

    Raises:
        ConfigError: If the data set is unknown.
        InputError: If a file is missing (the message says where to get it) or nobody is annotated.
    """
    if name not in DATASETS:
        raise ConfigError(f"data set {name!r} is unknown; choose one of {', '.join(DATASETS)}")
    spec = DATASETS[name]
    path = annotations or _annotations(spec, folder)
    families = ("smpl" if spec.truth == "smpl" else "smplx",)  # parameters of another body model are not ground truth
    people = _read_ehf(path) if path.suffix == ".json" else read_humandata(path, families)
    loaded = LoadedSet(spec, folder, path, people.select(np.arange(0, len(people), spec.interval)[:limit]))
    if not len(loaded.people):
        raise InputError(f"{path}: nobody is annotated in it")
    rows = range(len(loaded.people))
    _require(spec, "image", [loaded.image_path(row) for row in rows])
    if spec.truth == "scan":
        _require(spec, "scan", [loaded.scan_path(row) for row in rows])
    return loaded


def _require(spec: EvaluationSet, kind: str, paths: list[Path]) -> None:
    files = dict.fromkeys(paths)
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise InputError(
            f"{missing[0]}: no such {kind} ({len(missing)} of {len(files)} are missing); "
            f"{spec.title} needs: {spec.where}"
        )


def _annotations(spec: EvaluationSet, folder: Path) -> Path:
    for pattern in spec.annotations:
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise InputError(f"{folder}: several annotations for {spec.title}: {names}; name one with --annotations")
    patterns = " or ".join(spec.annotations)
    raise InputError(f"{folder}: no annotations of {spec.title} ({patterns}) in it; needed: {spec.where}")


def _read_ehf(path: Path) -> HumanData:
    """Read EHF.json: COCO layout with a `body_bbox` (x, y, width, height) per annotation."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        rows = [(names[entry["image_id"]], entry["body_bbox"]) for entry in content["annotations"]]
        boxes = boxes_with_confidence(np.reshape([box for _, box in rows], (len(rows), 4)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no annotations in COCO's layout with body_bbox ({error!r})") from error
    return HumanData(tuple(name for name, _ in rows), boxes)
