"""A real S3 server on this machine: moto's, in a process of its own, with buckets that are empty for each test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.making.waiting import wait_until

KEY, SECRET = "AKIAMIDWATCHTEST0000", "s3cr3t-0f-wh0-may-read"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}


class BucketServer:
    """Its address, and what tests do with a bucket."""

    def __init__(self, port: int) -> None:
        import boto3

        self.endpoint = f"http://127.0.0.1:{port}"
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def new_bucket(self) -> str:
        name = f"midwatch-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return name

    def upload(self, bucket: str, run: Path, prefix: str = "run") -> None:
        """A run's directory as it is, weights first and what completes a checkpoint last."""
        files = [path for path in run.rglob("*") if path.is_file()]
        for path in sorted(files, key=_marker_last):
            self.put(bucket, f"{prefix}/{path.relative_to(run).as_posix()}", path.read_bytes())

    def put(self, bucket: str, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def get(self, bucket: str, key: str) -> bytes:
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def keys(self, bucket: str) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}


def _marker_last(path: Path) -> tuple[bool, bool, str]:
    return path.parent.name == "commits", path.name == "trainer_state.json", path.as_posix()


@contextmanager
def bucket_server(more: Mapping[str, str] | None = None) -> Iterator[BucketServer]:
    """It answers while the block runs; `more` goes to its environment."""
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | CREDENTIALS | dict(more or {}),
    )
    try:
        wait_until(lambda: process.poll() is not None or _answers(port), "the S3 server")
        assert process.poll() is None, "the S3 server ended"
        yield BucketServer(port)
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
