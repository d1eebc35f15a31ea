"""Checkpoint files as users have them, and as they should not be."""

from __future__ import annotations

import argparse
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.errors import ModelFileError

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from smplerx_ros.backbones.smpler_x.checkpoint import read_checkpoint  # noqa: E402


@pytest.fixture
def content(s32_checkpoint: Path) -> dict[str, Any]:
    return torch.load(s32_checkpoint, mmap=True, weights_only=True)["network"]


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_published_layout(s32_checkpoint: Path) -> None:
    backbone, state = read_checkpoint(s32_checkpoint)
    assert backbone is BACKBONES["s32"]
    assert len(state) == 223


def test_plain_state_dict_old_names_and_leftovers(content: dict[str, Any], tmp_path: Path) -> None:
    old = OrderedDict()
    for key, value in content.items():
        name = key.removeprefix("module.").replace("encoder.", "backbone.", 1)
        name = name.replace("body_regressor.", "body_rotation_net.").replace("hand_regressor.", "hand_rotation_net.")
        old[name] = value
    old["smplx_layer.shapedirs"] = torch.zeros(3)
    _, state = read_checkpoint(saved(old, tmp_path / "plain.pth"))
    assert set(state) == {key.removeprefix("module.") for key in content}


def test_optimizer_is_ignored(content: dict[str, Any], tmp_path: Path) -> None:
    optimizer = {"state": {0: {"step": 1, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-5, "params": [0]}]}
    saved({"epoch": 9, "network": content, "optimizer": optimizer}, tmp_path / "full.pth.tar")
    assert len(read_checkpoint(tmp_path / "full.pth.tar")[1]) == 223


def test_half_precision_weights_become_float32(content: dict[str, Any], tmp_path: Path) -> None:
    halves = {key: value.half() if value.is_floating_point() else value for key, value in content.items()}
    _, state = read_checkpoint(saved({"network": halves}, tmp_path / "half.pth"))
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}


def test_missing_unexpected_and_misshapen_tensors_are_listed(content: dict[str, Any], tmp_path: Path) -> None:
    broken = dict(content)
    del broken["module.face_regressor.expr_out.0.bias"]
    broken["module.extra_head.weight"] = torch.zeros(2)
    broken["module.body_regressor.cam_out.0.bias"] = torch.zeros(4)
    with pytest.raises(ModelFileError) as caught:
        read_checkpoint(saved({"network": broken}, tmp_path / "broken.pth"))
    message = str(caught.value)
    assert "1 missing: face_regressor.expr_out.0.bias" in message
    assert "1 unexpected: extra_head.weight" in message
    assert "body_regressor.cam_out.0.bias (4,), expected (3,)" in message


def test_another_backbone_than_asked_for(s32_checkpoint: Path) -> None:
    with pytest.raises(ModelFileError, match="holds s32, not b32"):
        read_checkpoint(s32_checkpoint, BACKBONES["b32"])


@pytest.mark.parametrize("nested", [False, True], ids=["plain pickle", "inside an archive"])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, nested: bool) -> None:
    trap = tmp_path / "trap"
    path = tmp_path / "evil.pth"
    if nested:
        saved({"network": Malicious(trap)}, path)
    else:
        path.write_bytes(pickle.dumps(Malicious(trap)))
    with pytest.raises(ModelFileError, match=r"evil\.pth.*posix\.mkdir" if nested else r"evil\.pth"):
        read_checkpoint(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("entry", "name"),
    [(argparse.Namespace(lr=1), "argparse.Namespace"), (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear")],
)
def test_what_a_checkpoint_holds_besides_tensors_is_named(tmp_path: Path, entry: Any, name: str) -> None:
    path = saved({"network": {"a": torch.zeros(1)}, "args": entry}, tmp_path / "more.pth")
    with pytest.raises(ModelFileError, match=rf"refused, it holds more than tensors \(.*{name}.*\); do not") as caught:
        read_checkpoint(path)
    assert str(caught.value).isprintable()
    assert "weights_only" not in str(caught.value)


def test_names_of_tensors_cannot_reach_the_terminal(content: dict[str, Any], tmp_path: Path) -> None:
    for state in ({"\x1b[31mred": torch.zeros(1)}, content | {"\x1b]0;title\x07": torch.zeros(1)}):
        with pytest.raises(ModelFileError, match=r"\\x1b") as caught:
            read_checkpoint(saved({"network": state}, tmp_path / "red.pth"))
        assert str(caught.value).isprintable()


def test_truncated_file(s32_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.pth.tar"
    whole = s32_checkpoint.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"damaged or incomplete.*download it again"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!DOCTYPE html><html>Sign in", "a web page"),
        (b"\n  <html>", "a web page"),
        (b"", "empty"),
        (b"\x80\x02}q\x00.", "not a torch archive"),
        (b"PK\x03\x04 and no more", "damaged or incomplete"),
    ],
)
def test_files_that_are_no_checkpoint(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "smpler_x_s32.pth.tar"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=message):
        read_checkpoint(path)


@pytest.mark.parametrize("data", [{"network": {}}, {"network": 3}, [1, 2], {"weights": [1.0]}, {"a.b": torch.zeros(1)}])
def test_archives_of_something_else(tmp_path: Path, data: Any) -> None:
    with pytest.raises(ModelFileError, match=r"other\.pth"):
        read_checkpoint(saved(data, tmp_path / "other.pth"))


def test_missing_file_and_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(ModelFileError, match="cannot be read"):
            read_checkpoint(path)


def test_old_torch_is_refused(s32_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(ModelFileError, match=r"torch >= 2\.10"):
        read_checkpoint(s32_checkpoint)
