"""Fetches the images that requests name by address, where the settings allow it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from automl.downloads.addresses import parse_networks
from automl.downloads.fetching import Fetcher, FetchRules
from automl.errors import DownloadError
from automl_serving.gateway.score_request import ImageAddress, ImageProblem
from automl_serving.gateway.settings import GatewaySettings

_THREADS = 16


class ImageFetcher:
    """Fetches images in threads of its own, so that waiting for others stops no decoding.

    Attributes:
        room: Is held while an image is fetched and until it is decoded, so that few lie in memory.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        """Takes the settings that begin with `fetch_`."""
        rules = FetchRules(
            allow_http=settings.fetch_http,
            networks=parse_networks(settings.fetch_networks),
            max_bytes=settings.max_image_bytes,
            timeout=settings.fetch_timeout,
            agent="automl-gateway",
        )
        self._fetcher = Fetcher(rules)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch")
        self.room = asyncio.Semaphore(_THREADS)

    async def fetch(self, address: ImageAddress) -> bytes | ImageProblem:
        """Returns an image's bytes, or why there are none."""
        work = asyncio.get_running_loop().run_in_executor(
            self._pool, self._fetcher.fetch, address.url
        )
        seconds = self._fetcher.rules.timeout
        try:
            # A name server can take longer than the rules allow, and so can the way to a thread.
            return (await asyncio.wait_for(work, seconds)).content
        except TimeoutError:
            code, reason = DownloadError.code, f"no whole answer within {seconds:g} seconds"
        except DownloadError as error:
            # In the error's own words, which tell clients of this machine's network.
            code, reason = error.code, error.reason
        return ImageProblem(
            f"url_{code}",
            f"expected a public image at the address, found {reason}; send the image as 'b64'.",
        )
