"""Where a remote run lies, as people write it: `s3://bucket/run`, `gs://bucket/run`, `hf://org/model`."""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.errors import UsageError

PROTOCOLS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "hf": "hf"}
"""As written -> as fsspec calls it."""
NO_SECRETS = (
    "The address holds credentials, or what may be some, and is refused; leave them out, and put them where the "
    "storage's own tools look for them (AWS_ACCESS_KEY_ID and the like in the environment, or their config files)."
)
ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+/?")
MAX_LENGTH = 1024


class Address(NamedTuple):
    """A remote run."""

    protocol: str
    path: str
    """Bucket and prefix, or organisation and model; no slash at its ends."""

    def __str__(self) -> str:
        return f"{self.protocol}://{self.path}"


def parse_address(text: str) -> Address:
    """What `text` names. Raises UsageError, which never repeats a credential."""
    match = ADDRESS.fullmatch(text)
    rest = match[2] if match else text
    if "@" in rest or "?" in rest or "#" in rest:  # user:key@bucket, a signed address, a token
        raise UsageError(NO_SECRETS)
    if match is None:
        raise UsageError(f"{text[:80]!r} is no address; write for example s3://bucket/run or hf://org/model.")
    protocol = PROTOCOLS.get(match[1].lower())
    if protocol is None:
        raise UsageError(f"{match[1][:20]}:// is not known; the run may lie under {', '.join(_written())}.")
    path = rest.strip("/")
    parts = path.split("/")
    if not path or len(path) > MAX_LENGTH or not path.isprintable() or {"", ".", ".."} & set(parts):
        raise UsageError(f"{text[:80]!r} names no place; write for example {protocol}://{_example(protocol)}.")
    if protocol == "hf" and len(parts) != 2:
        raise UsageError("The Hub's models are written as hf://organisation/model.")
    return Address(protocol, path)


def checked_endpoint(text: str) -> str:
    """The address of a server that speaks S3. Raises UsageError, which never repeats a credential."""
    if "@" in text or "?" in text or "#" in text:
        raise UsageError(NO_SECRETS)
    if not ENDPOINT.fullmatch(text):
        raise UsageError(
            f"--endpoint {text[:80]!r} is no server; write for example https://minio.example.org:9000."
        )
    return text


def _written() -> list[str]:
    return [f"{name}://" for name in dict.fromkeys(PROTOCOLS.values())]


def _example(protocol: str) -> str:
    return "org/model" if protocol == "hf" else "bucket/run"
