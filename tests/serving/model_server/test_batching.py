"""Batches: no row is lost, mixed up or held back; in this process, with threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from automl.components import LoadedModel
from automl.errors import DataError, UsageError
from automl_serving import tensors
from automl_serving.model_server.batching import batcher
from automl_serving.model_server.batching.batcher import Batcher
from automl_serving.model_server.batching.parameters import BatchingParameters
from automl_serving.model_server.catalog import Catalog, Version
from automl_serving.model_server.config import ModelConfig
from automl_serving.model_server.errors import QueueFullError, ServingError
from automl_serving.model_server.execution import run_in
from automl_serving.model_server.grpc_api import GrpcApi
from automl_serving.model_server.messages import PredictRequest, SignatureDefMap
from automl_serving.model_server.metrics import ServerMetrics
from automl_serving.model_server.rest_api import RestApi
from automl_serving.model_server.servable import Servable


class Squares(LoadedModel):
    """Squares rows, refuses those below 0, and remembers how many came at a time."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.on_the_loop: list[bool] = []
        self.seconds = 0.0
        self.may_run = threading.Event()
        self.may_run.set()
        self.entered = threading.Event()
        definition = SignatureDefMap().signature_def["serving_default"]
        for infos, name in ((definition.inputs, "x"), (definition.outputs, "y")):
            infos[name].dtype = 9
            for _ in range(2):
                infos[name].tensor_shape.dim.add(size=-1)
        self._definition = definition

    @property
    def signatures(self) -> Mapping[str, object]:
        return {"serving_default": self._definition}

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.entered.set()
        assert self.may_run.wait(30)
        self.batches.append(len(inputs["x"]))
        self.on_the_loop.append(threading.current_thread() is threading.main_thread())
        time.sleep(self.seconds)
        if (inputs["x"] < 0).any():
            raise DataError("expected rows of 0 or more, found others; send others.")
        return {"y": inputs["x"] ** 2}


class Bench:
    """A batcher over `Squares`; make it in a running loop."""

    def __init__(self, **parameters: int) -> None:
        self.model = Squares()
        self.servable = Servable("squares", 1, self.model)
        self.observed: list[tuple[int, float]] = []
        given = BatchingParameters(**{"num_batch_threads": 1, **parameters})
        self.batcher = Batcher(
            given,
            run_in(ThreadPoolExecutor(2)),
            ThreadPoolExecutor(given.threads),
            lambda rows, waited: self.observed.append((rows, waited)),
        )

    async def ask(self, rows: Any, small: bool = False) -> list[list[int]]:
        return await self.batcher(
            self.servable,
            "",
            lambda: {"x": np.asarray(rows, np.int64)},
            lambda outputs: outputs["y"].tolist(),
            small=small,
        )

    async def block(self) -> asyncio.Task[Any]:
        """Keeps the one thread busy until `may_run` is set."""
        self.model.may_run.clear()
        self.model.entered.clear()
        task = asyncio.create_task(self.ask([[0]]))
        assert await asyncio.to_thread(self.model.entered.wait, 30)
        return task


REQUESTS = st.lists(
    st.tuples(
        st.lists(st.integers(-1, 1000), max_size=9),  # a negative row is refused
        st.integers(1, 2),  # columns: rows of different widths cannot go together
        st.sampled_from([0, 0, 0.0005, 0.002]),  # when it comes, in seconds
        st.booleans(),  # whether it counts as small
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(
    requests=REQUESTS,
    size=st.integers(1, 7),
    threads=st.integers(1, 3),
    timeout=st.sampled_from([0, 300, 2000]),
)
def test_every_request_gets_its_own_rows_in_order(
    requests: Any, size: int, threads: int, timeout: int
) -> None:
    async def main() -> None:
        bench = Bench(
            max_batch_size=size,
            num_batch_threads=threads,
            batch_timeout_micros=timeout,
            max_enqueued_batches=1000,
        )

        async def client(rows: list[int], width: int, delay: float, small: bool) -> None:
            await asyncio.sleep(delay)
            sent = np.repeat(np.array(rows, np.int64)[:, None], width, axis=1)
            if -1 in rows:
                with pytest.raises(DataError):
                    await bench.ask(sent, small)
            else:
                assert await bench.ask(sent, small) == (sent**2).tolist()

        await asyncio.gather(*(client(*request) for request in requests))
        assert all(rows <= size for rows in bench.model.batches)

    asyncio.run(main())


def test_requests_that_wait_go_together() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=4)
        first = await bench.block()
        others = [asyncio.create_task(bench.ask([[n], [n]])) for n in (1, 2, 3)]
        await asyncio.sleep(0.05)
        bench.model.may_run.set()
        assert await asyncio.gather(first, *others) == [
            [[0]],
            [[1], [1]],
            [[4], [4]],
            [[9], [9]],
        ]
        assert bench.model.batches == [1, 4, 2]

    asyncio.run(main())


def test_a_request_that_comes_alone_does_not_wait() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=64, batch_timeout_micros=60_000_000)
        assert await asyncio.wait_for(bench.ask([[3]]), 30) == [[9]]
        assert [rows for rows, _ in bench.observed] == [1]

    asyncio.run(main())


def test_a_small_row_that_comes_alone_to_a_quick_model_takes_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batcher, "_QUICK", 0.2)

    async def asked(bench: Bench, rows: Any, small: bool = True) -> bool:
        """Asks for rows that come alone, and returns whether they were run on the loop."""
        await asyncio.sleep(0.01)
        assert await bench.ask(rows, small) == [[n * n for n in row] for row in rows]
        return bench.model.on_the_loop[-1]

    async def main() -> None:
        bench = Bench(num_batch_threads=2)
        assert not await asked(bench, [[1]])  # nobody knows yet how long it takes
        assert await asked(bench, [[2]])
        assert [rows for rows, _ in bench.observed] == [1, 1]
        assert not await asked(bench, [[2]], small=False)
        assert not await asked(bench, [[2], [3]])
        assert not await asked(bench, [[2, 3]])  # of another shape
        with pytest.raises(DataError):
            await bench.ask([[-1, 3]], small=True)
        assert await asked(bench, [[4, 3]])
        bench.model.seconds = 0.3
        assert await asked(bench, [[4, 3]])
        assert not await asked(bench, [[4, 3]])
        bench.model.seconds = 0.0
        assert not await asked(bench, [[4, 3]])
        assert await asked(bench, [[4, 3]])

    asyncio.run(main())


def test_small_rows_that_come_together_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "_QUICK", 0.5)
    monkeypatch.setattr(batcher, "_MOMENT", 0.5)

    async def main() -> None:
        bench = Bench(num_batch_threads=2)
        assert await bench.ask([[1]], small=True) == [[1]]
        await asyncio.sleep(0.6)
        # The first one cannot know of the others; what is read right after it can.
        asked = [bench.ask([[n]], small=True) for n in range(5)]
        assert await asyncio.gather(*asked) == [[[n * n]] for n in range(5)]
        assert bench.model.on_the_loop[1]
        assert not any(bench.model.on_the_loop[2:])

    asyncio.run(main())


def test_rows_wait_for_company_no_longer_than_they_may() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=64, batch_timeout_micros=1000, num_batch_threads=2)
        first = await bench.block()
        second = asyncio.create_task(bench.ask([[3]]))
        while len(bench.observed) < 2:
            await asyncio.sleep(0.001)
        assert bench.observed[1][1] >= 0.001
        bench.model.may_run.set()
        assert await asyncio.gather(first, second) == [[[0]], [[9]]]

    asyncio.run(main())


def test_a_request_larger_than_a_batch_is_split_and_comes_back_whole() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=4)
        rows = [[n] for n in range(11)]
        assert await bench.ask(rows) == [[n * n] for n in range(11)]
        assert bench.model.batches == [4, 4, 3]

    asyncio.run(main())


def test_batches_are_full_whatever_the_requests_sizes() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=4)
        first = await bench.block()
        others = [
            asyncio.create_task(bench.ask([[n]] * rows)) for n, rows in enumerate((1, 5, 3, 2))
        ]
        await asyncio.sleep(0.05)
        bench.model.may_run.set()
        answers = [[[n * n]] * rows for n, rows in enumerate((1, 5, 3, 2))]
        assert await asyncio.gather(first, *others) == [[[0]], *answers]
        assert bench.model.batches == [1, 4, 4, 3]

    asyncio.run(main())


def test_a_full_queue_refuses_at_once_and_keeps_what_it_has() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=2, max_enqueued_batches=2)
        first = await bench.block()
        waiting = [asyncio.create_task(bench.ask([[n]])) for n in range(4)]
        await asyncio.sleep(0.05)
        with pytest.raises(QueueFullError, match="4 waiting of at most 4") as caught:
            await bench.ask([[9]])
        assert (caught.value.grpc_code, caught.value.http_status) == ("RESOURCE_EXHAUSTED", 503)
        bench.model.may_run.set()
        assert await asyncio.gather(first, *waiting) == [[[0]], *([[n * n]] for n in range(4))]
        assert await bench.ask([[9]]) == [[81]]

    asyncio.run(main())


def test_a_full_queue_over_both_protocols() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=1, max_enqueued_batches=1)
        catalog = Catalog()
        catalog.configs["squares"] = ModelConfig("squares", Path("/"))
        version = Version(1, Path("/"), "AVAILABLE", servable=bench.servable)
        catalog.versions["squares"] = {1: version}
        run, metrics = run_in(ThreadPoolExecutor(2)), ServerMetrics()
        manager: Any = None  # no configuration is reloaded here
        grpc_api = GrpcApi(catalog, manager, bench.batcher, run, metrics, 1 << 20)
        app = RestApi(catalog, bench.batcher, run, metrics, 1 << 20, 30).app()
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(grpc_api.handlers())
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        first = await bench.block()
        waiting = asyncio.create_task(bench.ask([[2]]))
        await asyncio.sleep(0.05)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://squares") as client:
            answer = await client.post("/v1/models/squares:predict", json={"instances": [[1]]})
        assert answer.status_code == 503
        assert "room for 1 more rows" in answer.json()["error"]
        request = PredictRequest()
        request.model_spec.name = "squares"
        tensors.to_proto(np.ones((1, 1), np.int64), request.inputs["x"])
        options = [("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await PredictionServiceStub(channel).Predict(request)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        bench.model.may_run.set()
        assert await asyncio.gather(first, waiting) == [[[0]], [[4]]]
        await server.stop(0)

    asyncio.run(main())


def test_what_one_request_is_refused_for_does_not_hurt_its_neighbours() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=8)
        first = await bench.block()
        good, bad = asyncio.create_task(bench.ask([[2]])), asyncio.create_task(bench.ask([[-2]]))
        await asyncio.sleep(0.05)
        bench.model.may_run.set()
        assert await good == [[4]]
        with pytest.raises(DataError):
            await bad
        await first
        with pytest.raises(ServingError, match="name the signature's own"):
            await bench.batcher(bench.servable, "", lambda: {"z": np.zeros(1)}, list)

    asyncio.run(main())


def test_who_goes_away_is_not_computed_for() -> None:
    async def main() -> None:
        bench = Bench(max_batch_size=8)
        first = await bench.block()
        gone, stays = (
            asyncio.create_task(bench.ask([[1]] * 3)),
            asyncio.create_task(bench.ask([[2]])),
        )
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0)
        bench.model.may_run.set()
        assert await stays == [[4]]
        await first
        assert bench.model.batches == [1, 1]

    asyncio.run(main())


def test_a_parameters_file(tmp_path: Path) -> None:
    path = tmp_path / "batching"
    path.write_text("max_batch_size { value: 32 } # rows\nbatch_timeout_micros { value: 0 }\n")
    assert BatchingParameters.read(path) == BatchingParameters(max_batch_size=32)
    assert BatchingParameters().threads >= 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("max_batch { value: 1 }", "max_batch_size"),
        ("max_batch_size: 1", "text form"),
        ("max_batch_size { value: 0 }", "at least 1"),
        ("batch_timeout_micros { value: -1 }", "at least 0"),
    ],
)
def test_a_wrong_parameters_file_is_told(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "b").write_text(content)
    with pytest.raises(UsageError, match=said):
        BatchingParameters.read(tmp_path / "b")
    with pytest.raises(UsageError, match="text form"):
        BatchingParameters.read(tmp_path / "nowhere")
