"""What is served follows the configuration and the disk; with real models, in this process."""

from __future__ import annotations

import asyncio
import shutil
import threading
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.plugins import load_runtime
from automl_serving.model_server.catalog import Catalog
from automl_serving.model_server.config import ModelConfig
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.loading import Loader
from automl_serving.model_server.manager import ModelManager
from automl_serving.model_server.metrics import ServerMetrics
from automl_serving.model_server.polling import follow_file
from automl_serving.model_server.warmup import REQUESTS


class Place:
    """A base path whose versions come and go, and a manager that serves them as `plus`."""

    def __init__(self, folder: Path, models: dict[int, Path], labels_may_wait: bool) -> None:
        self.folder = folder
        self.models = models
        self.loading = threading.Event()
        self.may_load = threading.Event()
        self.may_load.set()
        self._load = Loader(load_runtime("openvino"), True, ServerMetrics())
        self.catalog = Catalog()
        self.manager = ModelManager(self.catalog, self.load, labels_may_wait)

    def load(self, name: str, version: int, path: Path, beside: bool) -> Any:
        self.loading.set()
        assert self.may_load.wait(30)
        return self._load(name, version, path, beside)

    def put(self, number: int) -> None:
        staged = self.folder / f".staging-{number}"
        shutil.copytree(self.models[number], staged)
        staged.rename(self.folder / str(number))

    def damage(self, number: int) -> None:
        (self.folder / str(number)).mkdir()
        (self.folder / str(number) / "saved_model.pb").write_bytes(b"damaged")

    def config(self, **given: Any) -> ModelConfig:
        return ModelConfig("plus", self.folder, **given)

    def states(self) -> dict[int, str]:
        return {version.number: version.state for version in self.catalog.states("plus")}

    async def ask(self, version: int | None = None, label: str = "") -> float:
        with self.catalog.use("plus", version, label) as servable:
            inputs = {"x": np.zeros(1, np.float32)}
            outputs = await asyncio.to_thread(servable.run, "", inputs)
            return float(outputs["y"][0])


Scenario = Callable[[Place], Coroutine[Any, Any, None]]


@pytest.fixture
def play(tmp_path: Path, plus_models: dict[int, Path]) -> Callable[..., None]:
    """Runs a scenario on an empty base path."""

    def run(scenario: Scenario, labels_may_wait: bool = False) -> None:
        async def main() -> None:
            place = Place(tmp_path, plus_models, labels_may_wait)
            await scenario(place)
            place.manager.close()

        asyncio.run(main())

    return run


def test_a_new_version_takes_over_and_no_request_fails(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        await place.manager.apply([place.config()])
        answers: list[float] = []
        done = asyncio.Event()

        async def client() -> None:
            while not done.is_set():
                answers.append(await place.ask())

        clients = [asyncio.create_task(client()) for _ in range(4)]
        for number in (2, 3):
            place.put(number)
            await place.manager.poll()
            assert await place.ask() == number
        done.set()
        await asyncio.gather(*clients)
        assert {1, 3} <= {*answers, 3} <= {1, 2, 3}
        assert place.catalog.numbers() == {"plus": [3]}

    play(scenario)


def test_a_version_is_loaded_though_nobody_waits_for_it(play: Any) -> None:
    """As where a client's deadline for a new configuration passes."""

    async def scenario(place: Place) -> None:
        place.put(1)
        place.may_load.clear()
        asked = asyncio.create_task(place.manager.apply([place.config()]))
        assert await asyncio.to_thread(place.loading.wait, 30)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        place.may_load.set()
        await place.manager.poll()
        assert place.states() == {1: "AVAILABLE"}
        assert await place.ask() == 1

    play(scenario)


def test_a_configuration_that_was_refused_is_tried_again(play: Any, tmp_path: Path) -> None:
    """Its label names a version that is not served yet."""

    async def scenario(place: Place) -> None:
        place.put(1)
        configs = [place.config()]
        await place.manager.apply(configs)
        file = tmp_path / "models.config"
        file.write_text(
            f'model_config_list {{ config {{ name: "plus" base_path: "{place.folder}" '
            f'model_platform: "tensorflow" version_labels {{ key: "stable" value: 2 }} }} }}'
        )
        look = follow_file(place.manager, file, configs)
        await look()
        assert place.catalog.configs["plus"].labels == {}
        place.put(2)
        await place.manager.poll()
        await look()
        assert place.catalog.configs["plus"].labels == {"stable": 2}
        assert await place.ask(label="stable") == 2

    play(scenario)


def test_the_old_version_serves_while_the_new_one_loads(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        await place.manager.apply([place.config(latest=2)])
        place.may_load.clear()
        place.loading.clear()
        place.put(2)
        place.put(3)
        polling = asyncio.create_task(place.manager.poll())
        assert await asyncio.to_thread(place.loading.wait, 30)
        assert place.states() == {1: "AVAILABLE", 2: "LOADING", 3: "START"}
        assert await place.ask() == 1
        with pytest.raises(ServingError, match="version 2") as caught:
            await place.ask(2)
        assert caught.value.grpc_code == "NOT_FOUND"
        place.may_load.set()
        await polling
        assert place.catalog.numbers() == {"plus": [3, 2]}
        assert await place.ask() == 3

    play(scenario)


def test_an_old_version_answers_its_last_request_before_it_goes(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        await place.manager.apply([place.config()])
        place.put(2)
        with place.catalog.use("plus") as servable:
            await place.manager.poll()
            await asyncio.sleep(0.05)
            assert place.states() == {1: "UNLOADING", 2: "AVAILABLE"}
            assert servable.run("", {"x": np.zeros(1, np.float32)})["y"].tolist() == [1]
            model = weakref.ref(servable.model)
        del servable
        while place.states()[1] != "END":
            await asyncio.sleep(0.01)
        assert model() is None
        assert [version.servable is None for version in place.catalog.states("plus")] == [
            False,
            True,
        ]

    play(scenario)


def test_a_version_that_fails_leaves_the_old_one_and_is_tried_when_it_changes(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        await place.manager.apply([place.config()])
        place.damage(2)
        await place.manager.poll()
        assert place.states() == {1: "AVAILABLE", 2: "END"}
        error = place.catalog.states("plus", 2)[0].error
        assert error is not None
        assert error.grpc_code == "FAILED_PRECONDITION"
        assert "expected a SavedModel" in str(error)
        assert await place.ask() == 1
        place.loading.clear()
        await place.manager.poll()
        assert not place.loading.is_set()  # it is not tried again and again
        shutil.rmtree(place.folder / "2")
        place.put(2)
        await place.manager.poll()
        assert await place.ask() == 2

    play(scenario)


def test_warm_up_requests_that_fail_keep_a_version_from_taking_over(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        await place.manager.apply([place.config()])
        staged = place.folder / ".staging"
        shutil.copytree(place.models[2], staged)
        (staged / REQUESTS).parent.mkdir(exist_ok=True)
        (staged / REQUESTS).write_bytes(b"damaged")
        staged.rename(place.folder / "2")
        await place.manager.poll()
        assert place.states() == {1: "AVAILABLE", 2: "END"}
        error = place.catalog.states("plus", 2)[0].error
        assert error is not None
        assert error.grpc_code == "DATA_LOSS"
        assert await place.ask() == 1

    play(scenario)


def test_what_disappears_is_unloaded_unless_the_folder_cannot_be_read(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        await place.manager.apply([place.config()])
        away = place.folder.with_name("away")
        place.folder.rename(away)
        await place.manager.poll()
        assert await place.ask() == 1
        away.rename(place.folder)
        shutil.rmtree(place.folder / "1")
        await place.manager.poll()
        assert not place.catalog.is_complete()
        with pytest.raises(ServingError, match="none is"):
            await place.ask()
        while place.states() != {1: "END"}:
            await asyncio.sleep(0.01)
        place.put(1)
        await place.manager.poll()
        assert await place.ask() == 1

    play(scenario)


def test_several_versions_and_their_labels(play: Any) -> None:
    async def scenario(place: Place) -> None:
        for number in (1, 2, 3):
            place.put(number)
        both = frozenset({1, 2})
        with pytest.raises(ServingError, match="label 'stable', found 1") as caught:
            await place.manager.apply([place.config(specific=both, labels={"stable": 1})])
        assert caught.value.grpc_code == "FAILED_PRECONDITION"
        assert place.catalog.numbers() == {}
        await place.manager.apply([place.config(specific=both)])
        await place.manager.apply([place.config(specific=both, labels={"stable": 1, "new": 2})])
        answers = [await place.ask(), await place.ask(label="stable"), await place.ask(label="new")]
        assert answers == [2, 1, 2]
        with pytest.raises(ServingError, match="found 3"):
            await place.manager.apply([place.config(labels={"stable": 3})])
        assert await place.ask(label="stable") == 1
        await place.manager.apply([place.config(specific=both, labels={"stable": 2})])
        assert await place.ask(label="stable") == 2
        with pytest.raises(ServingError, match="'new'"):
            await place.ask(label="new")

    play(scenario)


def test_a_new_label_may_wait_for_its_version_but_one_in_use_may_not(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        await place.manager.apply([place.config(labels={"stable": 1, "next": 2})])
        with pytest.raises(ServingError, match="version 2"):
            await place.ask(label="next")
        with pytest.raises(ServingError, match="label 'stable', found 2"):
            await place.manager.apply([place.config(labels={"stable": 2})])
        place.put(2)
        await place.manager.poll()
        assert await place.ask(label="next") == 2

    play(scenario, labels_may_wait=True)


def test_models_that_are_no_longer_wanted_go(play: Any) -> None:
    async def scenario(place: Place) -> None:
        place.put(1)
        other = ModelConfig("other", place.folder)
        await place.manager.apply([place.config(), other])
        assert place.catalog.numbers() == {"plus": [1], "other": [1]}
        await place.manager.apply([other])
        assert place.catalog.numbers() == {"other": [1]}
        with pytest.raises(ServingError, match="other version 1"):
            await place.ask()
        await place.manager.apply([])
        assert place.catalog.is_complete()

    play(scenario)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda place: None, "named by a version"),
        (lambda place: place.damage(1), "expected a SavedModel"),
        (lambda place: place.folder.rmdir(), "cannot be read"),
    ],
)
def test_a_model_of_which_no_version_answers_is_told(play: Any, prepare: Any, said: str) -> None:
    async def scenario(place: Place) -> None:
        prepare(place)
        with pytest.raises(ServingError, match=said) as caught:
            await place.manager.apply([place.config()])
        assert caught.value.grpc_code == "UNKNOWN"

    play(scenario)
