"""Evaluations from files to figures: perfect predictions, known errors, interruptions, detections, damaged input."""

from __future__ import annotations

import csv
import io
import json
import pickle
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smplerx_ros.body import BodyModel
from smplerx_ros.cli import main
from smplerx_ros.errors import ConfigError, InputError, ModelFileError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.rotations import matrix_from_rotvec
from smplerx_ros.research.evaluation.agora import pack_submission
from smplerx_ros.research.evaluation.body_models import BodyModels
from smplerx_ros.research.evaluation.datasets import DATASETS, load_set
from smplerx_ros.research.evaluation.evaluation import Evaluation
from smplerx_ros.research.evaluation.evaluators import load_evaluator
from smplerx_ros.research.evaluation.humandata import HumanData, write_humandata
from smplerx_ros.research.evaluation.report import markdown_table, notes, summarize, write_samples
from smplerx_ros.research.evaluation.results import Results, ResultStore, Status
from smplerx_ros.types import SmplxParams
from support.bodies import standin
from support.smplx_cases import write_model

from .sets import COUNT, HEIGHT, WIDTH, Oracle, random_bodies, write_set

ROOT = np.array([-2.98747896, 0.01172457, -0.05704687])  # EHF's scans to its camera


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return standin()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bodies with SMPL-X's topology and made-up shapes: two genders, and the neutral one."""
    folder = tmp_path_factory.mktemp("models")
    for gender, model in (("NEUTRAL", "wide"), ("MALE", "narrow"), ("FEMALE", "wide")):
        write_model(model, folder / f"SMPLX_{gender}.npz")
    return folder


def evaluated(
    name: str,
    folder: Path,
    oracle: Oracle,
    batch: int = 3,
    out: str = "out",
    models: Path | None = None,
    **options: Any,
) -> tuple[Evaluation, Results]:
    loaded = load_set(name, folder, folder / "humandata.npz")
    bodies = BodyModels(models)
    evaluation = Evaluation(loaded, oracle, load_evaluator(loaded, bodies), bodies.neutral, **options)
    return evaluation, evaluation.run(ResultStore(folder / out, {"set": name}), batch, lambda number: None)


def written(folder: Path, body: BodyModel, name: str, count: int = COUNT, **changes: Any) -> tuple[HumanData, Oracle]:
    """The set `name` and an oracle that is right."""
    count *= DATASETS[name].interval
    params = random_bodies(count)
    data = write_set(folder, body, params, ratio=DATASETS[name].box_ratio, **changes)
    return data, Oracle(data, SmplxParams(**data.params))


def write_scans(folder: Path, body: BodyModel, data: HumanData) -> None:
    """`*_align.ply` in EHF's own frame, ASCII."""
    meshes = body.vertices(data.smplx_params()).astype(np.float64) @ matrix_from_rotvec(ROOT)
    for path, mesh in zip(data.image_paths, meshes, strict=True):
        header = f"ply\nformat ascii 1.0\nelement vertex {len(mesh)}\n"
        header += "property float x\nproperty float y\nproperty float z\nend_header\n"
        text = io.StringIO()
        np.savetxt(text, mesh, fmt="%.17g")
        (folder / path.replace("_img.png", "_align.ply")).write_text(header + text.getvalue())


@pytest.mark.parametrize(
    ("name", "topology"),
    # EHF's truth are meshes of SMPL-X.
    [*((name, "stand-in") for name in ("agora", "egobody", "synthetic")), ("ehf", "SMPL-X"), ("agora", "SMPL-X")],
)
def test_perfect_predictions_have_no_error_in_any_measure(
    tmp_path: Path, models: Path, name: str, topology: str
) -> None:
    folder = models if topology == "SMPL-X" else None
    body = BodyModels(folder).neutral
    data, oracle = written(tmp_path, body, name)
    write_scans(tmp_path, body, data)
    evaluation, results = evaluated(name, tmp_path, oracle, models=folder)
    found = summarize(evaluation.dataset, results)
    assert set(DATASETS[name].metrics) <= set(found.errors)
    for measure, error in found.errors.items():
        assert found.counted[measure] == COUNT
        assert error == pytest.approx(0, abs=1e-4), measure  # mm
    assert found.status["measured"] == COUNT
    assert found.f1 == 1


def test_perfect_predictions_of_what_is_visible(tmp_path: Path, body: BodyModel) -> None:
    """UBody: every hundredth person, and of that one what lies in the image."""
    _, oracle = written(tmp_path, body, "ubody", count=2)
    evaluation, results = evaluated("ubody", tmp_path, oracle)
    found = summarize(evaluation.dataset, results)
    assert found.people == 2
    for measure, error in found.errors.items():
        assert error == pytest.approx(0, abs=1e-4), measure
        assert found.counted[measure] == 2


def test_what_is_outside_the_image_does_not_count(tmp_path: Path, body: BodyModel) -> None:
    """An image that ends at the waist: legs may be anywhere."""
    data, _ = written(tmp_path, body, "ubody", count=1, image_sizes=np.full((100, 2), (112, WIDTH)))
    wrong = SmplxParams(**data.params)
    wrong.body_pose[:, 3 * 3 : 5 * 3] += 0.5  # the knees
    _, results = evaluated("ubody", tmp_path, Oracle(data, wrong))
    assert results.errors["pa_pve_face"][0] == pytest.approx(0, abs=1e-4)
    (tmp_path / "whole").mkdir()
    whole, _ = written(tmp_path / "whole", body, "ubody", count=1)
    _, everything = evaluated("ubody", tmp_path / "whole", Oracle(whole, wrong))
    assert everything.errors["pve"][0] > 5 + results.errors["pve"][0]


def test_known_errors_come_out(tmp_path: Path, body: BodyModel) -> None:
    """A body moved as a whole has no error, one scaled about its origin none after a similarity."""
    data, _ = written(tmp_path, body, "synthetic")
    params = SmplxParams(**data.params)
    moved = replace(params, transl=params.transl + np.array([1, 2, 3], np.float32))
    _, results = evaluated("synthetic", tmp_path, Oracle(data, moved))
    assert results.errors["pve"].max() < 0.05  # single precision at 60 m
    turned = replace(params, jaw_pose=params.jaw_pose + np.array([0.3, 0, 0], np.float32))
    _, results = evaluated("synthetic", tmp_path, Oracle(data, turned), out="turned")
    jaws = np.linalg.norm(body.vertices(turned) - body.vertices(params), axis=-1)
    np.testing.assert_allclose(results.errors["pve"], 1000 * jaws.mean(axis=1), rtol=0.02)
    assert (results.errors["pve_face"] > 2 * results.errors["pve"]).all()
    assert results.errors["pve_hands"].max() < 0.05


def test_a_killed_run_goes_on(tmp_path: Path, body: BodyModel) -> None:
    data, oracle = written(tmp_path, body, "synthetic", count=7)
    _, unbroken = evaluated("synthetic", tmp_path, oracle, batch=2)
    with pytest.raises(KeyboardInterrupt):
        evaluated("synthetic", tmp_path, replace(oracle, asked=0, stop_after=4), batch=2, out="again")
    rest = replace(oracle, asked=0)
    _, resumed = evaluated("synthetic", tmp_path, rest, batch=3, out="again")
    assert rest.asked == len(data) - 4
    np.testing.assert_array_equal(resumed.rows, np.arange(7))
    for name, values in unbroken.errors.items():
        np.testing.assert_allclose(resumed.errors[name], values, rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(resumed.params["betas"], data.params["betas"])
    finished = replace(oracle, asked=0)
    evaluated("synthetic", tmp_path, finished, out="again")
    assert finished.asked == 0


def test_other_settings_are_not_mixed(tmp_path: Path) -> None:
    ResultStore(tmp_path, {"backbone": "s32", "people": 3})
    ResultStore(tmp_path, {"backbone": "s32", "people": 3})
    with pytest.raises(ConfigError, match="backbone was 's32', is 'b32'"):
        ResultStore(tmp_path, {"backbone": "b32", "people": 3})


def test_damaged_settings_and_a_folder_that_takes_nothing_are_named(tmp_path: Path) -> None:
    store = ResultStore(tmp_path, {"backbone": "s32"})
    (tmp_path / "parts").rmdir()
    one = np.zeros(1, np.int64)
    with pytest.raises(InputError, match=r"part_00000000\.npz: cannot be written"):
        store.write(Results.empty(one, one, one, [Status.NO_BODY]))
    for content in ("", "[1, 2]"):
        (tmp_path / "settings.json").write_text(content)
        with pytest.raises(InputError, match=r"settings\.json: damaged"):
            ResultStore(tmp_path, {"backbone": "s32"})


def test_a_damaged_part_is_named(tmp_path: Path, body: BodyModel) -> None:
    _, oracle = written(tmp_path, body, "synthetic")
    evaluated("synthetic", tmp_path, oracle)
    part = sorted((tmp_path / "out" / "parts").glob("*.npz"))[0]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(InputError, match=f"{part.name}: damaged"):
        evaluated("synthetic", tmp_path, oracle)


def test_images_that_cannot_be_read_and_empty_boxes_are_noted(tmp_path: Path, body: BodyModel) -> None:
    params = random_bodies(4)
    data = write_set(tmp_path, body, params, ratio=1)
    boxes = data.boxes.copy()
    boxes[2, 2] = 0
    data = write_set(tmp_path, body, params, ratio=1, boxes=boxes)
    (tmp_path / data.image_paths[1]).write_bytes(b"no image")
    evaluation, results = evaluated("synthetic", tmp_path, Oracle(data, params))
    expected = [Status.MEASURED, Status.NO_IMAGE, Status.NO_BODY, Status.MEASURED]
    assert results.status.tolist() == expected
    assert np.isnan(results.errors["pve"]).tolist() == [False, True, True, False]
    found = summarize(evaluation.dataset, results)
    assert found.counted["pve"] == 2
    about = {"body_model": "standin_anny", **evaluation.evaluator.metadata}
    assert any("1 no image, 1 no body" in line for line in notes(evaluation.dataset, found, about))


def test_predictions_that_are_no_numbers_are_failures(tmp_path: Path, body: BodyModel) -> None:
    """They do not leave the mean in silence, and AGORA's measures pay for them."""
    _, oracle = written(tmp_path, body, "agora")
    failed = replace(oracle.params, betas=oracle.params.betas.copy(), leye_pose=oracle.params.leye_pose * np.nan)
    failed.betas[1] = np.nan
    evaluation, results = evaluated("agora", tmp_path, replace(oracle, params=failed))
    assert results.status.tolist() == [Status.MEASURED, Status.NO_BODY, Status.MEASURED, Status.MEASURED]
    found = summarize(evaluation.dataset, results)
    assert found.status["no_body"] == 1
    assert found.f1 == pytest.approx(2 * 3 / (4 + 4))


class Boxes:
    """A detector that finds the people of the truth but the last, and somebody who is not there."""

    def __init__(self, data: HumanData) -> None:
        self._boxes = [Box(x, y, x + w, y + h) for x, y, w, h, _ in data.boxes.tolist()]

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        found = []
        for image in images:
            first = 2 * int(image[0, 0, 0])
            own = self._boxes[first : first + 2]
            found.append([Box(1, 1, 20, 40), *reversed(own)] if first + 2 < len(self._boxes) else own[:1])
        return found


def test_detected_people_are_matched_and_counted(tmp_path: Path, body: BodyModel) -> None:
    ratio = 1.25
    params = random_bodies(6)
    data = write_set(tmp_path, body, params, ratio=ratio, per_image=2)
    oracle = Oracle(data, SmplxParams(**data.params), detection_ratio=ratio)
    evaluation, results = evaluated("agora", tmp_path, oracle, detector=Boxes(data))
    assert results.status.tolist() == [Status.MEASURED] * 5 + [Status.NOT_DETECTED]
    assert results.detections.tolist() == [3, 3, 1]
    found = summarize(evaluation.dataset, results)
    assert found.f1 == pytest.approx(2 * 5 / (7 + 6))  # 3 + 3 + 1 detections, 6 people
    assert found.errors["pve"] == pytest.approx(0, abs=1e-4)
    bent = replace(oracle.params, body_pose=oracle.params.body_pose + np.float32(0.05))
    _, wrong = evaluated("agora", tmp_path, replace(oracle, params=bent), out="bent", detector=Boxes(data))
    raised = summarize(evaluation.dataset, wrong)
    assert raised.errors["nmve"] == pytest.approx(raised.errors["pve"] / raised.f1)
    assert raised.errors["nmje"] == pytest.approx(raised.errors["mpjpe"] / raised.f1)


def test_agoras_submission(tmp_path: Path, body: BodyModel) -> None:
    data, oracle = written(tmp_path, body, "agora", count=3)
    evaluated("agora", tmp_path, oracle, submission=tmp_path / "submission")
    path = pack_submission(tmp_path / "submission")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"predictions/0{i}_img_personId_0.pkl" for i in range(3)]
        person = pickle.loads(archive.read("predictions/01_img_personId_0.pkl"))
    assert set(person) == {"params", "joints"}
    assert person["joints"].shape == (1, 144, 2)
    scale = [3840 / WIDTH, 2160 / HEIGHT]
    assert data.keypoints2d is not None
    np.testing.assert_allclose(person["joints"][0], data.keypoints2d.points[1] * scale, atol=0.05)
    shapes = {name: value.shape for name, value in person["params"].items()}
    assert shapes["body_pose"] == (1, 63)
    assert shapes["betas"] == shapes["expression"] == (1, 10)
    assert len(shapes) == 10


def test_truth_of_genders_is_posed_with_their_bodies(tmp_path: Path, models: Path) -> None:
    genders = ("neutral", "male", "f", "female")
    _, oracle = written(tmp_path, BodyModels(models).neutral, "agora", genders=genders)
    _, results = evaluated("agora", tmp_path, oracle, models=models)
    right = results.errors["pve"] < 1e-4
    assert right.tolist() == [True, False, True, True]  # the neutral and the female file are the same
    bodies = BodyModels(models)
    male, neutral = (body.vertices(oracle.params[1])[0] for body in (bodies.for_gender("m"), bodies.neutral))
    steps = np.linalg.norm(male - neutral, axis=-1)
    assert results.errors["pve"][1] == pytest.approx(1000 * steps.mean(), rel=0.5)


def test_tables_hold_the_papers_figures(tmp_path: Path, body: BodyModel) -> None:
    data, oracle = written(tmp_path, body, "ubody", count=1)
    evaluation, results = evaluated("ubody", tmp_path, oracle)
    text = markdown_table(evaluation.dataset, summarize(evaluation.dataset, results))
    assert "| PVE (MVE) | 0.0 | 57.5 | 1 |" in text
    assert "| PA-PVE hands | 0.0 | 10.3 | 1 |" in text
    assert "| PA-MPJPE, 14 joints | 0.0 |  | 1 |" in text
    remarks = " ".join(notes(evaluation.dataset, summarize(evaluation.dataset, results), evaluation.evaluator.metadata))
    assert "not comparable" in remarks
    assert "stand-in, not SMPL-X" in remarks
    write_samples(tmp_path / "samples.csv", evaluation.dataset, results)
    rows = list(csv.DictReader((tmp_path / "samples.csv").open()))
    assert [row["image"] for row in rows] == [data.image_paths[0]]
    assert float(rows[0]["pve"]) == pytest.approx(0, abs=1e-3)


def test_the_papers_figures() -> None:
    """As in its tables, mm."""
    assert {name: dict(entry.paper) for name, entry in DATASETS.items()} == {
        "ehf": {"pve": 62.4, "pa_pve": 37.1},
        "3dpw": {"mpjpe": 75.2},
        "agora": {"nmve": 107.2, "nmve_body": 68.3, "pve": 99.7, "pve_face": 29.9, "pve_hands": 39.3},
        "ubody": {
            **{"pve": 57.5, "pve_hands": 40.2, "pve_face": 21.6},
            **{"pa_pve": 31.9, "pa_pve_hands": 10.3, "pa_pve_face": 2.8},
        },
        "egobody": {"pve": 63.6},
        "synthetic": {},
    }
    assert all(set(entry.paper) <= set(entry.metrics) for entry in DATASETS.values())


def test_ehfs_own_annotations(tmp_path: Path, models: Path) -> None:
    body = BodyModels(models).neutral
    data, oracle = written(tmp_path, body, "ehf")
    write_scans(tmp_path, body, data)
    content = {
        "images": [{"id": 10 + i, "file_name": path} for i, path in enumerate(data.image_paths)],
        "annotations": [
            {"id": i, "image_id": 10 + i, "body_bbox": box[:4]} for i, box in enumerate(data.boxes.tolist())
        ],
    }
    (tmp_path / "humandata.npz").unlink()
    (tmp_path / "EHF.json").write_text(json.dumps(content))
    loaded = load_set("ehf", tmp_path)
    assert loaded.people.image_paths == data.image_paths
    np.testing.assert_array_equal(loaded.people.boxes, data.boxes)
    errors = load_evaluator(loaded, BodyModels(models)).errors(np.arange(4), oracle.params)
    assert max(values.max() for values in errors.values()) < 1e-4
    boxless = {**content, "annotations": [{"image_id": 10, "body_bbox": [1, 2, 3]}]}
    for damaged in ({"images": [], "annotations": [{"image_id": 3}]}, boxless, []):
        (tmp_path / "EHF.json").write_text(json.dumps(damaged))
        with pytest.raises(InputError, match=r"EHF\.json: no annotations .* body_bbox"):
            load_set("ehf", tmp_path)


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_missing_is_named_with_where_it_comes_from(tmp_path: Path, body: BodyModel, name: str) -> None:
    with pytest.raises(InputError, match="no annotations of") as nothing:
        load_set(name, tmp_path)
    assert DATASETS[name].where in str(nothing.value)
    data, _ = written(tmp_path, body, name, count=1)
    (tmp_path / data.image_paths[0]).unlink()
    with pytest.raises(InputError, match=r"00_img\.png: no such image .* needs: ") as no_image:
        load_set(name, tmp_path, tmp_path / "humandata.npz")
    assert DATASETS[name].where in str(no_image.value)


def test_a_missing_scan_and_missing_bodies_are_named(tmp_path: Path, models: Path) -> None:
    _, oracle = written(tmp_path, BodyModels(models).neutral, "ehf", count=1)
    with pytest.raises(InputError, match=r"00_align\.ply: no such scan .* needs: ") as no_scan:
        evaluated("ehf", tmp_path, oracle, models=models)
    assert DATASETS["ehf"].where in str(no_scan.value)
    (tmp_path / "00_align.ply").touch()
    with pytest.raises(ConfigError, match=r"SMPL-X meshes, but the body model is standin_anny.*--body-models"):
        evaluated("ehf", tmp_path, oracle)
    with pytest.raises(ModelFileError, match=r"SMPLX_FEMALE\.npz: no such file"):
        BodyModels(tmp_path).for_gender("f")
    loaded = load_set("3dpw", tmp_path, tmp_path / "humandata.npz")
    with pytest.raises(ConfigError, match=r"SMPL_NEUTRAL\.pkl.*--body-models"):
        load_evaluator(loaded, BodyModels(None))


def test_a_body_of_a_gender_is_missed_before_anything_is_measured(tmp_path: Path, models: Path) -> None:
    (tmp_path / "SMPLX_NEUTRAL.npz").symlink_to(models / "SMPLX_NEUTRAL.npz")
    written(tmp_path, BodyModels(models).neutral, "agora", genders=("neutral", "neutral", "neutral", "male"))
    loaded = load_set("agora", tmp_path, tmp_path / "humandata.npz")
    with pytest.raises(ModelFileError, match=r"SMPLX_MALE\.npz: no such file.*smpl-x\.is\.tue\.mpg\.de"):
        load_evaluator(loaded, BodyModels(tmp_path))


@pytest.mark.parametrize("changes", [{"params": {}}, {"family": "smpl"}])
def test_annotations_without_bodies_of_smplx_are_no_truth(
    tmp_path: Path, body: BodyModel, changes: dict[str, Any]
) -> None:
    data, _ = written(tmp_path, body, "egobody")
    write_humandata(tmp_path / "humandata.npz", replace(data, **changes))
    loaded = load_set("egobody", tmp_path, tmp_path / "humandata.npz")
    with pytest.raises(InputError, match=r"humandata\.npz: smplx has no global_orient, body_pose"):
        load_evaluator(loaded, BodyModels(None))


def test_several_annotations_must_be_chosen_from(tmp_path: Path, body: BodyModel) -> None:
    written(tmp_path, body, "egobody")
    for split in ("a", "b"):
        (tmp_path / f"egobody_egocentric_test_{split}.npz").write_bytes((tmp_path / "humandata.npz").read_bytes())
    with pytest.raises(InputError, match=r"several annotations .* --annotations"):
        load_set("egobody", tmp_path)


def test_the_command(tmp_path: Path, body: BodyModel, capsys: pytest.CaptureFixture[str]) -> None:
    """`lite` on grey images finds nobody, and says so."""
    written(tmp_path, body, "synthetic", count=2)
    words = ["evaluate", "--dataset", "synthetic", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*words, "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "2 no body" in text
    assert "lite on standin_anny" in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("parts", "results.npz", "samples.csv", "settings.json", "table.md")
    }
    assert main([*words, "--limit", "1"]) == 2
    assert "another evaluation" in capsys.readouterr().err
    assert main([*words, "--batch", "0"]) == 2
    assert main([*words[:-1], str(tmp_path / "other"), "--backbone", "s32"]) == 2
    assert "parameter 'weights'" in capsys.readouterr().err
