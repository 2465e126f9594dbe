"""Every error a user can meet, each with its exit code and HTTP status.

A message is one sentence: what was expected, what was found, what to do next.
"""

from __future__ import annotations


class AutomlError(Exception):
    """Base of all errors raised on purpose by this project."""

    exit_code = 1
    http_status = 500
    code = "internal"


class UsageError(AutomlError):
    """The command or the call was put wrongly: a bad option, name or value."""

    exit_code = 2
    http_status = 400
    code = "usage"


class DataError(AutomlError):
    """The images or labels cannot be used as a dataset."""

    http_status = 400
    code = "bad_data"


class ImageError(DataError):
    """One image cannot be read: no image, cut off, empty, or larger than allowed."""

    code = "bad_image"


class DownloadError(DataError):
    """What is at an address cannot be fetched.

    Attributes:
        reason: What was found there, in words that tell nothing of this machine or its network.
        status: The HTTP status, if it was one that meant no file.
        temporary: Whether it may be there if it is asked for again.
        wait: How many seconds the server asks to be left alone; `None` if it does not say.
    """

    code = "not_fetched"

    def __init__(
        self,
        message: str,
        reason: str = "",
        status: int | None = None,
        temporary: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.temporary = temporary
        self.wait = wait


class ForbiddenAddressError(DownloadError):
    """An address that is not to be fetched from."""

    code = "address_refused"


class PluginError(AutomlError):
    """A plugin or one of its components breaks the plugin contract."""

    code = "plugin"


class WeightsUnavailableError(AutomlError):
    """Pretrained weights that a backbone needs cannot be had here."""

    code = "weights"


class WorkspaceError(AutomlError):
    """The workspace cannot be read or written."""

    code = "workspace"


class NotFoundError(AutomlError):
    """A named run, model, version or deployment does not exist."""

    http_status = 404
    code = "not_found"


class SearchError(AutomlError):
    """The search ended without a model."""

    code = "search"


class TrialError(AutomlError):
    """One trial failed; the search goes on without it."""

    code = "trial"


class ExportError(AutomlError):
    """The exported model does not prove to be the trained one."""

    code = "export"


class DeploymentError(AutomlError):
    """A deployment could not be made, reached or removed."""

    http_status = 503
    code = "deployment"


class ScoringError(AutomlError):
    """The scoring service refused or failed to answer a request."""

    http_status = 502
    code = "scoring"


class SearchInterrupted(AutomlError):  # noqa: N818 - it reports the user's own act, not a fault
    """The user stopped the search before there was a model to keep."""

    exit_code = 130
    code = "interrupted"
