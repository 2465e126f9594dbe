"""Stands in for docker and kubectl: starts containers as plain processes of this machine.

`python container_tools.py docker|kubectl ARGUMENTS…`, with `CONTAINER_TOOLS` naming a folder of its
own. It knows of a service only what its Compose file, its manifests and its Dockerfiles say:
programs, arguments, environment, ports, mounts and probes. A container's folders lie under another
folder here, and its ports are others, so that each path and each port is replaced wherever it
stands, and one that stands wrongly anywhere leads to nothing. Programs of images that cannot be had
here are played by the embedded model server, which has TensorFlow Serving's flags.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import yaml

HOME = Path(os.environ.get("CONTAINER_TOOLS", "."))
MODEL_SERVER = [sys.executable, "-c", "from automl_serving.model_server.main import main; main()"]
OVMS_FLAGS = {"--model_path": "--model_base_path", "--rest_port": "--rest_api_port"}


class Container:
    """One container: its image's files, its mounts, and what it runs."""

    def __init__(self, root: Path, image: str, ports: dict[int, int]) -> None:
        """Lays out what the image's Dockerfile copies."""
        self.root, self.ports = root, ports
        self.environment: dict[str, str] = {}
        self.entrypoint: list[str] = []
        built = load("images")[image]
        text = Path(built["dockerfile"]).read_text().replace("\\\n", " ")
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if word == "COPY" and "--from" not in rest and not rest.endswith("."):
                source, place = rest.split()[-2:]
                shutil.copytree(
                    Path(built["context"]) / source, self.path(place), dirs_exist_ok=True
                )
            elif word == "ENV":
                self.environment.update(part.split("=", 1) for part in rest.split())
            elif word == "ENTRYPOINT":
                self.entrypoint = json.loads(rest)

    def path(self, inside: str) -> Path:
        """Returns where a path of the container lies here."""
        return self.root / inside.lstrip("/")

    def mount(self, source: Path, inside: str) -> None:
        """Puts a file in its place."""
        self.path(inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self.path(inside))

    def here(self, text: str) -> str:
        """Replaces the container's paths, ports and names in a text by those of this machine."""
        text = re.sub(r"(^|=)/(?=\w)", rf"\1{self.root}/", text)
        text = text.replace("model-server:", "127.0.0.1:")
        return re.sub(r"(?<!\w)\d{4}(?!\w)", lambda m: str(self.ports.get(int(m[0]), m[0])), text)

    def start(self, command: list[str], environment: dict[str, str], log: Path) -> int:
        """Starts it and returns its process id."""
        program, *arguments = [self.here(word) for word in command or self.entrypoint]
        variables = {k: self.here(v) for k, v in {**self.environment, **environment}.items()}
        if program == "python":
            words = [sys.executable, *arguments]
            inherited = {"PATH": os.defpath}
        else:
            assert program in map(self.here, ("/usr/bin/tensorflow_model_server", "/ovms/bin/ovms"))
            parts = [word.partition("=") for word in arguments]
            words = [*MODEL_SERVER, *(OVMS_FLAGS.get(flag, flag) + equals + value
                     for flag, equals, value in parts if flag != "--plugin_config")]  # fmt: skip
            inherited = dict(os.environ)
        with log.open("wb") as file:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self.root,
                start_new_session=True, env={**inherited, **variables},
            ).pid  # fmt: skip


def docker(words: list[str]) -> None:
    if words[0] == "build":
        named = dict(zip(words[1:-1:2], words[2:-1:2], strict=True))
        add_image(named["--tag"], Path(words[-1]), Path(named["--file"]))
    elif words[0] == "push":
        save("pushed", {**load("pushed"), words[1]: load("images")[words[1]]["context"]})
    elif words[:2] == ["compose", "version"]:
        return
    elif words[0] == "compose":
        file = Path(words[2])
        compose(words[3], words[4:], file.parent, yaml.safe_load(file.read_text()))
    else:
        assert words[0] == "version"


def compose(verb: str, words: list[str], folder: Path, file: dict[str, Any]) -> None:
    place, services = HOME / file["name"], file["services"]
    if verb == "build":
        for service in services.values():
            context = folder / service["build"]["context"]
            add_image(service["image"], context, context / service["build"]["dockerfile"])
    elif verb == "up":
        stop(place)
        up(place, folder, file)
    elif verb == "ps":
        for service, pid in load(file["name"]).items():
            state = "running" if runs(pid) else "exited"
            print(json.dumps({"Service": service, "State": state}))
    elif verb == "logs":
        print((place / f"{words[-1]}.log").read_text())
    else:
        assert verb == "down"
        stop(place)


def up(place: Path, folder: Path, file: dict[str, Any]) -> None:
    (published,) = file["services"]["gateway"]["ports"]
    assert published["host_ip"] == "127.0.0.1"
    ports = {8500: free_port(), 8501: free_port(), published["target"]: int(published["published"])}
    pids = {}
    for name, service in file["services"].items():
        container = Container(place / name, service["image"], ports)
        for config in service.get("configs", ()):
            container.mount(folder / file["configs"][config["source"]]["file"], config["target"])
        for secret in service.get("secrets", ()):
            source = folder / file["secrets"][secret["source"]]["file"]
            assert stat.S_IMODE(source.stat().st_mode) == 0o600
            assert service["user"] == f"{source.stat().st_uid}:{source.stat().st_uid}"
            container.mount(source, f"/run/secrets/{secret['target']}")
        command = [*service.get("entrypoint", []), *service.get("command", [])]
        log = place / f"{name}.log"
        pids[name] = container.start(command, service.get("environment", {}), log)
        save(file["name"], pids)
        if name == "gateway":
            _, *test = [container.here(word) for word in service["healthcheck"]["test"]]
            healthy = [sys.executable, *test[1:]]
    wait(lambda: subprocess.run(healthy, capture_output=True, check=False).returncode == 0, pids)


def kubectl(words: list[str]) -> None:
    words = [word for word in words if not word.startswith(("--context=", "--namespace="))]
    options = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
    verb, *rest = [word for word in words if not word.startswith("--")]
    if verb == "apply":
        place = Path(options["--filename"])
        files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
        made = [yaml.safe_load(file.read_text()) for file in files]
        save(
            "objects",
            {**load("objects"), **{f"{o['kind']}/{o['metadata']['name']}": o for o in made}},
        )
        for each in made:
            if each["kind"] == "Deployment":
                start_pod(each)
    elif verb == "rollout":
        roll_out(rest[0], rest[1].partition("/")[2])
    elif verb == "get":
        if f"Deployment/{rest[1]}" in load("objects"):
            ready = pods(rest[1]) != [] and answers(pods(rest[1])[-1], "readinessProbe")
            print(json.dumps({"status": {"readyReplicas": 1} if ready else {}}))
    elif verb == "port-forward":
        pod = pods(rest[0].partition("/")[2])[-1]
        print("E0102 memcache.go:287] couldn't get resource list", file=sys.stderr, flush=True)
        print(f"Forwarding from 127.0.0.1:{pod['ports'][rest[1][1:]]} -> {rest[1][1:]}", flush=True)
        signal.pause()
    elif verb == "logs":
        print((Path(pods(rest[0].partition("/")[2])[-1]["place"]) / f"{rest[1]}.log").read_text())
    elif verb == "delete":
        delete(rest[0].split(","), dict(p.split("=") for p in options["--selector"].split(",")))
    elif verb == "config":
        print("stand-in")
    else:
        assert verb == "version"


def start_pod(deployment: dict[str, Any]) -> None:
    name = deployment["metadata"]["name"]
    spec = deployment["spec"]["template"]["spec"]
    objects, volumes = load("objects"), {}
    for volume in spec["volumes"]:
        if "secret" in volume:
            content = objects[f"Secret/{volume['secret']['secretName']}"]["stringData"]
        elif "configMap" in volume:
            content = objects[f"ConfigMap/{volume['configMap']['name']}"]["data"]
        else:
            content = {}
        volumes[volume["name"]] = content
    place = HOME / f"{name}-{len(list(HOME.glob(f'{name}-*')))}"
    containers = [*spec["initContainers"], *spec["containers"]]
    ports = {p["containerPort"]: free_port() for c in containers for p in c["ports"]}
    pids, probes = {}, {}
    for each in containers:
        assert each["image"] in load("pushed"), f"{each['image']} cannot be pulled"
        container = Container(place / each["name"], each["image"], ports)
        for mount in each["volumeMounts"]:
            folder = container.path(mount["mountPath"])
            folder.mkdir(parents=True, exist_ok=True)
            for file, content in volumes[mount["name"]].items():
                (folder / file).write_text(content)
        command = [*each.get("command", []), *each.get("args", [])]
        environment = {variable["name"]: variable["value"] for variable in each.get("env", ())}
        pids[each["name"]] = container.start(command, environment, place / f"{each['name']}.log")
        named = {port["name"]: ports[port["containerPort"]] for port in each["ports"]}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if kind in each:
                get = each[kind]["httpGet"]
                url = f"http://127.0.0.1:{named[get['port']]}{get['path']}"
                probes.setdefault(kind, []).append(url)
        found = [*pods(name), {"place": str(place), "pids": pids, "probes": probes, "ports": ports}]
    save(f"pods-{name}", {"pods": found})


def roll_out(verb: str, name: str) -> None:
    *old, new = pods(name)
    assert verb == "status"
    for kind in new["probes"]:
        wait(lambda kind=kind: answers(new, kind), new["pids"])
    for pod in old:
        end(pod["pids"])
    save(f"pods-{name}", {"pods": [new]})


def delete(kinds: list[str], labels: dict[str, str]) -> None:
    kept = {}
    for key, made in load("objects").items():
        kind, _, name = key.partition("/")
        if kind.lower() in kinds and labels.items() <= made["metadata"]["labels"].items():
            for pod in pods(name) if kind == "Deployment" else ():
                end(pod["pids"])
                save(f"pods-{name}", {"pods": []})
        else:
            kept[key] = made
    save("objects", kept)


def pods(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(f"pods-{name}").get("pods", [])
    return found


def answers(pod: dict[str, Any], kind: str) -> bool:
    try:
        for url in pod["probes"][kind]:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5)
    except OSError:
        return False
    return True


def add_image(tag: str, context: Path, dockerfile: Path) -> None:
    assert dockerfile.is_file()
    said = {"context": str(context), "dockerfile": str(dockerfile)}
    save("images", {**load("images"), tag: said})


def wait(condition: Any, pids: dict[str, int]) -> None:
    while not condition():
        ended = [name for name, pid in pids.items() if not runs(pid)]
        if ended:
            sys.exit(f"{ended[0]} has ended")
        time.sleep(0.1)


def stop(place: Path) -> None:
    end(load(place.name))
    save(place.name, {})
    shutil.rmtree(place, ignore_errors=True)


def end(pids: dict[str, int]) -> None:
    for pid in pids.values():
        if runs(pid):
            os.kill(pid, signal.SIGKILL)
    while any(runs(pid) for pid in pids.values()):
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def load(name: str) -> Any:
    path = HOME / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def save(name: str, content: Any) -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / f"{name}.json").write_text(json.dumps(content))


if __name__ == "__main__":
    {"docker": docker, "kubectl": kubectl}[sys.argv[1]](sys.argv[2:])
