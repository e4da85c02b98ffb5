"""The registry's files: `<root>/<domain>/<model>/<version>/` with a manifest and the files that it names.

The version is the hash of the manifest, which holds the hashes of the files: what is read is what was registered, or refused.
A version is written beside and moved in by one rename; it is never changed. Which version is in use is a row in Postgres.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from ticketintel_pipelines.contract import Column
from ticketintel_pipelines.errors import TicketIntelError
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.lake.partitions import scratch_folder
from ticketintel_pipelines.learning.calibration import Beta
from ticketintel_pipelines.learning.estimators import Estimator
from ticketintel_pipelines.learning.examples import Features
from ticketintel_pipelines.learning.formats import ONNX_FILE, OnnxModel, check_agreement, load_fitted, to_onnx
from ticketintel_pipelines.learning.intervals import Measured
from ticketintel_pipelines.learning.manifest import (
    VERSION_DIGITS,
    Code,
    File,
    Manifest,
    Snapshot,
    described,
    feature_schema,
)
from ticketintel_pipelines.learning.trained import Trained

MANIFEST = "manifest.json"
NAME = re.compile(r"[a-z][a-z0-9_]*")


class DamagedModelError(TicketIntelError):
    """A file of a registered model is not there, or not what was registered."""


@dataclass(frozen=True)
class Origin:
    """Where a model that is to be registered came from."""

    features: Sequence[Column]
    estimator: Estimator
    data: Snapshot
    code: Code
    seed: int
    metrics: Mapping[str, Measured]
    trained_at: datetime


@dataclass(frozen=True)
class Registered:
    """A version that was read: its manifest, and the model that scores."""

    manifest: Manifest
    trained: Trained


@dataclass(frozen=True)
class Registry:
    """The models of a domain under a root folder."""

    root: Path
    domain: str

    def register(self, model: str, trained: Trained, origin: Origin, rows: Features) -> Manifest:
        """Keep a model; one that is there already is left, or mended.

        `rows` (n, m) are those on which the model's two forms must agree.

        Raises:
            FormatsDisagreeError: they do not.
            ValueError: the model's features are not those of its origin, or a name is none for a folder.
        """
        if trained.names != tuple(column.name for column in origin.features):
            raise ValueError(f"{model}: the model's features are not those it is said to come from")
        files = trained.fitted.dump()
        difference = None
        onnx = to_onnx(trained.estimator, trained.fitted, len(trained.names))
        if onnx is not None:
            difference = check_agreement(trained.fitted, onnx, rows, origin.seed)
            files = {**files, ONNX_FILE: onnx}
        manifest = Manifest(
            model=model,
            kind=trained.estimator,
            files={name: File.of(content) for name, content in files.items()},
            features=trained.names,
            feature_schema=feature_schema(origin.features),
            calibration=trained.calibration,
            estimator=described(origin.estimator),
            data=origin.data,
            code=origin.code,
            seed=origin.seed,
            metrics=origin.metrics,
            trained_at=origin.trained_at,
            onnx_difference=difference,
        )
        self.keep(manifest, files)
        return manifest

    def load(self, model: str, version: str) -> Registered:
        """A version, each of its files verified.

        Raises:
            DamagedModelError: a file, or the manifest, is missing or was changed.
        """
        manifest, files = self.read(model, version)
        fitted = load_fitted(manifest.kind, files)
        return Registered(manifest, Trained(manifest.kind, manifest.features, fitted, manifest.calibration or Beta()))

    def load_onnx(self, model: str, version: str) -> Trained:
        """A version in the form that scores one row at a time; it cannot explain.

        Raises:
            DamagedModelError: as `load`, or the version has no such form.
        """
        manifest, files = self.read(model, version)
        if ONNX_FILE not in files:
            raise DamagedModelError(f"{model} version {version} was registered without an ONNX form; load it as it is")
        return Trained("onnx", manifest.features, OnnxModel(files[ONNX_FILE]), manifest.calibration or Beta())

    def verify(self, model: str, version: str) -> Manifest:
        """The manifest of a version whose files are all there and unchanged.

        Raises:
            DamagedModelError: they are not.
        """
        return self.read(model, version)[0]

    def versions(self, model: str) -> list[str]:
        """The versions of a model whose folders are there, verified or not, in no meaningful order."""
        folder = self._folder(model)
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def _folder(self, model: str, version: str = "") -> Path:
        if not NAME.fullmatch(model) or not (version == "" or re.fullmatch(rf"[0-9a-f]{{{VERSION_DIGITS}}}", version)):
            raise ValueError(f"{model!r} {version!r} names no model")
        return self.root / self.domain / model / version

    def read(self, model: str, version: str) -> tuple[Manifest, dict[str, bytes]]:
        """The manifest of a version and its files, each verified.

        Raises:
            DamagedModelError: one of them is missing or was changed.
        """
        folder = self._folder(model, version)
        content = _content(folder / MANIFEST)
        if hashlib.sha256(content).hexdigest()[:VERSION_DIGITS] != version:
            raise _changed(folder / MANIFEST)
        try:
            manifest = Manifest.read(content)
        except ValueError as error:
            raise DamagedModelError(f"{folder / MANIFEST} cannot be read by this release: {error}") from error
        if manifest.model != model:
            raise DamagedModelError(f"{folder / MANIFEST} is the manifest of {manifest.model}; move it back to its place")
        files = {}
        for name, file in manifest.files.items():
            files[name] = _content(folder / _inside(name))
            if File.of(files[name]) != file:
                raise _changed(folder / name)
        return manifest, files

    def keep(self, manifest: Manifest, files: Mapping[str, bytes]) -> None:
        """Keep a version: the files that the manifest names. One that is there already is left, or mended."""
        target = self._folder(manifest.model, manifest.version)
        with scratch_folder(Lake(self.root, self.domain)) as scratch:
            beside = scratch / manifest.version
            for name, content in files.items():
                _write(beside / _inside(name), content)
            _write(beside / MANIFEST, manifest.file)
            for folder in (beside, *(path for path in beside.rglob("*") if path.is_dir())):
                _sync(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                try:
                    self.verify(manifest.model, manifest.version)
                except DamagedModelError:
                    target.rename(scratch / "damaged")
                else:
                    return
            beside.rename(target)
            for folder in (target.parent, target.parent.parent, self.root):
                _sync(folder)


def _inside(name: str) -> PurePosixPath:
    """The path of a model's file in its folder, which it may not lead out of."""
    path = PurePosixPath(name)
    if not name or name == MANIFEST or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise ValueError(f"{name!r} is no name for a model's file")
    return path


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedModelError(f"{path} is missing; restore it from a backup, or train the model again") from error


def _changed(path: Path) -> DamagedModelError:
    return DamagedModelError(
        f"{path} was changed since it was registered and is refused; restore it from a backup, or train the model again"
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
