"""What of the machine each task gets."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.components import Part
from automl_plugins.compute.shares import Share, share_of


@pytest.mark.parametrize("part", [None, Part()])
def test_a_single_task_and_one_beside_others_get_all(part):
    assert share_of(part) == Share()


@given(st.integers(2, 8))
def test_cores_go_to_one_task_each_and_evenly(tasks):
    shares = [share_of(Part(number, tasks)).cpus for number in range(tasks)]
    assert sorted(core for share in shares for core in share) == sorted(os.sched_getaffinity(0))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("3", ["3", "3", "3"]), ("2,GPU-8f", ["2", "GPU-8f", "2"]), ("", [None, None, None])],
)
def test_visible_gpus_go_by_turns(monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [share_of(Part(number, 3)).gpu for number in range(3)] == expected
