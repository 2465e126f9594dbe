"""The fetcher of commands: public hosts, and the networks that the environment names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from automl.errors import UsageError

if TYPE_CHECKING:
    from automl.downloads.fetching import Fetcher

NETWORKS = "AUTOML_FETCH_NETWORKS"
"""Names networks that may be fetched from although they are not public, as `10.1.0.0/16`."""


def make_fetcher(max_bytes: int, seconds: float) -> Fetcher:
    """Returns a fetcher of files of at most `max_bytes`, each in `seconds`.

    Raises:
        UsageError: If `NETWORKS` names none.
    """
    from automl.downloads.addresses import parse_networks
    from automl.downloads.fetching import Fetcher, FetchRules

    text = os.environ.get(NETWORKS, "")
    try:
        networks = parse_networks(text)
    except ValueError:
        raise UsageError(
            f"expected networks such as 10.1.0.0/16,fd00::/8 in {NETWORKS}, found {text!r}; "
            f"correct or unset it."
        ) from None
    return Fetcher(FetchRules(True, networks, max_bytes, seconds))
