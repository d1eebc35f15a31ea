"""Training as a whole: what it changes, that it goes on exactly where it stopped, and that processes add up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

import smplerx_ros  # noqa: E402
from smplerx_ros.backbones.registry import BACKBONES  # noqa: E402
from smplerx_ros.backbones.smpler_x.checkpoint import read_checkpoint  # noqa: E402
from smplerx_ros.errors import ConfigError, InputError, ModelFileError  # noqa: E402
from smplerx_ros.research.training.history import HISTORY, read_history  # noqa: E402
from smplerx_ros.research.training.network import TRAINABLE, TrainingNetwork, initialize_network  # noqa: E402
from smplerx_ros.research.training.settings import (  # noqa: E402
    LearningRateFactors,
    SetSettings,
    Settings,
    ValidationSettings,
)
from smplerx_ros.research.training.snapshots import LAST, load_network, published_state  # noqa: E402
from smplerx_ros.research.training.trainer import Trainer  # noqa: E402
from support import parity  # noqa: E402
from support.bodies import standin  # noqa: E402

Make = Callable[..., Settings]


def trained(settings: Settings, *, until: int | None = None, resume: bool = False) -> tuple[list[float], Trainer]:
    """Total losses of the steps, and the trainer after them."""
    trainer = Trainer(settings, resume=resume)
    seen: list[float] = []
    trainer.run(lambda step, steps, values: seen.append(values["total"]), until=until)
    return seen, trainer


def weights(trainer: Trainer) -> dict[str, Any]:
    return {name: value.clone() for name, value in trainer.network.state_dict().items()}


def test_a_run_leaves_history_snapshots_and_falling_losses(settings: Make, tmp_path: Path) -> None:
    validation = ValidationSettings("b", "b/humandata.npz", "b", every=4, samples=3)
    seen, _ = trained(settings(epochs=8, validation=validation))
    assert np.mean(seen[-5:]) < 0.8 * np.mean(seen[:3])
    run = tmp_path / "run"
    assert {"last.pth.tar", "snapshot_1.pth.tar", "snapshot_8.pth.tar", "history.jsonl"} <= {
        p.name for p in run.iterdir()
    }
    history = read_history(run)
    measured = {record["step"]: record["pve"] for record in history if record["group"] == "validation"}
    assert list(measured) == [0, *range(4, 25, 4)]
    assert measured[24] < measured[0]
    assert [record["total"] for record in history if record["group"] == "train"] == pytest.approx(seen)


def test_tensorboard_shows_what_the_history_holds(settings: Make) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    trained(settings(), until=2)
    seen, _ = trained(settings(), until=4, resume=True)
    board = accumulator.EventAccumulator(str(Path(settings().out) / "tensorboard"))
    board.Reload()
    records = read_history(Path(settings().out))
    for name in ("total", "pose", "learning_rate"):
        shown = {event.step: event.value for event in board.Scalars(f"train/{name}")}
        assert shown == pytest.approx({record["step"]: record[name] for record in records})
    assert [event.value for event in board.Scalars("train/total")][2:] == pytest.approx(seen)


def test_adam_follows_a_cosine_per_step_after_the_warm_up(settings: Make) -> None:
    """Six steps, two of them of warm-up, from 1e-3 to 1e-4; no weight decay."""
    run = settings(warmup_steps=2, min_learning_rate=1e-4)
    trainer = Trainer(run)
    expected = [5e-4, 1e-3, *(1e-4 + 9e-4 * (1 + np.cos(np.pi * k / 4)) / 2 for k in range(4))]
    assert [trainer.learning_rate(step) for step in range(6)] == pytest.approx(expected)
    trainer.run()
    rates = [record["learning_rate"] for record in read_history(Path(run.out)) if record["group"] == "train"]
    assert rates == pytest.approx(expected)
    group = torch.load(Path(run.out) / LAST, weights_only=True)["optimizer"]["param_groups"][0]
    assert group["lr"] == pytest.approx(expected[-1])
    assert (group["weight_decay"], group["betas"], group["amsgrad"]) == (0, (0.9, 0.999), False)


@pytest.mark.parametrize(
    ("output", "part", "without"),
    [
        ("rotvecs", slice(22), {"body_position_net", "box_net", "hand_position_net"}),  # of root and body
        ("box_centers", slice(None), {"body_position_net", "hand_position_net"}),
        ("rotvecs", slice(22, 52), {"body_position_net", "box_net", "hand_position_net"}),  # of the hands
        ("joints_img", slice(25, 65), {"body_position_net", "box_net"}),  # of the hands
    ],
)
def test_gradients_are_cut_between_stages(output: str, part: slice, without: set[str]) -> None:
    """Joints, heat maps and boxes are only looked at by the stage that comes after them."""
    torch.manual_seed(0)
    network = TrainingNetwork(initialize_network(replace(BACKBONES["tiny"], depth=1)), standin())
    for size in (network.network.box_net.lhand_size, network.network.box_net.rhand_size):
        torch.nn.init.constant_(size[2].bias, 4.0)  # cells
    network.train()(torch.rand(2, 3, 256, 192))[output][:, part].square().sum().backward()
    moved = {
        name.split(".")[0]
        for name, value in network.network.named_parameters()
        if value.grad is not None and value.grad.any()
    }
    assert "encoder" in moved
    assert not moved & without


def test_a_stopped_run_goes_on_with_the_same_losses(settings: Make, tmp_path: Path) -> None:
    drops = replace(BACKBONES["smallest"], depth=2, drop_path=0.5)
    BACKBONES["smallest"] = drops  # the fixture puts it back
    whole, finished = trained(settings())
    halves = settings(out=str(tmp_path / "halves"))
    first, _ = trained(halves, until=4)
    second, resumed = trained(halves, resume=True)
    assert first + second == whole  # bit for bit
    expected = weights(finished)
    assert all((value == expected[name]).all() for name, value in weights(resumed).items())
    steps = [record["step"] for record in read_history(tmp_path / "halves") if record["group"] == "train"]
    assert steps == list(range(1, 7))


def test_a_killed_run_goes_on_from_its_last_snapshot(settings: Make, tmp_path: Path) -> None:
    """Killed in the middle of step 5, with a snapshot every 3 steps: steps 4 and 5 are done again."""
    whole, _ = trained(settings())
    killed = settings(out=str(tmp_path / "killed"), checkpoint_every=3)

    def die(step: int, steps: int, values: object) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(killed).run(die)
    again, _ = trained(killed, resume=True)
    assert again == whole[3:]
    records = read_history(tmp_path / "killed")
    assert [record["total"] for record in records if record["group"] == "train"] == whole


def test_resuming_what_never_began_begins(settings: Make) -> None:
    assert trained(settings(), until=2, resume=True)[0] == trained(settings(out=settings().out + "2"), until=2)[0]


def test_a_run_is_not_overwritten(settings: Make) -> None:
    trained(settings(), until=1)
    with pytest.raises(ConfigError, match="--resume"):
        Trainer(settings())


@pytest.mark.parametrize("train", list(TRAINABLE))
def test_only_what_is_asked_for_changes(settings: Make, train: str) -> None:
    """Weights and running statistics of the rest stay as they are, bit for bit."""
    trainer = Trainer(settings(train=train))
    for size in (trainer.network.box_net.lhand_size, trainer.network.box_net.rhand_size):
        torch.nn.init.constant_(size[2].bias, 4.0)  # cells: hands' joints are asked for where their boxes are
    before = weights(trainer)
    trainer.run(until=3)
    changed = {name for name, value in weights(trainer).items() if (value != before[name]).any()}
    assert {name.split(".")[0] for name in changed} == set(TRAINABLE[train])


@pytest.mark.slow
def test_finetuning_of_a_published_s32_changes_only_the_head(settings: Make, tmp_path: Path) -> None:
    checkpoint = parity.write_checkpoint("s32", tmp_path / "smpler_x_s32.pth.tar")
    run = settings(backbone="s32", checkpoint=str(checkpoint), train="head", batch_size=2)
    trained(run, until=2)
    _, before = read_checkpoint(checkpoint)
    backbone, after = read_checkpoint(Path(run.out) / LAST)
    assert backbone.name == "s32"
    slot = "encoder.pos_embed"  # the class token's slot moves into the patches'
    assert ((before[slot][:, 1:] + before[slot][:, :1]) == after[slot][:, 1:] + after[slot][:, :1]).all()
    changed = {name for name in before if name != slot and (before[name] != after[name]).any()}
    assert {name.split(".")[0] for name in changed} == set(TRAINABLE["head"])


def test_snapshots_are_published_checkpoints(settings: Make) -> None:
    """Names and shapes as `convert` demands them, and the same network when read back."""
    _, trainer = trained(settings(), until=2)
    path = Path(trainer.settings.out) / LAST
    content = torch.load(path, weights_only=True)
    assert content.keys() >= {"epoch", "network", "optimizer"}
    assert all(name.startswith("module.") for name in content["network"])
    again = load_network(path, BACKBONES["smallest"])
    expected = weights(trainer)
    assert all((value == expected[name]).all() for name, value in again.state_dict().items())


def test_published_position_embedding_is_the_same_function() -> None:
    torch.manual_seed(0)
    network = initialize_network(replace(BACKBONES["tiny"], depth=1))
    state = published_state(network)
    assert state["encoder.pos_embed"].shape == (1, 193, 96)
    assert (state["encoder.pos_embed"][:, 1:] + state["encoder.pos_embed"][:, :1] == network.encoder.pos_embed).all()


def test_parts_learn_at_their_rates(settings: Make) -> None:
    """Adam's first step is the learning rate in every weight that has a gradient; without a rate nothing moves."""
    rates = LearningRateFactors(encoder=0.0, positions=10.0)
    trainer = Trainer(settings(rates=rates))
    before = weights(trainer)
    trainer.run(until=1)
    moved = {name: (value - before[name]).abs().max() for name, value in weights(trainer).items()}
    assert moved["encoder.patch_embed.proj.weight"] == 0
    assert moved["body_regressor.shape_out.0.weight"] == pytest.approx(1e-3, rel=1e-3)
    assert moved["body_position_net.conv.0.weight"] == pytest.approx(1e-2, rel=1e-3)


def test_an_untrained_encoder_sees_mid_grey_as_nothing_and_attends_to_what_is_near() -> None:
    torch.manual_seed(0)
    encoder = initialize_network(BACKBONES["tiny"]).encoder
    grey = encoder.patch_embed(torch.full((1, 3, 256, 192), 0.5)).unflatten(1, (16, 12))
    assert grey[:, 1:-1, 1:-1].abs().max() < 1e-4  # the first row and column have a border of black in them
    places = torch.nn.functional.layer_norm(encoder.pos_embed[0], (96,))
    query, key, _ = encoder.blocks[0].attn.qkv(places).unflatten(1, (3, 3, 32)).permute(1, 2, 0, 3)
    attention = (query @ key.transpose(1, 2) / 32**0.5).softmax(dim=-1).mean(dim=0).unflatten(1, (16, 12))
    near = attention[8 * 12 + 6, 6:11, 4:9].sum()  # 25 cells of 192, about one in the middle
    assert near > 2.5 * 25 / 192


def test_an_encoder_can_start_as_vitpose(settings: Make, tmp_path: Path) -> None:
    source = published_state(initialize_network(BACKBONES["smallest"]))
    backbone = {name.replace("encoder.", "backbone."): value for name, value in source.items() if "task" not in name}
    path = tmp_path / "vitpose.pth"
    torch.save({"state_dict": {**backbone, "keypoint_head.x": torch.zeros(1)}}, path)
    random = weights(Trainer(settings(out=settings().out + "r")))
    found = published_state(Trainer(settings(encoder_checkpoint=str(path))).network)
    encoder = [name for name in source if name.startswith("encoder.") and "task" not in name]
    assert all((found[name] == source[name]).all() for name in encoder)
    assert (found["encoder.task_tokens"] == random["encoder.reg_token"]).all()
    torch.save({"backbone.pos_embed": torch.zeros(1, 193, 8)}, path)
    with pytest.raises(ModelFileError, match="not the ViTPose backbone"):
        Trainer(settings(encoder_checkpoint=str(path)))
    torch.save({"other": torch.zeros(1)}, path)
    with pytest.raises(ModelFileError, match="is it ViTPose's"):
        Trainer(settings(encoder_checkpoint=str(path)))


def test_precision_of_the_heavy_parts_can_be_reduced(settings: Make) -> None:
    exact, _ = trained(settings(), until=2)
    reduced, trainer = trained(settings(out=settings().out + "bf16", precision="bf16"), until=2)
    assert all(value.dtype != torch.bfloat16 for value in weights(trainer).values())
    assert reduced != exact
    np.testing.assert_allclose(reduced, exact, rtol=0.01)


def test_half_precision_keeps_its_scale_when_it_goes_on(settings: Make) -> None:
    whole, _ = trained(settings(out=settings().out + "whole", precision="fp16"), until=4)
    assert np.isfinite(whole).all()
    first, _ = trained(settings(precision="fp16"), until=2)
    scaler = torch.load(Path(settings().out) / LAST, weights_only=True)["scaler"]
    assert scaler["scale"] > 0
    second, _ = trained(settings(precision="fp16"), until=4, resume=True)
    assert first + second == whole


def test_loading_processes_change_nothing(settings: Make) -> None:
    base = settings()
    with_workers = replace(base, out=base.out + "w", data=replace(base.data, workers=2))
    assert trained(with_workers, until=2)[0] == trained(base, until=2)[0]


_ONE_STEP = """
import sys, yaml, torch
from dataclasses import replace
from smplerx_ros.backbones import registry
small = replace(registry.BACKBONES["tiny"], name="smallest", embed_dim=32, depth=1, heads=2, box_channels=8)
registry.BACKBONES["smallest"] = small
from smplerx_ros.research.training.distributed import process_group
from smplerx_ros.research.training.settings import read_settings
from smplerx_ros.research.training.trainer import Trainer
torch.set_num_threads(1)
with process_group("cpu") as process:
    trainer = Trainer(read_settings(sys.argv[1]), process)
    trainer.run(until=1)
    gradients = {name: value.grad for name, value in trainer.network.named_parameters() if value.grad is not None}
    buffers = dict(trainer.network.named_buffers())
    if process.is_main:
        torch.save({**gradients, **buffers}, sys.argv[2])
"""


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_with_the_double_batch(settings: Make, tmp_path: Path) -> None:
    script = tmp_path / "one_step.py"
    script.write_text(_ONE_STEP)
    found = {}
    for processes, batch in ((1, 4), (2, 2)):
        run = asdict(settings(out=str(tmp_path / f"run{processes}"), batch_size=batch))
        config, result = tmp_path / f"{processes}.yaml", tmp_path / f"{processes}.pt"
        config.write_text(yaml.safe_dump(_plain(run)))
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        environment = os.environ | {
            "PYTHONPATH": str(Path(smplerx_ros.__file__).parent.parent),
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [*command, str(script), str(config), str(result)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[processes] = torch.load(result)
    assert found[1].keys() == found[2].keys()
    assert any("running_var" in name for name in found[1])
    rounding = 1e-6 * max(float(value.abs().max()) for name, value in found[1].items() if "running" not in name)
    for name, expected in found[1].items():
        allowed = 1e-4 * float(expected.abs().max()) + rounding
        assert float((found[2][name] - expected).abs().max()) <= allowed, name


def _plain(value: Any) -> Any:
    """Tuples as the lists that YAML knows."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize(
    ("changes", "error", "word"),
    [
        ({"backbone": "smplest_x_h"}, ConfigError, "only SMPLer-X"),
        ({"backbone": "lite"}, ConfigError, "only SMPLer-X"),
        ({"checkpoint": "none.pth.tar"}, ModelFileError, "none.pth.tar"),
        ({"device": "warp"}, ConfigError, "warp"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    settings: Make, changes: dict[str, str], error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        Trainer(settings(**changes))


def test_all_missing_sets_are_named_with_where_they_come_from(settings: Make) -> None:
    base = settings()
    there = base.data.sets[0]
    sets = (there, replace(there, images="elsewhere"), SetSettings("BEDLAM"), SetSettings("AGORA"))
    with pytest.raises(InputError, match="files of 4 of 5 sets are missing") as missing:
        Trainer(replace(base, data=replace(base.data, sets=sets), validation=ValidationSettings("held_out")))
    lines = str(missing.value).splitlines()[1:]
    assert [line.endswith("elsewhere") for line in lines] == [True, False, False, False]
    assert "BEDLAM.npz and " in lines[1]
    assert "images from https://bedlam.is.tue.mpg.de" in lines[1]
    assert "AGORA has its own format" in lines[2]
    assert "held_out.npz" in lines[3]


def test_a_missing_picture_is_named(settings: Make) -> None:
    base = settings()
    elsewhere = replace(base.data.sets[0], images=".")
    with pytest.raises(InputError, match=r"images/.*\.jpg: no readable image; .*humandata\.npz refers to it"):
        Trainer(replace(base, data=replace(base.data, sets=(elsewhere,)))).run(until=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"batch_size": 3},
            "its epochs have 3 steps, with the present settings 4; resume with the same sets, batch_size",
        ),
        ({"train": "head"}, "other parts of the network were trained; resume with the same train"),
    ],
)
def test_a_run_that_would_not_go_on_the_same_is_not_resumed(
    settings: Make, changes: dict[str, Any], message: str
) -> None:
    trained(settings(), until=1)
    with pytest.raises(ConfigError, match=message):
        Trainer(settings(**changes), resume=True)


def test_half_a_line_of_history_does_not_stop_a_resumed_run(settings: Make) -> None:
    whole, _ = trained(settings(out=settings().out + "whole"), until=3)
    trained(settings(), until=2)
    run = Path(settings().out)
    with (run / HISTORY).open("a") as file:
        file.write('{"step": 3, "gro')
    trained(settings(), until=3, resume=True)
    assert [record["total"] for record in read_history(run)] == pytest.approx(whole)


def test_a_loss_that_is_no_number_stops_the_run(settings: Make) -> None:
    with pytest.raises(ConfigError, match="lower learning_rate"):
        trained(settings(learning_rate=1e30, epochs=8))
