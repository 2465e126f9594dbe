"""What search providers have answered, kept so that no query is asked twice."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from automl.components import FoundImage, SearchProvider
from automl.files import write_json


def search(
    provider: SearchProvider, query: str, count: int, key: str, folder: Path
) -> Iterator[FoundImage]:
    """Yields at most `count` images for `query`, from `folder` where they were asked for before.

    An answer is kept once it is complete, and if there is anything in it.

    Raises:
        DataError: As the provider does.
    """
    digest = hashlib.sha256(json.dumps([query, count]).encode()).hexdigest()[:32]
    path = folder / "searches" / f"{provider.name}-{digest}.json"
    kept = _kept(path)
    if kept:
        yield from kept
        return
    found = []
    for answer in itertools.islice(provider.search(query, count, key), count):
        image = _readable(answer)
        found.append(image)
        yield image
    if found:
        images = [dataclasses.asdict(image) for image in found]
        write_json(path, {"query": query, "count": count, "images": images})


def _readable(image: FoundImage) -> FoundImage:
    """Returns what a provider says in UTF-8: escapes in JSON can hide what is none."""
    facts = dataclasses.asdict(image)
    return FoundImage(
        **{name: value.encode("utf-8", "replace").decode() for name, value in facts.items()}
    )


def _kept(path: Path) -> list[FoundImage]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [FoundImage(**image) for image in content["images"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []  # asked again, and written anew
