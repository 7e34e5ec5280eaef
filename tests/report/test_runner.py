"""A section that fails, hangs or crashes leaves the others alone, and says what happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamecheck.errors import InputError
from tamecheck.report.document import Task, run_tasks
from tamecheck.report.page import Markup, NotMadeError, Part


def fine(_limit):
    return Part(Markup("<p>fine</p>"))


def partly(_limit):
    return Part(Markup("<p>half</p>"), "The rest is too large.")


def absent(_limit):
    raise NotMadeError("There is nothing to show.")


def refused(_limit):
    raise InputError("The box is unbounded.", where="box")


def broken(_limit):
    raise ZeroDivisionError("oops\nline two")


def killed(_limit):
    os.kill(os.getpid(), signal.SIGKILL)


def endless(_limit):
    while True:
        time.sleep(1)


def parent(_limit):
    subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], check=False)
    return Part(Markup())


def run(*builds, seconds=20.0):
    return run_tasks([Task(b.__name__, b.__name__.title(), b) for b in builds], seconds)


def test_sections_come_in_order_with_their_states():
    found = run(fine, absent, partly)
    assert [s.key for s in found] == ["fine", "absent", "partly"]
    assert [s.state for s in found] == ["made", "not-made", "partly"]
    assert found[0].body == "<p>fine</p>"
    assert found[1].why == "There is nothing to show."
    assert found[2].why == "The rest is too large."


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (refused, "The box is unbounded."),
        (broken, "Internal error (ZeroDivisionError: oops line two)"),
        (killed, "status -9"),
    ],
)
def test_a_failure_is_one_section_with_its_reason(build, says):
    before, failed, after = run(fine, build, fine)
    assert (before.state, after.state) == ("made", "made")
    assert failed.state == "not-made"
    assert says in failed.why


@pytest.mark.slow
def test_a_section_that_hangs_is_ended():
    hanging, other = run(endless, fine, seconds=1.0)
    assert hanging.state == "not-made"
    assert hanging.why.startswith("Out of time")
    assert other.state == "made"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at /proc")
def test_what_a_section_started_is_ended_with_it():
    marker = "import time; time.sleep(600)"
    run(parent, fine, seconds=1.0)
    time.sleep(0.2)
    own = os.getpid()
    left = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if marker.encode() in _bytes(path) and str(own) != path.parent.name
    ]
    assert not left


def _bytes(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_limits_add_up_to_the_time_that_is_left():
    told = []

    def tell(limit):
        told.append(limit)
        return Part(Markup(str(limit)))

    found = run_tasks([Task(str(k), "", tell) for k in range(4)], 10.0)
    limits = [float(section.body) for section in found]
    assert all(0 < limit <= 10.0 for limit in limits)
