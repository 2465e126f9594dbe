"""The page at `/`: one file, no other origin, and a policy that admits just its own script."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import re

from starlette.responses import Response


def response() -> Response:
    """Returns the page."""
    content, policy = _content()
    return Response(
        content,
        media_type="text/html",
        headers={"content-security-policy": policy, "referrer-policy": "no-referrer"},
    )


@functools.cache
def _content() -> tuple[bytes, str]:
    text = importlib.resources.files(__package__).joinpath("page.html").read_text("utf-8")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes('script', text)}",
            f"style-src {_hashes('style', text)}",
            "img-src blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    return text.encode(), policy


def _hashes(tag: str, text: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = (hashlib.sha256(one.encode()).digest() for one in found)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
