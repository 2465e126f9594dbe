"""What of the machine each worker gets."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.tuning.shares import Share, share_out


def test_a_single_worker_gets_all():
    assert share_out(1) == [Share()]


@given(st.integers(2, 8))
def test_cores_go_to_one_worker_each_and_evenly(workers):
    shares = [share.cpus for share in share_out(workers)]
    assert sorted(core for share in shares for core in share) == sorted(os.sched_getaffinity(0))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("3", ["3", "3", "3"]), ("2,GPU-8f", ["2", "GPU-8f", "2"]), ("", [None, None, None])],
)
def test_visible_gpus_go_by_turns(monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [share.gpu for share in share_out(3)] == expected
