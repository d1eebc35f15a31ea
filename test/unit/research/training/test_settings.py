"""The YAML file: what is in it counts, what cannot be is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.cli import main
from smplerx_ros.cli.finetune import RECIPES
from smplerx_ros.errors import ConfigError
from smplerx_ros.research.evaluation.training_sets import (
    FINETUNE_PEOPLE_PER_EPOCH,
    FINETUNE_RECIPES,
    PEOPLE_PER_EPOCH,
    TRAINING_SETS,
)

pytest.importorskip("torch")

from smplerx_ros.research.training.settings import read_settings

GOOD = """
backbone: tiny
out: run
learning_rate: 1e-4
data:
  sets: [AGORA, BEDLAM, {name: mine, annotations: x.npz, interval: 3}]
  workers: 0
losses: {pose: 5}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_file_and_changes(good: Path) -> None:
    settings = read_settings(good, ["epochs=7", "data.root=/data", "data.sets.2.interval=4", "validation.name=v"])
    assert (settings.backbone, settings.learning_rate, settings.epochs) == ("tiny", 1e-4, 7)
    assert (settings.data.root, settings.data.workers, settings.data.strategy) == ("/data", 0, "balance")
    assert [(entry.name, entry.every) for entry in settings.data.sets] == [("AGORA", 1), ("BEDLAM", 5), ("mine", 4)]
    assert (settings.losses.pose, settings.losses.fit_cam) == (5, 100)
    assert settings.validation.name == "v"
    assert read_settings(good, ["checkpoint="]).checkpoint == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("learningrate=1", "learningrate is unknown; known here: backbone, out"),
        ("data.set=[]", "data.set is unknown"),
        ("data.sets.0=5", r"data.sets.0: expected settings, got 5"),
        ("data.sets.9.name=x", "'9' is no entry of a list of 3"),
        ("data.sets=[]", "data.sets: give at least one set"),
        ("data.sets=AGORA", "data.sets: expected a list"),
        ("epochs=many", "epochs: 'many' is no int"),
        ("epochs=true", "epochs: True is no int"),
        ("epochs=0", "epochs 0: must be above zero"),
        ("data.augment=1", "data.augment: 1 is no bool"),
        ("rates.encoder=-1", "rates.encoder -1.0: must be zero or above"),
        ("data.keep=true", "data.keep: augmented crops cannot be cached"),
        ("precision=fp8", "precision 'fp8' is unknown"),
        ("train=heads", "train 'heads' is unknown; choose one of all, backbone, head, neck_and_head"),
        ("data.strategy=weighted", "data.strategy 'weighted' is unknown"),
        ("data={sets: [a], strategy: concat, samples_per_epoch: 5}", "data.samples_per_epoch: 'concat'"),
        ("data.workers=-1", "data.workers -1: must be zero or above"),
        ("data.sets.2.interval=-2", "data.sets: mine: interval -2: must be zero or above"),
        ("validation.every=0", "validation.every 0: must be above zero"),
        ("seed=-1", "seed -1: must be zero or above"),
        ("out=", "out: give the directory"),
        ("epochs=[", r"--set 'epochs=\[': its value is no YAML"),
        ("min_learning_rate=1", "min_learning_rate 1.0: must be 0 to learning_rate"),
        ("losses.poze=1", "losses.poze is unknown"),
        ("epochs", "expected KEY=VALUE"),
        ("backbone.name=x", "backbone"),
    ],
)
def test_bad_keys_and_values_are_named(good: Path, change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_settings(good, [change])


def test_missing_keys_files_and_syntax(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("out: run\ndata: {sets: [a]}\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: backbone is missing"):
        read_settings(path)
    path.write_text("a: [")
    with pytest.raises(ConfigError, match=r"c\.yaml: no YAML"):
        read_settings(path)
    path.write_bytes(b"out: \xff")
    with pytest.raises(ConfigError, match=r"c\.yaml: no YAML"):
        read_settings(path)
    path.write_text("")
    with pytest.raises(ConfigError, match=r"the file: expected settings"):
        read_settings(path)
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        read_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", sorted(FINETUNE_RECIPES))
def test_recipes_are_the_papers(name: str) -> None:
    settings = read_settings(RECIPES / f"{name}.yaml")
    assert tuple(entry.name for entry in settings.data.sets) == FINETUNE_RECIPES[name]
    assert settings.data.samples_per_epoch == FINETUNE_PEOPLE_PER_EPOCH
    assert (settings.learning_rate, settings.min_learning_rate) == (1e-5, 5e-7)
    assert (settings.epochs, settings.batch_size, settings.train, settings.seed) == (5, 16, "all", 2023)
    assert settings.backbone in BACKBONES
    assert settings.checkpoint


def test_foundation_recipe_is_the_papers() -> None:
    settings = read_settings(RECIPES / "foundation_h32.yaml")
    assert {entry.name for entry in settings.data.sets} == set(TRAINING_SETS)
    assert settings.data.samples_per_epoch == PEOPLE_PER_EPOCH[32]
    assert (settings.epochs, settings.learning_rate, settings.min_learning_rate) == (10, 1e-5, 1e-6)


def test_command_lists_recipes_and_refuses(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["finetune", "--list"]) == 0
    assert set(FINETUNE_RECIPES) <= set(capsys.readouterr().out.split())
    assert main(["finetune"]) == 2
    assert main(["finetune", str(tmp_path / "none.yaml")]) == 2
    assert main(["finetune", "agroa"]) == 2
    assert "config agroa: no such file, and no recipe: 3dpw, agora" in capsys.readouterr().err
