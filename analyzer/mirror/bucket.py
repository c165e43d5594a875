"""A run in a bucket (S3, Google Cloud Storage), by fsspec: no listing is ever taken from a cache."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import IO, Any

from analyzer.mirror.address import Address
from analyzer.mirror.source import BLOCK, MOST_OBJECTS, Listing, Reader, Stored, plain_parts
from shared.errors import StorageRefused, StoredChanged, UsageError, reason_of
from shared.logs import entry

logger = logging.getLogger(__name__)

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub"}
"""What fsspec needs for each."""
PUT_BLOCK = 64 * 2**20
CHATTY = ("aiobotocore", "botocore", "s3fs", "gcsfs", "fsspec")
"""They say where they found credentials, and more where somebody asks for all: only warnings pass."""


class Bucket:
    """A prefix of a bucket."""

    settled = False

    def __init__(self, address: Address, endpoint: str | None = None, anonymous: bool = False) -> None:
        self.address = address
        self._fs = _file_system(address.protocol, endpoint, anonymous)
        self._faults = faults_of(address.protocol)
        self._said: set[str] = set()

    def listing(self, below: str = "") -> Listing:
        """All below the prefix, or below a part of it; names that are no plain paths are left out, and said."""
        place = f"{self.address.path}/{below}" if below else self.address.path
        with self._told("list", below):
            try:
                found = self._fs.find(place, detail=True)
            except FileNotFoundError:
                self._need_bucket()
                found = {}
        if len(found) > MOST_OBJECTS:
            raise StorageRefused(f"{self.address} holds more than {MOST_OBJECTS} objects; name the run itself.")
        return self._readable(found)

    @contextmanager
    def opened(self, stored: Stored) -> Iterator[Reader]:
        """This version, to read."""
        with self._told("read", stored.name):
            try:
                file = self._fs.open(stored.place, "rb", block_size=BLOCK, cache_type="none")
            except FileNotFoundError:
                raise StoredChanged(f"{stored.name} is gone from {self.address}.") from None
        with file:
            if (file.size, _etag(file.details)) != (stored.size, stored.etag):
                raise StoredChanged(f"{stored.name} in {self.address} is not what was listed; it is read again.")
            yield self._reader(file, stored)

    def put(self, name: str, file: IO[bytes]) -> None:
        """Replace an object by all of `file`, or leave it as it is."""
        with self._told("write", name):
            there = self._fs.open(f"{self.address.path}/{name}", "wb", block_size=PUT_BLOCK)
            try:
                while block := file.read(PUT_BLOCK):
                    there.write(block)
                there.close()
            except BaseException:  # its own `with`, and its end, would publish what was sent up to here
                with suppress(*self._faults):
                    there.discard()
                there.closed = True
                raise

    def _reader(self, file: Any, stored: Stored) -> Reader:
        def read(offset: int, count: int) -> bytes:
            with self._told("read", stored.name):
                try:
                    file.seek(offset)
                    return file.read(count)
                except FileNotFoundError:
                    raise StoredChanged(f"{stored.name} is gone from {self.address}.") from None
                except OSError as error:
                    if type(error).__name__ == "FileExpired":  # s3fs: the ETag is another one now
                        raise StoredChanged(f"{stored.name} was replaced meanwhile; it is read again.") from None
                    raise

        return read

    def _need_bucket(self) -> None:
        """Raise UsageError where there is no such bucket; a prefix that holds nothing yet is no fault."""
        bucket = self.address.path.partition("/")[0]
        if not self._fs.exists(bucket):
            raise UsageError(f"There is no bucket {bucket}; look at its name, and at --endpoint.")

    def _readable(self, found: dict[str, Any]) -> dict[str, Stored]:
        listed, strange = {}, []
        for place, info in found.items():
            if info.get("type") != "file" or not place.startswith(f"{self.address.path}/"):
                continue
            name = place[len(self.address.path) + 1 :]
            if plain_parts(name):
                listed[name] = Stored(name, int(info["size"]), _etag(info), _modified(info), place)
            elif not name.endswith("/") and not any(part.startswith(".") for part in name.split("/")):
                strange.append(name)
        self._say_strange(strange)
        return listed

    def _say_strange(self, names: list[str]) -> None:
        new = [name for name in names if name not in self._said]
        if new:
            self._said.update(new)
            cause = f"{len(new)} objects have names that are no plain paths, such as {ascii(new[0])[:80]}"
            logger.warning("%s: %s; they are left out", self.address, cause, extra=entry("left_out", cause=cause))

    @contextmanager
    def _told(self, what: str, name: str) -> Iterator[None]:
        """Inside, what the storage answers with becomes one sentence. Raises StorageRefused."""
        place = f"{self.address}/{name}" if name else str(self.address)
        try:
            yield
        except PermissionError as error:
            raise StorageRefused(
                f"{place}: no permission to {what} it ({reason_of(error)}); give credentials that may (see "
                "docs/remote.md), or --anonymous where everybody may."
            ) from None
        except self._faults as error:
            raise StorageRefused(f"{place} cannot be {_PAST[what]} ({reason_of(error)}).") from None


_PAST = {"list": "listed", "read": "read", "write": "written"}


def _file_system(protocol: str, endpoint: str | None, anonymous: bool) -> Any:
    """fsspec's file system. Raises UsageError where its package is not installed."""
    require(protocol)
    import fsspec  # pyright: ignore[reportMissingImports]

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if protocol == "s3":
        options["anon"] = anonymous
        options["config_kwargs"] = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 1}}
        if endpoint is not None:
            options["endpoint_url"] = endpoint
    elif anonymous:
        options["token"] = "anon"  # noqa: S105 (gcsfs's own word for none)
    return fsspec.filesystem(protocol, **options)


def require(protocol: str) -> None:
    """Raise UsageError in one sentence where the package for a protocol is not installed."""
    package = PACKAGES[protocol]
    missing = [name for name in ("fsspec", package) if importlib.util.find_spec(name) is None]
    if missing:
        what = "'midwatch[remote]'" if protocol == "s3" else package
        raise UsageError(f"{protocol}:// needs {', '.join(missing)}; run `pip install {what}`.")


def faults_of(protocol: str) -> tuple[type[Exception], ...]:
    """What the packages behind a protocol raise where a storage refuses or does not answer."""
    if protocol == "s3":
        from aiohttp import ClientError  # pyright: ignore[reportMissingImports]
        from botocore import exceptions  # pyright: ignore[reportMissingImports]

        return OSError, ClientError, exceptions.BotoCoreError, exceptions.ClientError
    if protocol == "gs":
        from aiohttp import ClientError  # pyright: ignore[reportMissingImports]
        from gcsfs.retry import HttpError  # pyright: ignore[reportMissingImports]

        return OSError, ClientError, HttpError
    return (OSError,)


def _etag(info: Any) -> str:
    """What tells versions apart: S3's ETag; Google's generation, else its etag."""
    found = info.get("generation") or info.get("ETag") or info.get("etag") or ""
    return str(found).strip('"')


def _modified(info: Any) -> float:
    """Unix time of the object's making, seconds; 0 where the storage does not tell."""
    found = info.get("LastModified") or info.get("mtime") or info.get("updated")
    if isinstance(found, str):
        found = datetime.fromisoformat(found.replace("Z", "+00:00"))
    return found.timestamp() if isinstance(found, datetime) else float(found or 0.0)
