"""Child processes: failures are told with their log, and nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smplerx_ros.tools.processes import ChildError, Children

WAIT_S = 20


def timeit(statement):
    """Arguments of a module of the standard library that runs any statement: as a child to play with."""
    return "timeit", "-n1", "-r1", statement


SLEEP = timeit("import time; time.sleep(60)")
DEAF = timeit("import signal, time; signal.signal(2, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)")


def pid(children, name):
    return children._processes[name].pid


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_awaited_one_ends_and_the_others_are_stopped():
    with Children(os.environ) as children:
        children.start("sleeper", *SLEEP)
        children.start("worker", *timeit("pass"))
        sleeper = pid(children, "sleeper")
        children.wait("worker", needed=["sleeper"], timeout=WAIT_S)
        assert alive(sleeper)
    assert not alive(sleeper)


def test_one_that_is_ended_on_purpose_is_no_failure():
    with Children(os.environ) as children:
        children.start("echo", *SLEEP)
        children.start("worker", *SLEEP)
        echo = pid(children, "echo")
        children.end("echo")
        assert not alive(echo)
        children.check(["worker"])


def test_a_failure_anywhere_ends_the_wait_with_the_log():
    with Children(os.environ) as children:
        children.start("worker", *SLEEP)
        children.start("node", *timeit("raise RuntimeError('no model there')"))
        with pytest.raises(ChildError, match="the node ended with exit code 1") as error:
            children.wait("worker", needed=[], timeout=WAIT_S)
    assert "no model there" in str(error.value)


def test_a_needed_process_must_not_end_at_all():
    with Children(os.environ) as children:
        children.start("worker", *SLEEP)
        children.start("node", *timeit("pass"))
        with pytest.raises(ChildError, match="the node ended with exit code 0"):
            children.wait("worker", needed=["node"], timeout=WAIT_S)


def test_what_a_running_process_calls_fatal_ends_the_wait():
    with Children(os.environ) as children:
        children.start("worker", *SLEEP)
        children.start(
            "node", *timeit("import time; print('cannot go on', flush=True); time.sleep(60)"), fatal="cannot go on"
        )
        with pytest.raises(ChildError, match="the node has failed"):
            children.wait("worker", needed=["node"], timeout=WAIT_S)


def test_waiting_has_an_end():
    with Children(os.environ) as children:
        children.start("worker", *SLEEP)
        with pytest.raises(ChildError, match=r"is not done after 0\.2 s"):
            children.wait("worker", needed=[], timeout=0.2)


def test_one_that_ignores_the_interrupt_is_stopped_too():
    with Children(os.environ) as children:
        children.start("deaf", *DEAF)
        deadline = time.monotonic() + WAIT_S
        while "deaf" not in children.log("deaf") and time.monotonic() < deadline:
            time.sleep(0.02)
        deaf = pid(children, "deaf")
    assert not alive(deaf)


def test_the_environment_reaches_the_child():
    with Children({**os.environ, "COMMON": "a"}) as children:
        statement = "import os; assert os.environ['COMMON'] + os.environ['OWN'] == 'ab'"
        children.start("worker", *timeit(statement), environment={"OWN": "b"})
        children.wait("worker", needed=[], timeout=WAIT_S)


def test_children_end_when_their_parent_is_killed(tmp_path):
    script = (
        "import os, time\n"
        "from smplerx_ros.tools.processes import Children\n"
        "with Children(os.environ) as children:\n"
        f"    children.start('sleeper', *{SLEEP!r})\n"
        "    print(children._processes['sleeper'].pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    sleeper = int(parent.stdout.readline())
    assert alive(sleeper)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + WAIT_S
    while alive(sleeper) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(sleeper)
