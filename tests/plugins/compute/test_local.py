"""Tasks as processes of this machine, beyond what the contract says."""

from __future__ import annotations

import os
import sys

from automl.components import Part, Task
from automl.plugins import plugin_manager

LOCAL = plugin_manager().compute["local"]


def test_a_task_is_confined_to_its_cores_and_this_process_is_not(tmp_path):
    before = os.sched_getaffinity(0)
    part, core = Part(len(before) - 1, len(before)), max(before)
    program = "import os; print(sorted(os.sched_getaffinity(0)))"
    task = Task([sys.executable, "-c", program], tmp_path / "log", part=part)
    handle = LOCAL.start(task)
    assert handle.wait(60) == 0
    assert handle.log().strip() == f"[{core}]"
    assert os.sched_getaffinity(0) == before
