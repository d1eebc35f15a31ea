"""Bound memory and CUDA graphs, on the CPU's provider, which runs plainly whatever graph it is told to replay."""

from __future__ import annotations

from contextlib import suppress
from importlib import resources
from threading import Barrier, BrokenBarrierError, Thread

import numpy as np
import onnxruntime
import pytest

from smplerx_ros.runtime import binding
from smplerx_ros.runtime.binding import Bindings, GraphError
from smplerx_ros.runtime.onnx import session_options


class Session(onnxruntime.InferenceSession):
    """Notes the graphs it is asked for, and does with them what `behaviour` says."""

    def __init__(self) -> None:
        content = (resources.files("smplerx_ros") / "assets" / "hand_recrop.onnx").read_bytes()
        super().__init__(content, session_options(1), providers=["CPUExecutionProvider"])
        self.graphs: list[int] = []
        self.behaviour = ""

    def run_with_iobinding(self, iobinding, run_options=None):
        graph = int(run_options.get_run_config_entry("gpu_graph_id")) if run_options is not None else 0
        replayed = graph in self.graphs
        self.graphs.append(graph)
        if graph > 0 and self.behaviour.startswith("fails: "):
            raise RuntimeError(self.behaviour.removeprefix("fails: "))
        if replayed and self.behaviour == "stale" and graph > 0:
            return
        super().run_with_iobinding(iobinding, run_options)


@pytest.fixture
def session() -> Session:
    return Session()


def feed(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(seed).random((rows, 256, 256, 3), np.float32)}


def outputs(session: Session) -> list[str]:
    return [output.name for output in session.get_outputs()]


@pytest.mark.parametrize("graphs", [True, False])
def test_answers_are_those_of_plain_runs_in_any_order_of_batches(session: Session, graphs: bool) -> None:
    bindings = Bindings(session, outputs(session), "cpu", graphs=graphs)
    earlier = []
    for seed, rows in enumerate((1, 4, 1, 2, 4, 1)):
        inputs = feed(rows, seed)
        answers = bindings.run(inputs)
        for answer, expected in zip(answers, session.run(None, inputs), strict=True):
            np.testing.assert_array_equal(answer, expected)
        earlier.append((answers[0], answers[0].copy()))
    for kept, copied in earlier:  # a later run does not write into an earlier answer
        np.testing.assert_array_equal(kept, copied)


def test_every_shape_has_its_graph_after_a_plain_run(session: Session) -> None:
    bindings = Bindings(session, outputs(session), "cpu", graphs=True)
    for rows in (1, 4, 1, 4):
        bindings.run(feed(rows))
    # plain; captured over nothing; compared; the run itself. Then replays.
    assert session.graphs == [-1, 1, 1, 1, -1, 2, 2, 2, 1, 2]


def test_replays_use_the_same_memory(session: Session) -> None:
    bindings = Bindings(session, outputs(session), "cpu", graphs=True)
    bindings.run(feed(2))
    (bound,) = bindings._bound.values()
    before = [value.data_ptr() for value in (*bound._inputs.values(), *bound._outputs)]
    io = bound._io
    bindings.run(feed(2, 1))
    assert list(bindings._bound.values()) == [bound]
    assert bound._io is io
    assert [value.data_ptr() for value in (*bound._inputs.values(), *bound._outputs)] == before


def test_memory_that_was_given_back_is_no_graphs_any_more(session: Session) -> None:
    bindings = Bindings(session, outputs(session), "cpu", graphs=True)
    bindings.run(feed(1))
    bindings.clear()
    bindings.run(feed(1))
    assert max(session.graphs) == 2


def test_another_thread_captures_anew(session: Session) -> None:
    bindings = Bindings(session, outputs(session), "cpu", graphs=True)
    bindings.run(feed(1))
    thread = Thread(target=bindings.run, args=(feed(1),))
    thread.start()
    thread.join()
    assert session.graphs[-4:] == [-1, 2, 2, 2]


def test_threads_share_bindings_without_graphs(session: Session) -> None:
    bindings = Bindings(session, outputs(session), "cpu")
    bindings.run(feed(1))
    before = dict(bindings._bound)
    thread = Thread(target=bindings.run, args=(feed(1),))
    thread.start()
    thread.join()
    assert bindings._bound == before


@pytest.mark.parametrize(("memory", "together"), [("cuda", 1), ("cpu", 2)])
def test_networks_on_a_gpu_take_turns(memory: str, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture forbids other threads what a run does; on the CPU they may overlap."""
    allocated = binding._allocated
    monkeypatch.setattr(binding, "_allocated", lambda like, _: allocated(like, "cpu"))
    both, seen, running = Barrier(2), [], []

    class Watched(Session):
        def run_with_iobinding(self, iobinding, run_options=None):
            running.append(self)
            with suppress(BrokenBarrierError):
                both.wait(1.0)  # for the other, who comes only where they may overlap
            seen.append(len(running))
            super().run_with_iobinding(iobinding, run_options)
            running.remove(self)

    sessions = [Watched(), Watched()]
    threads = [Thread(target=Bindings(s, outputs(s), memory).run, args=(feed(1),)) for s in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(seen) == together
    assert len(seen) == 2


def test_a_replay_that_ignores_its_inputs_is_found_out(session: Session) -> None:
    session.behaviour = "stale"
    with pytest.raises(GraphError, match="its replay gives different values of points"):
        Bindings(session, outputs(session), "cpu", graphs=True).run(feed(1))


def test_what_cannot_be_captured_says_why(session: Session) -> None:
    session.behaviour = "fails: CUDA failure 900: operation not permitted when stream is capturing\nand so on"
    with pytest.raises(GraphError, match=r"CUDA failure 900: operation not permitted when stream is capturing$"):
        Bindings(session, outputs(session), "cpu", graphs=True).run(feed(1))


def test_want_of_memory_is_not_the_graphs_fault(session: Session) -> None:
    session.behaviour = "fails: CUDA failure 2: out of memory"
    with pytest.raises(RuntimeError, match="out of memory"):
        Bindings(session, outputs(session), "cpu", graphs=True).run(feed(1))
