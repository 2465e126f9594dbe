"""What the gateway and the model server add to one picture that is sent alone.

    apt install wrk
    python benchmarks/serving_latency.py models/NAME/1 IMAGES

The same photos, one after the other: through a deployment over one connection, and through the
decoder and OpenVINO in this process, in float32, prepared as the model server prepares it. Rounds
of one and the other in turn, short ones, since a machine's own speed changes within seconds. What
is added is the median of the pairs' differences.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from serving_load import Wrk, deployed, jpegs, parser_of

from automl.images import decode
from automl.manifest import Manifest
from automl.plugins import plugin_manager

MOST_MS = 4.0


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="a round (default: 1)")
    parser.add_argument("--rounds", type=int, default=40, help="(default: 40)")
    arguments = parser.parse_args()
    pictures = jpegs(arguments.images, 32)
    bare = alone(arguments.model, pictures)
    with tempfile.TemporaryDirectory() as place, deployed(arguments.model) as service:
        wrk = Wrk(pictures, Path(place))

        def served(seconds: float) -> float:
            return wrk(service.url, seconds, 1).milliseconds

        rounds = [
            (bare(arguments.seconds), served(arguments.seconds))
            for _ in range(arguments.rounds + 1)
        ][1:]
    inside, through = (statistics.median(values) for values in zip(*rounds, strict=True))
    added = statistics.median(through - inside for inside, through in rounds)
    print(f"Decoding and inference: {inside:.2f} ms. Through the deployment: {through:.2f} ms.")
    print(f"Added: {added:.2f} ms; should not be above {MOST_MS:g}.")


def alone(model: Path, pictures: Sequence[bytes]) -> Callable[[float], float]:
    """Returns what decodes and infers for some seconds, and tells a picture's milliseconds."""
    manifest = Manifest.read(model)
    size = manifest.height, manifest.width
    loaded = plugin_manager().runtimes["openvino"].load(model)
    turns = itertools.cycle(pictures)

    def measure(seconds: float) -> float:
        end = time.perf_counter() + seconds
        took = []
        while (begun := time.perf_counter()) < end:
            loaded.predict("serving_default", {"images": decode(next(turns), size)[None]})
            took.append(1000 * (time.perf_counter() - begun))
        return statistics.median(took)

    return measure


if __name__ == "__main__":
    main()
