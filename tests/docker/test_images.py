"""What the Dockerfile says of every image, read without an engine; `compose.py` looks into the built ones."""

from __future__ import annotations

from pathlib import Path

DOCKERFILE = (Path(__file__).parents[2] / "docker" / "Dockerfile").read_text(encoding="utf-8")


def test_no_image_takes_code_from_the_shared_volume() -> None:
    base, *stages = DOCKERFILE.split("\nFROM ")[1:]
    assert "ENV PYTHONSAFEPATH=1" in base
    services = [stage for stage in stages if "ENTRYPOINT" in stage]
    assert len(services) == 3
    for stage in services:
        assert "\nWORKDIR /\n" in stage
        assert 'CMD ["python", "-I", "/app/healthy.py"' in stage
