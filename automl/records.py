"""What a run and a trial leave behind: the shapes of run.json and of a leaderboard's rows.

Both are derived from a run's events, handed to observers, and shown by the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict


class UnreadableFile(TypedDict):
    """A file that was set aside."""

    path: str
    reason: str


class DoubtsRecord(TypedDict):
    """What the search's first trial on all images said of them, each kind's surest first.

    Attributes:
        judged: How many images had their labels judged, by heads that were not fitted on them.
        labels: `path` and `label` of images whose labels are doubted, and the `suggested` one.
        compared: How many images were compared with one another; 0 where there are too many.
        outliers: `path` and `label` of images unlike all others, and by how many `deviations`
            they are farther from their neighbours than usual.
    """

    judged: int
    labels: Sequence[Mapping[str, Any]]
    compared: int
    outliers: Sequence[Mapping[str, Any]]


class ModelRecord(TypedDict):
    """The model version that a run registered; `path` is its folder."""

    name: str
    version: int
    path: str


class RunRecord(TypedDict):
    """What a run's run.json holds, as far as others may rely on it.

    Attributes:
        run: The run's id.
        name: The experiment's name, which is the model's too.
        state: queued, preparing, running, finalizing, completed, failed or cancelled.
        seed: What all its randomness follows from.
        command: The command line that began it, program first; empty from Python.
        started: When, ISO 8601 in UTC.
        seconds: How long it has taken.
        budget_seconds: How long it might take; `None` for no limit.
        labels: The classes, in the order of the model's outputs.
        counts: Images by split (`"train"`, `"test"`) and label.
        unreadable: Files that were set aside, with the reason.
        doubts: What the first trial on all images said of them; `None` before that, and where
            no network is used as it came.
        versions: Of automl, Python and the libraries that matter.
        fingerprint: Of the data, hex.
        model: What was registered; `None` before that.
        winner: The trial that was exported; `None` before that.
        notes: Lines for the user, such as why a backbone was left out.
        parity: What the export proved; see `automl.manifest.Manifest`.
    """

    run: str
    name: str
    state: str
    seed: int
    command: Sequence[str]
    started: str
    seconds: float
    budget_seconds: float | None
    labels: Sequence[str]
    counts: Mapping[str, Mapping[str, int]]
    unreadable: Sequence[UnreadableFile]
    doubts: DoubtsRecord | None
    versions: Mapping[str, str]
    fingerprint: str
    model: ModelRecord | None
    winner: str | None
    notes: Sequence[str]
    parity: Mapping[str, Any]


class History(TypedDict, total=False):
    """One value an epoch, under Keras' own names; `None` where a value was not finite."""

    loss: Sequence[float | None]
    val_loss: Sequence[float | None]
    accuracy: Sequence[float | None]
    val_accuracy: Sequence[float | None]


class TrialRecord(TypedDict):
    """A row of the leaderboard.

    Attributes:
        trial: The trial's id.
        stage: `"frozen"` (a head on frozen features) or `"fine-tune"`.
        status: How it ended; `"unfit"` where the network was measured to be too slow or large.
        hyperparameters: Its dimensions and values, such as `backbone` and `depth`.
        score: Validation class-averaged accuracy, 0..1; `None` if it has none.
        spread: Standard deviation of the score over folds; `None` with a single one.
        decided: When it was chosen, in seconds since the run's start.
        seconds: How long it took.
        finished_at: When it ended, in seconds since the run's start.
        accuracy: Validation accuracy, 0..1.
        log_loss: Validation log loss after calibration, in nats.
        temperature: What calibrates the logits.
        folds: Validation folds that were used.
        features_seconds: What computing features took; 0 where they were cached.
        preparing_seconds: What was needed once before the folds, such as activations.
        fold_seconds: Mean seconds of fitting one fold.
        cost_gmacs: Billion multiply-adds an image.
        latency_ms: Milliseconds for one picture where it is deployed, where that was measured.
        size_mb: Million bytes of the SavedModel, where that was measured.
        parameters: How many numbers the model holds.
        error: Why it failed, one sentence.
        history: Of training by gradient descent; `None` for fitted heads.
    """

    trial: str
    stage: Literal["frozen", "fine-tune"]
    status: Literal["completed", "failed", "stopped", "unfit"]
    hyperparameters: Mapping[str, Any]
    score: float | None
    spread: float | None
    decided: float
    seconds: float
    finished_at: float
    accuracy: NotRequired[float | None]
    log_loss: NotRequired[float | None]
    temperature: NotRequired[float]
    folds: NotRequired[int]
    features_seconds: NotRequired[float]
    preparing_seconds: NotRequired[float]
    fold_seconds: NotRequired[float]
    cost_gmacs: NotRequired[float | None]
    latency_ms: NotRequired[float]
    size_mb: NotRequired[float]
    parameters: NotRequired[int | None]
    error: NotRequired[str | None]
    history: NotRequired[History | None]
