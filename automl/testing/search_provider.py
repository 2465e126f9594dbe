"""The contract of a search provider."""

from __future__ import annotations

import re
from dataclasses import fields

from automl.components import FoundImage, SearchProvider
from automl.data.web import is_address
from automl.testing.expect import check_name, expect

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*\Z")


def check_search_provider(
    provider: SearchProvider, query: str, count: int = 30, key: str = ""
) -> None:
    """Checks that a provider answers `query` with images.

    Args:
        provider: The component, pointed at a service that answers.
        query: What the service has at least two images for.
        count: How many are asked for: more than a page holds, so that pages are turned.
        key: The key, if it wants one.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(provider)
    variable = provider.key_variable
    expect(
        not variable or _VARIABLE.match(variable),
        f"expected {name} to name a variable of the environment as its key's, or none, found "
        f"{variable!r}.",
    )
    found = list(provider.search(query, count, key))
    for image in found:
        _check_image(name, image)
    expect(
        2 <= len(found) <= count,
        f"expected {name} to find from 2 to {count} images for {query!r}, found {len(found)}.",
    )
    addresses = [image.url for image in found]
    expect(
        len(set(addresses)) == len(addresses),
        f"expected {name} to name each image once, found {len(addresses)} of which "
        f"{len(set(addresses))} are different.",
    )
    expect(
        len(list(provider.search(query, 1, key))) == 1,
        f"expected {name} to stop at the number that is asked for, found that it does not.",
    )


def _check_image(name: str, image: FoundImage) -> None:
    expect(
        isinstance(image, FoundImage) and is_address(image.url),
        f"expected {name} to yield FoundImages with an address each, found {image!r}.",
    )
    for field in fields(image):
        value = getattr(image, field.name)
        expect(
            isinstance(value, str),
            f"expected {name} to say an image's {field.name} as text, found {value!r}.",
        )
