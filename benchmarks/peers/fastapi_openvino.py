"""FastAPI: a plain function, which it runs in threads, and OpenVINO's hint for many at a time."""

from __future__ import annotations

import os
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File
from openvino_model import Classifier, pixels

app = FastAPI()
classify = Classifier(PERFORMANCE_HINT="THROUGHPUT")


@app.post("/score")  # type: ignore[untyped-decorator]
def score(image: Annotated[bytes, File()]) -> list[float]:
    """Returns a picture's probabilities."""
    return classify(pixels(image)[None])[0].tolist()  # type: ignore[no-any-return]


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]))
