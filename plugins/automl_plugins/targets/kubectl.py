"""What is asked of a cluster, through kubectl: always the context and the namespace of a deploy."""

from __future__ import annotations

import collections
import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from automl.errors import DeploymentError
from automl_plugins.targets.containers import GATEWAY_PORT
from automl_plugins.targets.manifests import instance_labels
from automl_plugins.targets.tools import run

_KINDS = (
    "deployment,service,secret,configmap,poddisruptionbudget,networkpolicy,horizontalpodautoscaler"
)


@dataclass(frozen=True)
class Kubectl:
    """kubectl with the arguments that say where.

    Attributes:
        namespace: The namespace.
        context: The context in its configuration; the current one where it is empty.
        log: The file that takes what it says when it changes something.
    """

    namespace: str
    context: str
    log: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        """Returns a whole command line."""
        context = [f"--context={self.context}"] if self.context else []
        return ["kubectl", *context, f"--namespace={self.namespace}", *arguments]

    def apply(self, *paths: Path) -> None:
        """Makes objects as files describe them."""
        files = [f"--filename={path}" for path in paths]
        run(self.command("apply", *files), self.log)

    def rolled_out(self, name: str, seconds: float) -> None:
        """Returns when all pods of a Deployment are new ones that are ready.

        Raises:
            DeploymentError: If they are not in time.
        """
        run(self.command("rollout", "status", f"deployment/{name}", f"--timeout={seconds:.0f}s"),
            self.log)  # fmt: skip

    def deployment(self, name: str) -> dict[str, Any] | None:
        """Returns a Deployment as it is now, `None` where there is none."""
        said = run(self.command("get", "deployment", name, "--output=json", "--ignore-not-found"))
        found: dict[str, Any] | None = json.loads(said) if said.strip() else None
        return found

    def logs(self, name: str, container: str) -> list[str]:
        """Returns the last lines of a container's log."""
        said = run(self.command("logs", f"deployment/{name}", container, "--tail=1000"))
        return said.splitlines()

    def delete(self, name: str, kinds: str = _KINDS, more: Sequence[str] = ()) -> None:
        """Removes all objects of a deployment, whichever are there."""
        labels = ",".join(
            [*(f"{label}={value}" for label, value in instance_labels(name).items()), *more]
        )
        run(self.command("delete", kinds, f"--selector={labels}", "--ignore-not-found"), self.log)

    @contextlib.contextmanager
    def forwarded(self, name: str) -> Iterator[str]:
        """Yields an address on this machine from which one pod of a Deployment is reached.

        Raises:
            DeploymentError: If none is.
        """
        command = self.command(
            "port-forward", f"deployment/{name}", f":{GATEWAY_PORT}", "--address=127.0.0.1"
        )
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                yield _forwarded_address(process.stdout, name)
            finally:
                process.terminate()


def _forwarded_address(said: IO[str], name: str) -> str:
    """Returns the address that kubectl says it forwards, after whatever it warns of before.

    Raises:
        DeploymentError: If it ends without one.
    """
    last = "no word"
    for line in said:
        match = re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", line)
        if match is not None:
            # It says a line for each connection, and waits for somebody to read them.
            threading.Thread(target=collections.deque, args=(said, 0), daemon=True).start()
            return f"http://127.0.0.1:{match[1]}"
        last = line.strip() or last
    raise DeploymentError(
        f"expected kubectl to reach {name}, found: {last}; see `kubectl get pods` for its state."
    )
