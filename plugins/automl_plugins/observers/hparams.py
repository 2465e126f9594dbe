"""What TensorBoard's HParams page is told, as summaries of the `tensorboard` package.

Its format: `tensorboard/plugins/hparams/api.proto` and `plugin_data.proto`. An experiment says
what the dimensions may be and which metrics there are; each trial is a session.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


def experiment(dimensions: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, str]) -> Any:
    """Returns the summary of a search.

    Args:
        dimensions: `dimensions` of run.json: values, or `min` and `max`, by dimension.
        metrics: What each metric is called, by its tag.
    """
    from tensorboard.plugins.hparams.summary_v2 import HParam, Metric, hparams_config_pb

    return hparams_config_pb(
        [HParam(name, _domain(dimension)) for name, dimension in dimensions.items()],
        [Metric(tag, display_name=name) for tag, name in metrics.items()],
        time_created_secs=time.time(),
    )


def session_start(trial: Mapping[str, Any]) -> Any:
    """Returns the summary of how a trial, a row of the leaderboard, began."""
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    values = {
        name: value if isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in trial["hyperparameters"].items()
    }
    return hparams_pb(values, trial["trial"], start_time_secs=time.time() - trial["seconds"])


def session_end(trial: Mapping[str, Any]) -> Any:
    """Returns the summary of how a trial ended."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    completed = trial["status"] == "completed"
    info = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_SUCCESS if completed else api_pb2.STATUS_FAILURE,
        end_time_secs=time.time(),
    )
    data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    summary = Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return summary


def _domain(dimension: Mapping[str, Any]) -> Any:
    """Returns what a dimension may be; `None` for a fixed one and for what the page has no words.

    The page hides a trial whose value is outside the domain: a fixed `C=path` ends as a number.
    """
    from tensorboard.plugins.hparams.summary_v2 import Discrete, IntInterval, RealInterval

    if "values" not in dimension:
        least, most = dimension["min"], dimension["max"]
        if isinstance(least, int) and isinstance(most, int):
            return IntInterval(least, most)
        return RealInterval(float(least), float(most))
    values = dimension["values"]
    if "min" in dimension or len(values) < 2:
        return None
    for kind in (bool, int, str):
        if all(type(value) is kind for value in values):
            return Discrete(values)
    if all(type(value) in (int, float) for value in values):
        return Discrete([float(value) for value in values])
    return None
