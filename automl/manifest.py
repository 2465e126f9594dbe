"""What a SavedModel does not say about itself: labels, geometry, metrics, origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from automl.errors import NotFoundError, WorkspaceError
from automl.files import write_json

MANIFEST = Path("assets.extra") / "manifest.json"
"""Where it lies in a version's folder; TF Serving leaves `assets.extra` to others."""

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """A model version's `manifest.json`.

    Attributes:
        name: The model's name.
        version: Its version, 1 or more.
        labels: The classes, in the order of the model's outputs.
        height: Of the input, in pixels.
        width: Of the input, in pixels.
        geometry: How a picture becomes the input; see `automl.images.GEOMETRY`.
        temperature: What the logits are divided by before the softmax.
        hyperparameters: The winning trial's dimensions and values.
        metrics: Held-out metrics: at least `accuracy`, `balanced_accuracy`, `test_images`.
        data: `fingerprint` (hex), `images` and `classes` (images by label) of the training data.
        parity: What the export proved: `images`, and the largest difference in probability
            for `serving_default` and `encoded`; `bfloat16`, where it was measured, with the
            `largest_difference` that computing in it makes, the share of images of the
            `same_class`, and whether it is `allowed`.
        versions: Versions of automl and the libraries that made it.
        run: The run that found it.
        created: When, ISO 8601 in UTC.
        reference: What the held-out images were taken for: `classes` (by label, the share that
            was given it) and `confidence` (the shares whose highest probability lies in each of
            ten equal intervals of 0..1), so that a service can tell when its images differ.
    """

    name: str
    version: int
    labels: tuple[str, ...]
    height: int
    width: int
    geometry: str
    temperature: float
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    parity: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    created: str = ""
    reference: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, version_directory: Path) -> Manifest:
        """Reads the manifest of the model version in `version_directory`.

        Raises:
            NotFoundError: If there is none.
            WorkspaceError: If it cannot be understood.
        """
        path = version_directory / MANIFEST
        if not path.is_file():
            raise NotFoundError(
                f"expected a model exported by automl, found no {MANIFEST} in "
                f"{version_directory}; name a folder such as models/NAME/1."
            )
        return cls.read_file(path)

    @classmethod
    def read_file(cls, path: Path) -> Manifest:
        """Reads the manifest `path`, wherever it lies.

        Raises:
            WorkspaceError: If it cannot be read or understood.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format", None) != FORMAT:
                raise WorkspaceError(
                    f"expected a manifest of format {FORMAT}, found another in {path}; "
                    f"upgrade automl or export again."
                )
            return cls(**{**content, "labels": tuple(content["labels"])})
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise WorkspaceError(
                f"expected a readable manifest, found {path} missing or damaged ({error}); "
                f"export again."
            ) from error

    def against_bfloat16(self) -> str:
        """Returns what the export has against computing the model in bfloat16, if anything."""
        measured = self.parity.get("bfloat16") if isinstance(self.parity, Mapping) else None
        if not isinstance(measured, Mapping):
            return "its export has not measured bfloat16"
        if measured.get("allowed") is True:
            return ""
        difference = measured.get("largest_difference")
        by = f"{difference:.3g}" if isinstance(difference, float) else "too much"
        return f"bfloat16 changed a probability by {by} at its export"

    def write(self, version_directory: Path) -> None:
        """Writes the manifest into `version_directory`."""
        write_json(version_directory / MANIFEST, {"format": FORMAT, **asdict(self)})
