"""Fetches the images that requests name by address, where the settings allow it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future

from automl.downloads.addresses import parse_networks
from automl.downloads.fetching import Fetcher, FetchRules
from automl.errors import DownloadError
from automl_serving.gateway.score_request import ImageAddress, ImageProblem
from automl_serving.gateway.settings import GatewaySettings

_THREADS = 16


class ImageFetcher:
    """Fetches images in threads of its own, so that waiting for others stops no decoding.

    Those that wait for a name server, which can take as long as it likes, do not hold up the end
    of the process either.

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
        self._threads = asyncio.Semaphore(_THREADS)
        self.room = asyncio.Semaphore(_THREADS)

    async def fetch(self, address: ImageAddress) -> bytes | ImageProblem:
        """Returns an image's bytes, or why there are none."""
        seconds = self._fetcher.rules.timeout
        try:
            # A name server can take longer than the rules allow, and so can the way to a thread.
            async with asyncio.timeout(seconds):
                return await self._in_thread(lambda: self._fetcher.fetch(address.url).content)
        except TimeoutError:
            code, reason = DownloadError.code, f"no whole answer within {seconds:g} seconds"
        except DownloadError as error:
            # In the error's own words, which tell clients of this machine's network.
            code, reason = error.code, error.reason
        return ImageProblem(
            f"url_{code}",
            f"expected a public image at the address, found {reason}; send the image as 'b64'.",
        )

    async def _in_thread(self, function: Callable[[], bytes]) -> bytes:
        """Returns what a function does, in one of few threads, which ends with the process."""
        loop = asyncio.get_running_loop()
        await self._threads.acquire()
        answer: Future[bytes] = Future()
        answer.set_running_or_notify_cancel()  # now it ends with the thread, whoever has gone

        def work() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:
                answer.set_exception(error)
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._threads.release)

        try:
            threading.Thread(target=work, name="fetch", daemon=True).start()
        except BaseException:  # the system may have no room for a thread now
            self._threads.release()
            raise
        return await asyncio.wrap_future(answer)
