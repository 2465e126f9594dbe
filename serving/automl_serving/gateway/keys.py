"""The keys that may score: names and hashes, never the keys themselves."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path

from automl.errors import UsageError
from automl_serving.gateway.errors import UnauthorizedError

logger = logging.getLogger(__name__)

_HASH = re.compile(r"[0-9a-f]{64}\Z")


class KeyRing:
    """Checks bearer keys against the SHA-256 hashes of those that are accepted.

    Keys are long random texts, so that a plain hash of one cannot be turned back.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """Takes the hashes, in hexadecimal digits, by the names of their keys."""
        self._hashes = dict(hashes)

    @classmethod
    def read(cls, path: Path) -> KeyRing:
        """Reads a keys file, `{"keys": [{"name": …, "sha256": …}]}`.

        Raises:
            UsageError: If it cannot be read or is no such file.
        """
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))["keys"]
            hashes = {str(entry["name"]): str(entry["sha256"]).lower() for entry in entries}
            wrong = [name for name, value in hashes.items() if not _HASH.match(value)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "another form"
            raise UsageError(
                f'expected a file {{"keys": [{{"name": …, "sha256": …}}]}} at {path}, found '
                f"{reason}; correct it or --keys-file."
            ) from error
        if wrong or not hashes or len(hashes) != len(entries):
            found = f"none for {wrong[0]!r}" if wrong else "no keys, or two of one name"
            raise UsageError(
                f"expected named SHA-256 hashes of 64 hexadecimal digits in {path}, found "
                f"{found}; correct the file."
            )
        return cls(hashes)

    def check(self, authorization: str) -> str:
        """Returns the name of the key in an `Authorization` header.

        Raises:
            UnauthorizedError: If there is none, or it is not accepted.
        """
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise UnauthorizedError(
                "expected the header 'Authorization: Bearer KEY', found none; add it."
            )
        digest = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).hexdigest()
        # Every hash is compared, so that the time taken tells nothing.
        matches = [
            name for name, value in self._hashes.items() if hmac.compare_digest(value, digest)
        ]
        if not matches:
            raise UnauthorizedError("expected a key of this service, found another; check it.")
        return matches[0]


class KeyFile:
    """The keys in a file, which may change while the service runs."""

    def __init__(self, path: Path) -> None:
        """Reads the file `path`.

        Raises:
            UsageError: As `KeyRing.read` does.
        """
        self._path = path
        self._seen = self._state()
        self._ring = KeyRing.read(path)

    def check(self, authorization: str) -> str:
        """Does what `KeyRing.check` does, with the keys that are in the file now.

        While the file cannot be read, the keys that it held before are accepted.
        """
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._ring = KeyRing.read(self._path)
                logger.info("the keys were read again")
            except UsageError as error:
                logger.warning("the former keys stay: %s", error)
        return self._ring.check(authorization)

    def _state(self) -> tuple[int, ...]:
        """Returns what is another once the file was written or replaced."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns
