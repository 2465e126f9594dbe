"""No server at all: decodes pictures and runs OpenVINO in as many threads as there are cores.

Takes a folder of pictures and for how many seconds; prints pictures a second, and what the model
says of the first, as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openvino_model import CORES, Classifier, pixels

WARMING = 1.0


def main() -> None:
    """Measures and prints."""
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    pictures = [path.read_bytes() for path in sorted(folder.iterdir())]
    classify = Classifier(PERFORMANCE_HINT="THROUGHPUT")
    first = classify(pixels(pictures[0])[None])[0].tolist()
    turns = itertools.cycle(pictures)
    turn = threading.Lock()

    def work(until: float) -> int:
        done = 0
        while time.monotonic() < until:
            with turn:
                picture = next(turns)
            classify(pixels(picture)[None])
            done += 1
        return done

    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(work, [time.monotonic() + WARMING] * CORES))
        begun = time.monotonic()
        done = sum(pool.map(work, [begun + seconds] * CORES))
        rate = done / (time.monotonic() - begun)
    print(json.dumps({"rate": rate, "first": first}))


if __name__ == "__main__":
    main()
