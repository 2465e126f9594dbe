"""What of the machine each worker gets."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.errors import UsageError
from automl.hardware import memory
from automl.tuning.shares import Share, share_out


def test_a_single_worker_gets_all():
    (share,) = share_out(1)
    assert share == Share(memory=memory()["total"] // 2)


def test_memory_is_shared_out_or_what_the_user_says(monkeypatch):
    assert {share.memory for share in share_out(4)} == {memory()["total"] // 8}
    monkeypatch.setenv("AUTOML_WORKER_MEMORY", "3GB")
    assert {share.memory for share in share_out(4)} == {3 * 10**9}
    monkeypatch.setenv("AUTOML_WORKER_MEMORY", "much")
    with pytest.raises(UsageError, match="AUTOML_WORKER_MEMORY, found 'much'"):
        share_out(4)


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
