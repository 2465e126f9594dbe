"""How much memory a worker may keep."""

from __future__ import annotations

import pytest

from automl.errors import UsageError
from automl.hardware import memory
from automl.tuning.worker_memory import memory_limit


def test_memory_is_shared_out_or_what_the_user_says(monkeypatch):
    assert memory_limit(1) == memory()["total"] // 2
    assert memory_limit(4) == memory()["total"] // 8
    monkeypatch.setenv("AUTOML_WORKER_MEMORY", "3GB")
    assert memory_limit(4) == 3 * 10**9
    monkeypatch.setenv("AUTOML_WORKER_MEMORY", "much")
    with pytest.raises(UsageError, match="AUTOML_WORKER_MEMORY, found 'much'"):
        memory_limit(4)
