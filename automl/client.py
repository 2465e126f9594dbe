"""Asks a scoring gateway what is in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast
from urllib.parse import urlsplit

from automl.downloads.addresses import is_loopback
from automl.errors import ScoringError, UsageError
from automl.payload import ImageFault, Images, payloads

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 120.0
_LONGEST = 10_000


class ScoredImage(TypedDict, total=False):
    """The answer for one picture: `label`, `probability` and `scores`, or else `error`.

    Attributes:
        image: What was scored: the path or address as it was given, or `bytes`.
        label: The most probable class.
        probability: Of that class, 0..1.
        scores: Probabilities by class, highest first; logits where those were asked for.
        error: Why there is none of these.
    """

    image: str
    label: str
    probability: float
    scores: dict[str, float]
    error: ImageFault


class ScoreOptions(TypedDict, total=False):
    """What else `ScoringClient.score` takes, and says what it is, for those that pass it on."""

    add_softmax: bool
    image_resize_dims: Sequence[int] | None


def score_endpoint(
    url: str,
    key: str,
    images: Images,
    top_k: int | None = None,
    **options: Unpack[ScoreOptions],
) -> list[ScoredImage]:
    """Scores pictures on any running scoring gateway; see `ScoringClient.score`, which it is.

    Args:
        url: The gateway's base address.
        key: A key of that service.
        images: A path, an address, encoded bytes, or a list of these.
        top_k: How many classes `scores` holds; all by default.
        **options: `add_softmax` and `image_resize_dims`.
    """
    with ScoringClient(url, key) as client:
        return client.score(images, top_k, **options)


class ScoringClient:
    """Scores pictures on one service; keeps its connection until it is closed.

    Attributes:
        url: The gateway's base address.
    """

    def __init__(self, url: str, key: str) -> None:
        """Prepares a client; nothing is sent yet.

        Args:
            url: The gateway's base address, such as `http://127.0.0.1:20017`.
            key: A key of that service.

        Raises:
            UsageError: If `url` is no address or `key` cannot be one.
        """
        import httpx

        self.url = url.rstrip("/")
        try:
            parsed = urlsplit(self.url)
            host, known = parsed.hostname or "", parsed.scheme in ("http", "https")
            _ = parsed.port  # raises where it is no number
        except ValueError:
            host, known = "", False
        if not host or not known:
            raise UsageError(
                f"expected the address of a scoring gateway such as http://127.0.0.1:20017, "
                f"found {url!r}; take the one that `automl deploy` printed."
            )
        if not key.isascii() or not key.isprintable() or " " in key or not key:
            raise UsageError(
                "expected a key of printable ASCII characters without spaces, found another; "
                "take the one that `automl deploy` printed."
            )
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            # No proxy of the environment's stands between this machine and itself.
            trust_env=not is_loopback(host),
        )

    def __enter__(self) -> ScoringClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def score(
        self,
        images: Images,
        top_k: int | None = None,
        *,
        add_softmax: bool = True,
        image_resize_dims: Sequence[int] | None = None,
    ) -> list[ScoredImage]:
        """Scores pictures, in as many requests as their sizes call for.

        Args:
            images: A file's path, an `http(s)://` address (fetched from here), encoded bytes,
                or a list of these.
            top_k: How many classes `scores` holds; all by default.
            add_softmax: Whether `scores` are probabilities; else they are logits.
            image_resize_dims: Height and width, such as `[224, 224]`, to which each picture is
                resized here, so that less is sent. Where they are the model's own, or larger,
                the scores are nearly those of the whole picture.

        Returns:
            One answer a picture, in order. One that cannot be read is an answer with `error`,
            and the others are scored.

        Raises:
            UsageError: If `top_k` is below 1, a picture of another type, or a size none.
            ScoringError: If the service does not answer or refuses.
        """
        if top_k is not None and top_k < 1:
            raise UsageError(f"expected top_k of 1 or more, found {top_k}; leave it out for all.")
        parameters: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
        if not add_softmax:
            parameters["add_softmax"] = False
        answers: list[ScoredImage] = []
        for group in payloads(images, _size(image_resize_dims)):
            sent = [{"b64": payload.b64} for payload in group if payload.fault is None]
            results = iter(self._post(sent, parameters) if sent else [])
            for payload in group:
                result = {"error": payload.fault} if payload.fault else next(results)
                answers.append(cast("ScoredImage", {"image": payload.name, **result}))
        return answers

    def _post(self, images: list[dict[str, str]], parameters: dict[str, Any]) -> list[Any]:
        import httpx

        try:
            answer = self._http.post(
                f"{self.url}/v1/score", json={"images": images, "parameters": parameters}
            )
        except httpx.TimeoutException as error:
            raise ScoringError(
                f"expected an answer from {self.url}, found none in time; try again, or see "
                f"`automl deployments list`."
            ) from error
        except httpx.HTTPError as error:
            raise ScoringError(
                f"expected a scoring service at {self.url}, found none that answers ({error}); "
                f"see `automl deployments list`, and deploy it again if it stopped."
            ) from error
        if answer.status_code in (401, 403):
            raise ScoringError(
                f"expected a key of the service at {self.url}, found one that it does not know; "
                f"take the one that `automl deploy` printed."
            )
        content = self._content(answer)
        if not answer.is_success:
            message = _refusal(self.url, answer.status_code, content)
            if answer.status_code == 413 and len(images) == 1:
                return [{"error": ImageFault(code="too_large", message=message)}]
            raise ScoringError(message)
        results = content.get("results")
        if not isinstance(results, list) or len(results) != len(images):
            raise self._no_gateway(answer)
        return results

    def _content(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self._no_gateway(answer)
        return content

    def _no_gateway(self, answer: httpx.Response) -> ScoringError:
        return ScoringError(
            f"expected a scoring gateway at {self.url}, found something else that answered with "
            f"status {answer.status_code}; check the address."
        )


def _refusal(url: str, status: int, content: dict[str, Any]) -> str:
    error = content.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    if isinstance(message, str) and message:
        return message
    return f"expected {url} to score, found that it refused with status {status}; see its log."


def _size(dims: Sequence[int] | None) -> tuple[int, int] | None:
    if dims is None:
        return None
    if len(dims) != 2 or not all(isinstance(side, int) and 0 < side <= _LONGEST for side in dims):
        raise UsageError(
            f"expected image_resize_dims as height and width of 1 to {_LONGEST:,} pixels, such as "
            f"[224, 224], found {dims!r}; correct them or leave them out."
        )
    return dims[0], dims[1]
