"""One S3 server for all tests of this folder, and the credentials that it asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.making.bucket_server import CREDENTIALS, BucketServer, bucket_server


@pytest.fixture(scope="session")
def server() -> Iterator[BucketServer]:
    with bucket_server() as found:
        yield found


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(server: BucketServer) -> str:
    return server.new_bucket()
