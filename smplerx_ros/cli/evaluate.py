"""Measure a backbone on a data set: errors in millimetres, beside the paper's.

    smplerx evaluate --dataset ehf --data DIR --body-models DIR --backbone h32 --weights BUNDLE --out OUT
    smplerx evaluate --dataset synthetic --data DIR --out OUT

Writes samples.csv (every person), results.npz (with predicted parameters), settings.json and table.md into OUT. If
interrupted, it continues when run again. docs/howto/evaluation.md describes measures and data sets.
Exit code: 0 done; 2 refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smplerx_ros.research.evaluation.body_models import BodyModels
    from smplerx_ros.research.evaluation.datasets import LoadedSet
    from smplerx_ros.research.evaluation.evaluation import Detector
    from smplerx_ros.research.evaluation.evaluators import Evaluator
    from smplerx_ros.research.evaluation.predictors import Predictor
    from smplerx_ros.research.evaluation.report import Summary

_PARAMETERS = (
    "backbone",
    "weights",
    "runtime",
    "device",
    "precision",
    "threads",
)  # names of parameters of the estimator
BOXES = ("truth", "detected")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    from smplerx_ros.config.table import PARAMETERS
    from smplerx_ros.research.evaluation.datasets import DATASETS

    parser.add_argument("--dataset", required=True, choices=tuple(DATASETS), help="what to measure on")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="its images and annotations")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="if not found in DIR by its usual name")
    parser.add_argument("--body-models", type=Path, metavar="DIR", help="SMPLX_*.npz [the embedded stand-in]")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="results; continues an interrupted run")
    parser.add_argument("--boxes", choices=BOXES, default=BOXES[0], help="boxes of the people [%(default)s]")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="people at once [%(default)s]")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N people")
    parser.add_argument("--submission", action="store_true", help="also write a submission for AGORA's server")
    for parameter in PARAMETERS:
        if parameter.name in _PARAMETERS:
            parser.add_argument(
                f"--{parameter.name}",
                type=parameter.type,
                default=parameter.default,
                help=f"{parameter.description} [{parameter.allowed}; default {parameter.default!r}]".replace("%", "%%"),
            )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; returns the exit code. Raises SmplerxError if nothing can be measured."""
    from tqdm import tqdm

    from smplerx_ros.errors import ConfigError
    from smplerx_ros.research.evaluation.agora import pack_submission
    from smplerx_ros.research.evaluation.body_models import BodyModels
    from smplerx_ros.research.evaluation.datasets import load_set
    from smplerx_ros.research.evaluation.evaluation import Evaluation
    from smplerx_ros.research.evaluation.evaluators import load_evaluator
    from smplerx_ros.research.evaluation.predictors import load_predictor
    from smplerx_ros.research.evaluation.report import summarize
    from smplerx_ros.research.evaluation.results import ResultStore

    for name in ("batch", "limit"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise ConfigError(f"--{name} must be at least 1")
    loaded = load_set(arguments.dataset, arguments.data, arguments.annotations, arguments.limit)
    bodies = BodyModels(arguments.body_models)
    evaluator = load_evaluator(loaded, bodies)
    predictor = load_predictor({name: getattr(arguments, name) for name in _PARAMETERS}, bodies.neutral)
    about = _about(arguments, loaded, bodies, evaluator, predictor)
    store = ResultStore(arguments.out, about)
    submission = arguments.out / "submission" if arguments.submission else None
    detector = _detector(arguments, loaded)
    evaluation = Evaluation(loaded, predictor, evaluator, bodies.neutral, detector, submission)
    with tqdm(total=len(loaded.people), unit="person", desc=loaded.spec.title) as bar:
        results = evaluation.run(store, arguments.batch, bar.update)
    found = summarize(loaded, results)
    _report(arguments.out, loaded, results, found, about)
    if submission is not None:
        print(f"{pack_submission(submission)}: for the server that https://agora.is.tue.mpg.de names")
    return 0


def _about(
    arguments: argparse.Namespace, loaded: LoadedSet, bodies: BodyModels, evaluator: Evaluator, predictor: Predictor
) -> dict[str, Any]:
    """Everything that the results depend on."""
    return {
        "dataset": loaded.spec.name,
        "annotations": f"{loaded.annotations.name} ({loaded.annotations.stat().st_size} bytes)",
        "people": len(loaded.people),
        "boxes": arguments.boxes,
        "submission": arguments.submission,
        "body_model": bodies.neutral.name,
        **predictor.metadata,
        **evaluator.metadata,
    }


def _detector(arguments: argparse.Namespace, loaded: LoadedSet) -> Detector | None:
    from smplerx_ros.detection.builtin import BuiltinDetector
    from smplerx_ros.errors import InputError

    if arguments.boxes == BOXES[0]:
        return None
    if loaded.people.keypoints2d is None:
        raise InputError(f"{loaded.annotations}: has no key points in the image to match detections by")
    return BuiltinDetector(arguments.device, arguments.threads or None)


def _report(out: Path, loaded: LoadedSet, results: Any, found: Summary, about: dict[str, Any]) -> None:
    from smplerx_ros.io.report import command_line, machine
    from smplerx_ros.research.evaluation.report import markdown_table, notes, write_results, write_samples

    write_samples(out / "samples.csv", loaded, results)
    write_results(out / "results.npz", results)
    weights = f", weights {about['weights']}" if about["weights"] else ""
    title = f"{loaded.spec.title}: {about['backbone']} on {about['body_model']}{weights}"
    text = "\n\n".join([f"# {title}", markdown_table(loaded, found), *notes(loaded, found, about)])
    made = ", ".join(f"{key} {value}" for key, value in machine().items())
    (out / "table.md").write_text(f"{text}\n\n`{command_line()}`\n\n{made}\n", encoding="utf-8")
    print(f"{text}\n\n{out / 'samples.csv'}: every person")
