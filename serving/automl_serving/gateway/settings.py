"""The gateway's settings."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import ClassVar

from automl.downloads.addresses import is_loopback, parse_networks
from automl.errors import UsageError
from automl_serving.lifecycle import IDLE_SECONDS
from automl_serving.settings import Settings, check_port, setting

_ABOVE_ZERO = (
    "timeout",
    "max_body_bytes",
    "max_images",
    "max_image_bytes",
    "max_pixels",
    "max_requests",
    "max_held_bytes",
    "upstream_calls",
    "upstream_images",
    "burst",
    "fetch_timeout",
    "keep_alive_seconds",
)


@dataclass(frozen=True)
class GatewaySettings(Settings):
    """What the gateway can be told."""

    prefix: ClassVar[str] = "AUTOML_GATEWAY_"

    model: str = setting(MISSING, "The model's name at the model server.")
    manifest: Path = setting(  # noqa: RUF009 - it declares a field
        MISSING, "The model version's folder, or its manifest.json."
    )
    upstream: str = setting(
        "127.0.0.1:8500", "The model server's gRPC address, TF Serving or another.", "HOST:PORT"
    )
    canary_manifest: Path | None = setting(  # noqa: RUF009 - it declares a field
        None, "Another version's folder or manifest.json, which answers a part of the keys."
    )
    canary_label: str = setting(
        "",
        "Instead of it a label at the model server, which is followed to whatever version it "
        "stands for; that version's folder lies beside the one of --manifest.",
    )
    canary_weight: float = setting(0.1, "That part, 0..1; a key always has the same version.")
    shadow_manifest: Path | None = setting(  # noqa: RUF009 - it declares a field
        None,
        "Another version's folder or manifest.json, which scores unseen what others answer; "
        "/metrics tells whether it agrees.",
    )
    shadow_label: str = setting("", "Instead of it a label, as for --canary-label.")
    shadow_weight: float = setting(1.0, "The part of the requests that it scores, 0..1.")
    host: str = setting("127.0.0.1", "The address to listen on.")
    port: int = setting(8080, "The port to listen on; 0 takes any free one.")
    keys_file: Path | None = setting(  # noqa: RUF009 - it declares a field
        None,
        'A JSON file of accepted keys, {"keys": [{"name": …, "sha256": …}]}; without one anybody '
        "may score, which is allowed on a loopback address only.",
    )
    timeout: float = setting(30.0, "How long a request may take, in seconds.")
    max_body_bytes: int = setting(32 << 20, "The largest body of a request, in bytes.")
    max_images: int = setting(64, "The most images in a request.")
    max_image_bytes: int = setting(16 << 20, "The largest image as it is sent, in bytes.")
    max_pixels: int = setting(50_000_000, "The largest image, as width times height in pixels.")
    max_requests: int = setting(
        256, "How many scoring requests are answered at a time; more are told to come back."
    )
    max_held_bytes: int = setting(
        128 << 20,
        "How many bytes the bodies of all these requests may have together; others are told to "
        "come back, too. There is room for one of the largest at any rate.",
    )
    upstream_calls: int = setting(
        8,
        "How many calls to the model server are under way at a time; images that wait go together "
        "with the next one.",
    )
    upstream_images: int = setting(
        16,
        "The most images in a call. Where the model server has the cores of this machine, three in "
        "each of two calls a core are best.",
    )
    decode_threads: int = setting(
        0, "How many images are decoded at the same time; 0 is one a processor core."
    )
    rate: float = setting(
        0.0, "How many requests a second a key may make in the long run; 0 is any number."
    )
    burst: int = setting(20, "How many it may make at once before that counts.")
    fetch_urls: bool = setting(
        False,
        "Whether images are fetched from the addresses in requests: from public hosts, over https.",
    )
    fetch_http: bool = setting(False, "Whether they are fetched over http, too.")
    fetch_networks: str = setting(
        "",
        "Networks from which images are fetched although they are not public, by commas, such as "
        "10.1.0.0/16.",
        "NETWORKS",
    )
    fetch_timeout: float = setting(10.0, "How long fetching an image may take, in seconds.")
    keep_alive_seconds: float = setting(
        IDLE_SECONDS,
        "How long a connection waits for its next request, in seconds; more than a load balancer "
        "before the gateway keeps one that it does not use, so that none closes under a request.",
    )
    shutdown_delay: float = setting(
        0.0,
        "How long to go on answering after SIGTERM while /readyz already says no, in seconds.",
    )
    drain_seconds: float = setting(
        30.0, "How long requests in progress may take after that, in seconds."
    )

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: If one is out of its range, or anybody could score from outside.
        """
        check_port(self.port, "--port")
        for name in _ABOVE_ZERO:
            if not getattr(self, name) > 0:
                raise UsageError(
                    f"expected a number above 0 for {self.flag(name)}, found "
                    f"{getattr(self, name)}; correct it."
                )
        for name in ("canary_weight", "shadow_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(
                    f"expected a part of 0 to 1 for {self.flag(name)}, found "
                    f"{getattr(self, name)}; correct it."
                )
        for name in ("canary", "shadow"):
            self._check_label(f"{name}_label", f"{name}_manifest")
        if not self.rate >= 0:
            raise UsageError(f"expected a --rate of 0 or more, found {self.rate}; correct it.")
        try:
            parse_networks(self.fetch_networks)
        except ValueError as error:
            raise UsageError(
                f"expected networks such as 10.1.0.0/16 for --fetch-networks, found another text "
                f"({error}); correct it."
            ) from error
        if self.keys_file is None and not is_loopback(self.host):
            raise UsageError(
                f"expected --keys-file for an address that others can reach, found none for "
                f"{self.host}; give one, or use --host 127.0.0.1."
            )

    def _check_label(self, label: str, manifest: str) -> None:
        if not getattr(self, label):
            return
        if getattr(self, manifest) is not None:
            raise UsageError(
                f"expected {self.flag(label)} or {self.flag(manifest)}, found both; leave one out."
            )
        if not self.manifest.is_dir():
            raise UsageError(
                f"expected a version's folder for --manifest, beside which {self.flag(label)} "
                f"finds others, found {self.manifest}; name one such as models/NAME/1."
            )
