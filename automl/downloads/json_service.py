"""Asks a web service that answers with JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from automl.downloads.environment import make_fetcher
from automl.downloads.retrying import fetch_patiently
from automl.errors import DownloadError

MAX_BYTES = 20_000_000
"""The longest answer."""

SECONDS = 60.0
"""How long an answer may take."""


def ask(service: str, url: str, parameters: Mapping[str, str | int]) -> dict[str, Any]:
    """Returns the JSON object that a web service answers, with patience where it asks for some.

    Args:
        service: Its name, for people.
        url: Where it is; `https`, or a network that the environment allows.
        parameters: The query. Errors do not tell it, as there may be a key in it.

    Raises:
        DownloadError: If it does not answer, or with something else.
    """
    fetcher = make_fetcher(MAX_BYTES, SECONDS)
    try:
        answer = json.loads(fetch_patiently(fetcher, f"{url}?{urlencode(parameters)}").content)
    except DownloadError as error:
        raise _failed(service, error) from None
    except (ValueError, RecursionError):
        raise _unexpected(service, "no JSON") from None
    if not isinstance(answer, dict):
        raise _unexpected(service, "JSON that is no object")
    return answer


def _failed(service: str, error: DownloadError) -> DownloadError:
    asks = "" if error.wait is None else f" and the wish to wait {error.wait:,.0f} seconds"
    reason = error.reason + asks
    message = f"expected {service} to answer, found {reason}; try again later."
    return DownloadError(message, reason, error.status, error.temporary, error.wait)


def _unexpected(service: str, found: str) -> DownloadError:
    return DownloadError(f"expected {service} to answer, found {found}; try again later.", found)
