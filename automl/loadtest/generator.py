"""The process that makes the load: `python -m automl.loadtest.generator`, driven by `run`.

It reads one JSON object from standard input (see `Order`) and writes JSON lines: while it runs,
`{"answers": [[at, ms, error], …]}`, `at` in seconds since its first request and `error` a word or
two, empty for an answer; at the end `{"seconds": …, "cpu_seconds": …, "concurrency": …}`.

One process has one core. Where several are to send, this one only leads Locust's workers, which are
processes like it, here or on other machines; each counts `at` from its own first request.
"""

from __future__ import annotations

# First, since it puts gevent's sockets in the place of Python's.
from automl.loadtest.sender import Order, Senders

# isort: split

import json
import subprocess
import sys
import time
from typing import Any

import gevent
from locust.runners import MasterRunner, WorkerRunner

_REPORT_SECONDS = 0.5

_SILENT_SECONDS = 20
"""After so long without a heartbeat, of which there is one a second, the other end is gone."""


def main() -> None:
    """Does what standard input says."""
    order: Order = json.load(sys.stdin)
    senders = Senders(order)
    if order["join"]:
        _work(senders, *order["join"])
    elif order["listen"] or order["workers"] > 1:
        _lead(senders, order)
    else:
        _send(senders, order)


def _send(senders: Senders, order: Order) -> None:
    """Sends from this process alone."""
    runner = senders.environment.create_local_runner()
    runner.start(order["concurrency"], spawn_rate=order["concurrency"])
    runner.spawning_greenlet.join()
    gevent.spawn_later(order["seconds"], senders.end)
    while runner.user_count:
        gevent.sleep(_REPORT_SECONDS)
        _say(answers=senders.taken())
    _say(answers=senders.taken())
    _say(**senders.used(), concurrency=order["concurrency"])


def _work(senders: Senders, host: str, port: int) -> None:
    """Sends as one of the workers of the generator at an address."""
    runner = senders.environment.create_worker_runner(host, port)
    runner.register_message("end", senders.end)
    while runner.user_count or not senders.over:
        gevent.sleep(_REPORT_SECONDS)
        answers = senders.taken()
        runner.send_message("answers", {"answers": answers})
        _say(answers=answers)
        if _is_dismissed(runner):
            sys.exit(f"the load test at {host}:{port} has ended before its time")
    answers, used = senders.taken(), senders.used()
    runner.send_message("answers", {"answers": answers})
    runner.send_message("done", used)
    while not _is_dismissed(runner):  # until what was sent has arrived
        gevent.sleep(_REPORT_SECONDS)
    _say(answers=answers)
    _say(**used, concurrency=runner.target_user_count)  # last: who reads it ends this process


def _is_dismissed(runner: WorkerRunner) -> bool:
    """Says whether the one that leads has told this worker to quit, or is gone."""
    heard = runner.last_heartbeat_timestamp
    return not len(runner.greenlet) or bool(heard and time.time() - heard > _SILENT_SECONDS)


def _lead(senders: Senders, order: Order) -> None:
    """Has workers send, and gathers what they tell."""
    host, port = order["listen"] or ("127.0.0.1", 0)
    runner = senders.environment.create_master_runner(host, port)
    answers: list[tuple[float, float, str]] = []
    used: list[float] = []
    runner.register_message("answers", lambda msg, **_: answers.extend(msg.data["answers"]))
    runner.register_message("done", lambda msg, **_: used.append(msg.data["cpu_seconds"]))
    own = [] if order["listen"] else _start_workers(order, runner.server.port)
    last = 0.0
    try:
        while len(runner.clients.ready) < order["workers"]:
            gevent.sleep(_REPORT_SECONDS)
            _check(runner, own)
        runner.start(order["concurrency"], spawn_rate=order["concurrency"])
        gevent.spawn_later(order["seconds"], runner.send_message, "end")
        while len(used) < order["workers"] or answers:
            gevent.sleep(_REPORT_SECONDS)
            taken, answers[:] = answers[:], []
            last = max([last, *(at for at, _, _ in taken)])
            _say(answers=taken)
            _check(runner, own if len(used) < order["workers"] else [])
        runner.quit()
    finally:
        for worker in own:
            worker.kill()
    _say(seconds=last, cpu_seconds=sum(used), concurrency=order["concurrency"])


def _start_workers(order: Order, port: int) -> list[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "automl.loadtest.generator"]
    workers = []
    for _ in range(order["workers"]):
        worker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, encoding="utf-8"
        )
        assert worker.stdin is not None
        with worker.stdin as pipe:
            json.dump({**order, "join": ("127.0.0.1", port)}, pipe)
        workers.append(worker)
    return workers


def _check(runner: MasterRunner, own: list[subprocess.Popen[str]]) -> None:
    """Ends where a worker has ended: what it would have sent is missing."""
    silent = any(each.heartbeat < -_SILENT_SECONDS for each in runner.clients.missing)
    if silent or any(worker.poll() is not None for worker in own):
        sys.exit("one of the processes that send has ended before its time")


def _say(**content: Any) -> None:
    # Where nobody reads any more, this ends the process.
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    main()
