"""Training loop with logs and snapshots. The randomness of a step is a function of seed, step and process rank."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.backbones.smpler_x.smpler_x import SmplerX
from smplerx_ros.backbones.smpler_x.torch_runtime import select_device
from smplerx_ros.body.model import BodyModel, load_body
from smplerx_ros.errors import ConfigError, InputError
from smplerx_ros.research.evaluation.training_sets import TRAINING_SETS

from .dataset import PersonDataset, TrainingSamples
from .distributed import Process, sync_batch_norms
from .history import History
from .losses import losses, weighted_sum
from .network import TrainingNetwork, check_trainable, initialize_network
from .sampling import BatchSampler
from .settings import LearningRateFactors, SetSettings, Settings, ValidationSettings
from .snapshots import LAST, load_encoder, load_network, load_progress, save_snapshot
from .validation import Validation

log = logging.getLogger(__name__)

Progress = Callable[[int, int, Mapping[str, float]], None]


class Trainer:
    """Trains a network, possibly as one of several processes.

    Args:
        settings: The training recipe.
        process: This process; None: the only one.
        resume: Resume from the last snapshot in `settings.out`; starts anew if there is none.

    Raises:
        ConfigError: If the settings do not fit the run directory or the snapshot.
        InputError: If a data set is missing or cannot be read.
        ModelFileError: If a model file cannot be loaded.
    """

    def __init__(self, settings: Settings, process: Process | None = None, *, resume: bool = False) -> None:
        self.settings = settings
        self._process = process or Process()
        self._device = _device(settings.device, self._process)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self._out = Path(settings.out)
        self._last = _snapshot_to_resume(self._out, resume)
        self._body = load_body(settings.body_model or None)
        self._network = self._prepared(_network(settings, self._last))
        _check_files(settings)
        sets = [_people(entry, settings, self._body) for entry in settings.data.sets]
        self._samples = TrainingSamples(sets, settings.seed, settings.data.augment, settings.data.keep)
        self._sampler = BatchSampler(
            tuple(len(people) for people in sets),
            settings.batch_size,
            settings.seed,
            settings.data.strategy,
            settings.data.samples_per_epoch,
            self._process.rank,
            self._process.world_size,
        )
        self._validation = _validation(settings, self._body) if self._process.is_main else None
        self.steps = settings.epochs * self._sampler.steps_per_epoch
        by_factor = _parameters_by_factor(self.network, settings.rates)
        self._factors = tuple(by_factor)
        self._optimizer = torch.optim.Adam(
            [{"params": parameters} for parameters in by_factor.values()], lr=settings.learning_rate
        )
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=settings.precision == "fp16")
        self.step = self._restore() if self._last else 0

    @property
    def network(self) -> SmplerX:
        """The network that is trained."""
        return self._network.network

    def run(self, progress: Progress = lambda step, steps, values: None, *, until: int | None = None) -> None:
        """Train to the end, or to a given step.

        Writes `last.pth.tar` and one snapshot per epoch to the run directory.

        Args:
            progress: Called after each step with its number, the total number of steps, and the loss terms.
            until: Step at which to stop.

        Raises:
            ConfigError: If the loss is not finite.
        """
        end = min(self.steps, until or self.steps)
        model = self._distributed()
        history = History(self._out, self.step) if self._process.is_main else None
        if history and self.step == 0:
            self._validate(history)
        model.train()
        loader = self._loader(end)
        for batch in loader:
            terms = self._train_step(model, {name: value.to(self._device) for name, value in batch.items()})
            self.step += 1
            values = {name: float(value) for name, value in terms.items()}
            if not math.isfinite(values["total"]):
                raise ConfigError(f"step {self.step}: the loss is {values['total']}; lower learning_rate or use fp32")
            progress(self.step, self.steps, values)
            if history:
                self._record(history, values)
        if history:
            self._save(LAST)
            history.close()

    def _train_step(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        torch.manual_seed(_combined_seed(self.settings.seed, self.step, self._process.rank))
        for group, factor in zip(self._optimizer.param_groups, self._factors, strict=True):
            group["lr"] = factor * self.learning_rate(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        terms = losses(model(batch["image"]), batch)
        loss = weighted_sum(terms, self.settings.losses)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return {name: value.detach() for name, value in {"total": loss, **terms}.items()}

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up, then a cosine decay to `min_learning_rate`."""
        high, low, warmup = self.settings.learning_rate, self.settings.min_learning_rate, self.settings.warmup_steps
        if step < warmup:
            return high * (step + 1) / warmup
        fraction = (step - warmup) / max(1, self.steps - warmup)
        return low + (high - low) * 0.5 * (1 + math.cos(math.pi * fraction))

    def _record(self, history: History, values: Mapping[str, float]) -> None:
        settings = self.settings
        if self.step % settings.log_every == 0 or self.step == self.steps:
            history.add(self.step, "train", {**values, "learning_rate": self.learning_rate(self.step - 1)})
        if self.step % settings.validation.every == 0 or self.step == self.steps:
            self._validate(history)
        if self.step % settings.checkpoint_every == 0:
            self._save(LAST)
        if self.step % self._sampler.steps_per_epoch == 0:
            self._save(f"snapshot_{self.step // self._sampler.steps_per_epoch}.pth.tar")

    def _validate(self, history: History) -> None:
        if self._validation:
            history.add(self.step, "validation", self._validation.errors(self._network, self._body, self._device))

    def _save(self, name: str) -> None:
        save_snapshot(
            self._out / name,
            self.network,
            epoch=self.step // self._sampler.steps_per_epoch,
            step=self.step,
            steps_per_epoch=self._sampler.steps_per_epoch,
            optimizer=self._optimizer.state_dict(),
            scaler=self._scaler.state_dict(),
        )

    def _restore(self) -> int:
        assert self._last
        progress = load_progress(self._last)
        if progress["steps_per_epoch"] != self._sampler.steps_per_epoch:
            raise ConfigError(
                f"{self._last}: its epochs have {progress['steps_per_epoch']} steps, with the present settings "
                f"{self._sampler.steps_per_epoch}; resume with the same sets, batch_size and number of processes"
            )
        try:
            self._optimizer.load_state_dict(progress["optimizer"])
        except ValueError as error:
            raise ConfigError(
                f"{self._last}: other parts of the network were trained; resume with the same train and rates"
            ) from error
        self._scaler.load_state_dict(progress["scaler"])
        return int(progress["step"])

    def _prepared(self, network: SmplerX) -> TrainingNetwork:
        if self._process.world_size > 1:
            sync_batch_norms(network)
        prepared = TrainingNetwork(network, self._body, self.settings.train)
        prepared.to(self._device)
        if self.settings.precision != "fp32":
            prepared.reduce_precision(self.settings.precision, self._device.type)
        return prepared

    def _distributed(self) -> nn.Module:
        if self._process.world_size == 1:
            return self._network
        ids = [self._device.index] if self._device.type == "cuda" else None
        return DistributedDataParallel(self._network, device_ids=ids)

    def _loader(self, end: int) -> DataLoader[dict[str, Tensor]]:
        workers = self.settings.data.workers
        return DataLoader(
            self._samples,
            batch_sampler=self._sampler.batches(self.step, end),
            num_workers=workers,
            worker_init_fn=_start_worker,
            pin_memory=self._device.type == "cuda",
            persistent_workers=False,
        )


def _start_worker(number: int) -> None:
    cv2.setNumThreads(0)


def _network(settings: Settings, last: Path | None) -> SmplerX:
    backbone = get_backbone(settings.backbone)
    check_trainable(backbone)
    if last or settings.checkpoint:
        return load_network(last or settings.checkpoint, backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = initialize_network(backbone)
    if settings.encoder_checkpoint:
        load_encoder(settings.encoder_checkpoint, network)
    return network


def _parameters_by_factor(network: SmplerX, rates: LearningRateFactors) -> dict[float, list[nn.Parameter]]:
    """Group the trained parameters by the factor of their learning rate."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        part = name.partition(".")[0]
        factor = getattr(rates, "positions" if part.endswith("position_net") else part, rates.others)
        if parameter.requires_grad:
            groups.setdefault(factor, []).append(parameter)
    return groups


def _files(entry: SetSettings | ValidationSettings, settings: Settings) -> tuple[Path, Path]:
    """Return the paths of the annotations and of the folder of images."""
    root = Path(settings.data.root)
    return root / (entry.annotations or f"{entry.name}.npz"), root / (entry.images or entry.name)


def _check_files(settings: Settings) -> None:
    """Check that all files exist before reading large data sets; raises InputError that lists all missing ones."""
    entries: list[SetSettings | ValidationSettings] = [*settings.data.sets]
    if settings.validation.name:
        entries.append(settings.validation)
    missing = []
    for entry in entries:
        annotations, images = _files(entry, settings)
        gone = [str(path) for path in (annotations, images) if not path.exists()]
        if gone:
            known = TRAINING_SETS.get(entry.name)
            missing.append(" and ".join(gone) + (f": {known.where}" if known else ""))
    if missing:
        raise InputError("\n  ".join([f"data: files of {len(missing)} of {len(entries)} sets are missing:", *missing]))


def _people(entry: SetSettings | ValidationSettings, settings: Settings, body: BodyModel) -> PersonDataset:
    return PersonDataset(*_files(entry, settings), body, entry.every if isinstance(entry, SetSettings) else 1)


def _validation(settings: Settings, body: BodyModel) -> Validation | None:
    entry = settings.validation
    return Validation(_people(entry, settings, body), entry.samples) if entry.name else None


def _snapshot_to_resume(out: Path, resume: bool) -> Path | None:
    last = out / LAST
    if last.is_file() and not resume:
        raise ConfigError(f"out {out}: holds a run already; go on with --resume or name another directory")
    if resume and not last.is_file():
        log.warning("%s: no %s to resume from; starting anew", out, LAST)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out {out}: cannot be written ({error.strerror})") from error
    return last if resume and last.is_file() else None


def _device(name: str, process: Process) -> torch.device:
    device = select_device(name)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", process.local_rank)
        torch.cuda.set_device(device)
    return device


def _combined_seed(*numbers: int) -> int:
    """Hash several numbers to one seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
