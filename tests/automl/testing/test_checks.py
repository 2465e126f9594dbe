"""The contract checks find what is wrong with components that break a contract."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl import testing
from automl.components import (
    AffineHead,
    Augmentation,
    Backbone,
    Compute,
    EstimatorHead,
    FoundImage,
    ImageRecord,
    ImageSource,
    LayersHead,
    Observer,
    SearchProvider,
    Strategy,
    Task,
    TaskHandle,
    Watch,
)
from automl.errors import DataError
from automl.plugins import plugin_manager


class MeanColour(Backbone):
    """Keeps the contract; the classes below each break it in one way."""

    name = "mean-colour"
    depths = (1,)
    resolutions = (8,)
    pretrained = False
    trainable = False

    def cost(self, depth, resolution):
        return resolution**2 * 3 / 1e9

    def build(self, depth, resolution, weights):
        import keras

        return keras.Sequential(
            [keras.Input((resolution, resolution, 3)), *self.body(), self.end()]
        )

    def body(self) -> list[Any]:
        return []

    def end(self) -> Any:
        import keras

        return keras.layers.GlobalAveragePooling2D()


class NoPooling(MeanColour):
    def end(self):
        import keras

        return keras.layers.ReLU()


class Blind(MeanColour):
    def body(self):
        import keras

        return [keras.layers.Rescaling(0.0)]


class Overflowing(MeanColour):
    def body(self):
        import keras

        return [keras.layers.Rescaling(1e38)]


class BatchDependent(MeanColour):
    def end(self):
        import keras

        return keras.layers.Lambda(lambda x: (x - keras.ops.mean(x, 0))[:, 0, 0, :])


class Forgetful(MeanColour):
    """Draws a number that is in no weight."""

    def body(self):
        import keras

        return [keras.layers.Rescaling(np.random.default_rng().uniform(0.1, 1.0))]


class Untrainable(MeanColour):
    trainable = True


class Misnaming(MeanColour):
    def blocks(self, model):
        return [["no_such_layer"]]


class Cheapening(MeanColour):
    resolutions = (8, 16)

    def cost(self, depth, resolution):
        return 1 / resolution


class Shouting(MeanColour):
    name = "Mean Colour"


@pytest.mark.parametrize(
    ("backbone", "sentence"),
    [
        (NoPooling(), r"to return features \[N, F\]"),
        (Blind(), "found the same features for all"),
        (Overflowing(), "finite features"),
        (BatchDependent(), "features that depend on the rest of the batch"),
        (Forgetful(), "keep everything it learnt or drew in its weights"),
        (Untrainable(), "whether its blocks have trainable weights"),
        (Misnaming(), "found .'no_such_layer'."),
        (Cheapening(), "not to fall with the resolution"),
        (Shouting(), "in lower case with hyphens, found 'Mean Colour'"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_backbones_that_break_the_contract(backbone: Backbone, sentence: str):
    testing.check_backbone(MeanColour())
    with pytest.raises(AssertionError, match=sentence):
        testing.check_backbone(backbone)


class NearestMean(EstimatorHead):
    name = "nearest-mean"
    absent = -1e6

    def fit(self, features, labels, classes, params, seed):
        kernel = np.zeros((features.shape[1], classes), np.float32)
        bias = np.full(classes, self.absent, np.float32)
        for label in np.unique(labels):
            mean = features[labels == label].mean(axis=0)
            kernel[:, label], bias[label] = mean, -mean @ mean / 2
        return AffineHead(kernel, bias)


class Inventive(NearestMean):
    absent = 1e6


class Infinite(NearestMean):
    absent = -np.inf


class Guessing(NearestMean):
    def fit(self, features, labels, classes, params, seed):
        fitted = super().fit(features, labels, classes, params, seed)
        return AffineHead(-fitted.kernel, np.where(fitted.bias < -1e5, fitted.bias, 0))


class Meddling(NearestMean):
    def fit(self, features, labels, classes, params, seed):
        fitted = super().fit(features, labels, classes, params, seed)
        features += 1
        return fitted


class Lying(AffineHead):
    def logits(self, features):
        return super().logits(features) * 2


class Inconsistent(NearestMean):
    def fit(self, features, labels, classes, params, seed):
        fitted = super().fit(features, labels, classes, params, seed)
        return Lying(fitted.kernel, fitted.bias)


class Softmax(LayersHead):
    name = "softmax"

    def layers(self, features, classes, params):
        import keras

        return [keras.layers.Dense(classes, activation="softmax")]


class Sharing(LayersHead):
    name = "sharing"
    kept: Any = None

    def layers(self, features, classes, params):
        import keras

        self.kept = self.kept or [keras.layers.Dense(classes)]
        return self.kept


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (Inventive(), "never to choose a class it has not seen"),
        (Infinite(), "finite logits"),
        (Guessing(), "to learn distant groups"),
        (Meddling(), "to leave its training features as they are"),
        (Inconsistent(), "to compute its logits"),
        (Softmax(), "leave out the softmax"),
        (Sharing(), "to return new layers each time"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_heads_that_break_the_contract(head: Any, sentence: str):
    testing.check_head(NearestMean())
    with pytest.raises(AssertionError, match=sentence):
        testing.check_head(head)


class Shift(Augmentation):
    name = "shift"

    def augmenter(self, params, seed):
        def augment(images, batch_seed):
            return np.roll(images, batch_seed, axis=2)

        return augment


class InPlace(Shift):
    def augmenter(self, params, seed):
        def augment(images, batch_seed):
            images[:] = np.roll(images, batch_seed, axis=2)
            return images

        return augment


class Unseeded(Shift):
    def augmenter(self, params, seed):
        calls = itertools.count(1)
        return lambda images, batch_seed: np.roll(images, next(calls), axis=2)


class Seedless(Shift):
    def augmenter(self, params, seed):
        return lambda images, batch_seed: images.copy()


class Floating(Shift):
    def augmenter(self, params, seed):
        return lambda images, batch_seed: np.roll(images, batch_seed, axis=2) / 255.0


class Both(Shift):
    def layers(self, params, seed):
        import keras

        return [keras.layers.RandomFlip(seed=seed)]


class Brightening(Augmentation):
    name = "brightening"

    def layers(self, params, seed):
        import keras

        return [keras.layers.Rescaling(2.0)]


class Stray(Shift):
    def declare(self, hp):
        hp.Fixed("amount", 1)


@pytest.mark.parametrize(
    ("augmentation", "sentence"),
    [
        (InPlace(), "found it changed in place"),
        (Unseeded(), "to repeat itself for the same seed|thread-safe"),
        (Seedless(), "to depend on the batch seed"),
        (Floating(), "to return uint8"),
        (Both(), "on the device or on the host, found both"),
        (Brightening(), r"to stay in 0\.\.255"),
        (Stray(), r"to begin with shift, found \['amount'\]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_augmentations_that_break_the_contract(augmentation: Augmentation, sentence: str):
    testing.check_augmentation(Shift())
    with pytest.raises(AssertionError, match=sentence):
        testing.check_augmentation(augmentation)


class Files(ImageSource):
    name = "files"
    label = "a"
    missing_is_error = True

    def accepts(self, location):
        return True

    def read(self, location, folder):
        if self.missing_is_error and not Path(location).is_dir():
            raise DataError("expected a folder, found none; make one.")
        for path in sorted(Path(location).glob("*")):
            yield ImageRecord(path, self.label)


class Unlabelled(Files):
    label = ""


class Silent(Files):
    missing_is_error = False


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Unlabelled(), "to label each image with text"),
        (Silent(), "to raise DataError, found no error"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_sources_that_break_the_contract(source: ImageSource, sentence: str, tmp_path: Path):
    (tmp_path / "1.png").touch()
    testing.check_image_source(Files(), str(tmp_path))
    with pytest.raises(AssertionError, match=sentence):
        testing.check_image_source(source, str(tmp_path))


class Counted(SearchProvider):
    """Keeps the contract; the providers below each break it in one way."""

    name = "counted"
    address = "https://example.org/{}.jpg"

    def search(self, query, count, key=""):
        for number in range(min(count, 40)):
            yield FoundImage(self.address.format(number), author=query)


class Generous(Counted):
    def search(self, query, count, key=""):
        return super().search(query, 40, key)


class Repeating(Counted):
    address = "https://example.org/1.jpg"


class Pathless(Counted):
    address = "{}.jpg"


class Authorless(Counted):
    def search(self, query, count, key=""):
        return super().search(None, count, key)


class Keyed(Counted):
    key_variable = "my key"


class Fruitless(Counted):
    def search(self, query, count, key=""):
        return iter(())


@pytest.mark.parametrize(
    ("provider", "sentence"),
    [
        (Generous(), "to find from 2 to 30 images for 'cup', found 40"),
        (Repeating(), "to name each image once, found 30 of which 1 are different"),
        (Pathless(), "to yield FoundImages with an address each"),
        (Authorless(), "to say an image's author as text, found None"),
        (Keyed(), "to name a variable of the environment as its key's, or none, found 'my key'"),
        (Fruitless(), "found 0"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_search_providers_that_break_the_contract(provider: SearchProvider, sentence: str):
    testing.check_search_provider(Counted(), "cup")
    with pytest.raises(AssertionError, match=sentence):
        testing.check_search_provider(provider, "cup")


class Random(Strategy):
    name = "random"

    def oracle(self, context):
        import keras_tuner

        return keras_tuner.oracles.RandomSearchOracle(
            objective=keras_tuner.Objective("balanced_accuracy", "max"),
            max_trials=context.max_trials,
            seed=context.seed,
            hyperparameters=context.space,
        )


class Unrepeatable(Random):
    def oracle(self, context):
        oracle = super().oracle(context)
        oracle.seed = oracle._seed_state = int(np.random.default_rng().integers(1 << 30))
        return oracle


class Endless(Random):
    def oracle(self, context):
        oracle = super().oracle(context)
        oracle.max_trials = 1000
        return oracle


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        (Unrepeatable(), "to make the same trials for the same seed"),
        (Endless(), "to make at most 6 trials"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_strategies_that_break_the_contract(strategy: Strategy, sentence: str):
    testing.check_strategy(Random())
    with pytest.raises(AssertionError, match=sentence):
        testing.check_strategy(strategy)


class Finished(TaskHandle):
    def status(self):
        return 0

    def log(self):
        return "hello oops"

    def cancel(self, grace=5.0):
        return

    def wait(self, timeout=None):
        return 0


class Pretending(Compute):
    """Claims that every task ended well."""

    name = "pretending"

    def start(self, task: Task) -> TaskHandle:
        return Finished()


def test_a_compute_that_runs_nothing_is_found_out():
    with pytest.raises(AssertionError, match="to report exit status 7, found 0"):
        testing.check_compute(Pretending())


class Logging(Compute):
    """Logs what should be answered."""

    name = "logging"

    def start(self, task: Task) -> TaskHandle:
        return plugin_manager().compute["local"].start(dataclasses.replace(task, stdout=None))


def test_a_compute_that_does_not_carry_the_output_is_found_out():
    with pytest.raises(AssertionError, match="input and output, found '' for 'UP"):
        testing.check_compute(Logging())


class Counting(Watch):
    """Keeps the contract; the observers below each break it in one way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run_started(self, run):
        (self.folder / "count").write_text("0")


class Counter(Observer):
    name = "counter"

    def watch(self, folder, workspace):
        return Counting(folder)


class Hasty(Counter):
    def watch(self, folder, workspace):
        folder.mkdir(parents=True)
        return Counting(folder)


class Sharing(Counter):
    def __init__(self) -> None:
        self.one = Counting(Path())

    def watch(self, folder, workspace):
        return self.one


class Rounding(Counting):
    def trial_finished(self, run, trial):
        round(trial["score"], 2)  # a failed trial has none


class Rounder(Counter):
    def watch(self, folder, workspace):
        return Rounding(folder)


@pytest.mark.parametrize(
    ("observer", "sentence"),
    [
        (Hasty(), "to write nothing before run_started"),
        (Sharing(), "a Watch of its own for each run"),
        (Rounder(), "expected counter to take trial_finished, found TypeError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_observers_that_break_the_contract(observer: Observer, sentence: str):
    testing.check_observer(Counter())
    with pytest.raises(AssertionError, match=sentence):
        testing.check_observer(observer)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import numpy", "found numpy; import frameworks where a component is built"),
        ("def automl_heads(register): pass", "put @automl.hookimpl above it"),
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
    ],
)
def test_plugins_that_break_the_contract(
    source: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "a_plugin_to_check.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AssertionError, match=sentence):
        testing.check_plugin("a_plugin_to_check")
    assert "a_plugin_to_check" not in sys.modules
