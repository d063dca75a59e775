"""What all tests share: golden files renewed by one flag, and no credential or network from outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

GOLDEN = Path(__file__).parent / "golden"
RENEW = "MANTLE_IAM_RENEW_GOLDENS"

settings.register_profile("default", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

_FOREIGN = (
    "AWS_",
    "OPENAI_",
    "ANTHROPIC_",
    "BEDROCK_",
    "CLAUDE_CODE_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No credential, profile, proxy or colour setting of the developer's machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in {
            "NO_COLOR",
            "FORCE_COLOR",
            "CLICOLOR_FORCE",
            "https_proxy",
            "all_proxy",
        }:
            monkeypatch.delenv(name)
    empty = tmp_path_factory.getbasetemp() / "no-aws-config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(empty))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(empty))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """``golden(name, text)`` compares with ``tests/golden/name``; MANTLE_IAM_RENEW_GOLDENS=1 rewrites it."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get(RENEW):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.is_file(), f"no golden file {name}: run `make goldens` and read the diff"
        assert text == path.read_text("utf-8"), (
            f"{name} differs: if that is wanted, run `make goldens` and read the diff"
        )

    return check
