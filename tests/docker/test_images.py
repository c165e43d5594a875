"""What the Dockerfile says of every image, read without an engine; `compose.py` looks into the built ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKERFILE = (Path(__file__).parents[2] / "docker" / "Dockerfile").read_text(encoding="utf-8")


def test_no_image_takes_code_from_the_shared_volume() -> None:
    base, *stages = DOCKERFILE.split("\nFROM ")[1:]
    assert "ENV PYTHONSAFEPATH=1" in base
    services = [stage for stage in stages if "ENTRYPOINT" in stage]
    assert len(services) == 3
    for stage in services:
        assert "\nWORKDIR /\n" in stage
        assert 'CMD ["python", "-I", "/app/healthy.py"' in stage


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    text = (Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["services"]


@pytest.mark.parametrize("name", ["trainer", "analyzer", "dashboard"])
def test_every_service_is_held_within_its_box(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    (tmp,) = service["tmpfs"]
    assert {"noexec", "nosuid", "nodev", "size=512m"} <= set(tmp.partition(":")[2].split(","))
    assert service["pids_limit"] and service["mem_limit"] == service["memswap_limit"]
    assert (not service.get("privileged") and "network_mode" not in service) or name == "analyzer"


def test_what_opens_checkpoints_has_no_network(services: dict[str, dict[str, Any]]) -> None:
    assert services["analyzer"]["network_mode"] == "none"
    assert "ports" not in services["analyzer"]


def test_the_dashboard_writes_nothing_and_is_published_to_this_machine_alone(
    services: dict[str, dict[str, Any]],
) -> None:
    assert services["dashboard"]["volumes"] == ["runs:/runs:ro"]
    assert all(port.startswith("127.0.0.1:") for port in services["dashboard"]["ports"])
