"""Training settings, read from a YAML file (a recipe)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from smplerx_ros.errors import ConfigError
from smplerx_ros.research.evaluation.training_sets import TRAINING_SETS

from .losses import LossWeights
from .network import TRAINABLE
from .sampling import BALANCE, CONCAT, STRATEGIES

T = TypeVar("T")
PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class SetSettings:
    """One HumanData file; paths are relative to `data.root`."""

    name: str
    annotations: str = ""  # default: NAME.npz
    images: str = ""  # folder to which its image paths are relative; default: NAME
    interval: int = 0  # every n-th person is used; 0: SMPLer-X's interval for the set of that name, else 1

    def __post_init__(self) -> None:
        _not_negative(f"data.sets: {self.name}: ", interval=self.interval)

    @property
    def every(self) -> int:
        """The effective interval."""
        known = TRAINING_SETS.get(self.name)
        return self.interval or (known.interval if known else 1)


@dataclass(frozen=True)
class DataSettings:
    """Training data."""

    sets: tuple[SetSettings, ...]
    root: str = "."
    strategy: str = BALANCE  # the same number of samples from each set; or "concat": every sample once
    samples_per_epoch: int = 0  # over all sets and processes; 0: all
    augment: bool = True
    workers: int = 4  # data loading processes per training process; 0: load in the training process
    keep: bool = False  # cache crops in memory (150 kB each); only without augmentation

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ConfigError(f"data.strategy {self.strategy!r} is unknown; choose one of {', '.join(STRATEGIES)}")
        if self.strategy == CONCAT and self.samples_per_epoch:
            raise ConfigError("data.samples_per_epoch: 'concat' takes every sample once; leave it 0")
        _not_negative("data.", samples_per_epoch=self.samples_per_epoch, workers=self.workers)
        if self.keep and self.augment:
            raise ConfigError("data.keep: augmented crops cannot be cached; set data.augment to false as well")


@dataclass(frozen=True)
class ValidationSettings:
    """Data set for validation, not used for training."""

    name: str = ""  # empty: no validation
    annotations: str = ""
    images: str = ""
    every: int = 1000  # steps
    samples: int = 256  # evenly spaced over the set

    def __post_init__(self) -> None:
        _positive("validation.", every=self.every, samples=self.samples)


@dataclass(frozen=True)
class LearningRateFactors:
    """Factors of the learning rate by part of the network."""

    encoder: float = 1.0
    positions: float = 1.0  # heat map heads
    others: float = 1.0

    def __post_init__(self) -> None:
        _not_negative("rates.", **asdict(self))


@dataclass(frozen=True)
class Settings:
    """Settings of a training. The defaults are SMPLer-X's finetuning recipe."""

    backbone: str
    out: str  # directory of the run
    data: DataSettings
    checkpoint: str = ""  # initial weights; empty: random
    encoder_checkpoint: str = ""  # ViTPose, initializes the encoder of an otherwise random network
    train: str = "all"  # or backbone, head, neck_and_head; the other parts are frozen
    body_model: str = ""  # SMPLX_NEUTRAL.npz; empty: the embedded stand-in
    epochs: int = 5
    batch_size: int = 16  # per process
    learning_rate: float = 1e-5
    min_learning_rate: float = 5e-7  # at the end of the cosine schedule
    warmup_steps: int = 0
    rates: LearningRateFactors = field(default_factory=LearningRateFactors)
    losses: LossWeights = field(default_factory=LossWeights)
    precision: str = "fp32"  # bf16, fp16: autocast of the expensive parts, weights stay float32
    device: str = "auto"
    threads: int = 0  # of torch on a CPU; 0: torch's default
    seed: int = 2023
    checkpoint_every: int = 1000  # steps
    log_every: int = 50  # steps
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    bundle: bool = True  # convert the final network to a bundle, which the node loads

    def __post_init__(self) -> None:
        for name, known in (("precision", PRECISIONS), ("train", tuple(TRAINABLE))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} {getattr(self, name)!r} is unknown; choose one of {', '.join(known)}")
        positive = ("epochs", "batch_size", "learning_rate", "checkpoint_every", "log_every")
        _positive("", **{name: getattr(self, name) for name in positive})
        _not_negative("", **{name: getattr(self, name) for name in ("warmup_steps", "threads", "seed")})
        if not 0 <= self.min_learning_rate <= self.learning_rate:
            raise ConfigError(f"min_learning_rate {self.min_learning_rate!r}: must be 0 to learning_rate")
        if self.checkpoint and self.encoder_checkpoint:
            raise ConfigError("encoder_checkpoint: cannot be combined with `checkpoint`, which contains an encoder")
        if not self.out:
            raise ConfigError("out: give the directory of the run")
        if not self.data.sets:
            raise ConfigError("data.sets: give at least one set")


def _positive(where: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not number > 0:
            raise ConfigError(f"{where}{name} {number!r}: must be above zero")


def _not_negative(where: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not number >= 0:
            raise ConfigError(f"{where}{name} {number!r}: must be zero or above")


def read_settings(path: str | Path, changes: Sequence[str] = ()) -> Settings:
    """Read settings from a YAML file.

    Args:
        path: The file.
        changes: Overrides such as `data.workers=0`.

    Raises:
        ConfigError: If the file cannot be read, or a key is unknown, missing or of the wrong type.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"config {path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"config {path}: no YAML ({reason})") from error
    for change in changes:
        _change(content, change)
    try:
        return _build(Settings, content, "")
    except ConfigError as error:
        raise ConfigError(f"config {path}: {error}") from error


def _change(content: Any, change: str) -> None:
    key, separator, text = change.partition("=")
    if not separator:
        raise ConfigError(f"--set {change!r}: expected KEY=VALUE, e.g. data.workers=0")
    *parents, last = key.strip().split(".")
    for name in parents:
        content = _child(content, name, change)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {change!r}: its value is no YAML") from error
    if isinstance(content, list):
        content[_position(content, last, change)] = value
    elif isinstance(content, dict):
        content[last] = value
    else:
        raise ConfigError(f"--set {change!r}: {'.'.join(parents)} is no group of settings")


def _child(content: Any, name: str, change: str) -> Any:
    if isinstance(content, list):
        return content[_position(content, name, change)]
    if isinstance(content, dict):
        return content.setdefault(name, {})
    raise ConfigError(f"--set {change!r}: there are no settings below {name!r}")


def _position(content: list[Any], text: str, change: str) -> int:
    if not text.isdigit() or int(text) >= len(content):
        raise ConfigError(f"--set {change!r}: {text!r} is no entry of a list of {len(content)}; count from 0")
    return int(text)


def _build(kind: type[T], content: Any, where: str) -> T:
    """Build the dataclass `kind` from a mapping; `where` is the dotted key, for messages."""
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where or 'the file'}: expected settings, got {content!r}")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = [str(key) for key in content if key not in known]
    if unknown:
        names = ", ".join(known)
        raise ConfigError(f"{_dotted(where, unknown[0])} is unknown; known here: {names}")
    required = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in required if name not in content]
    if missing:
        raise ConfigError(f"{_dotted(where, missing[0])} is missing")
    types = get_type_hints(kind)
    return kind(**{name: _value(types[name], value, _dotted(where, name)) for name, value in content.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _build(kind, value, where)  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list, got {value!r}")
        element = get_args(kind)[0]
        named = [{"name": v} if element is SetSettings and isinstance(v, str) else v for v in value]
        return tuple(_value(element, v, f"{where}.{k}") for k, v in enumerate(named))
    if kind is str and value is None:  # nothing after the colon, or `--set checkpoint=`
        return ""
    if kind is float and isinstance(value, str):  # YAML 1.1 reads 1e-5 as a string
        try:
            return float(value)
        except ValueError:
            pass
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not fits or (kind is not bool and isinstance(value, bool)):
        raise ConfigError(f"{where}: {value!r} is no {kind.__name__}")
    return kind(value)


def _dotted(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
