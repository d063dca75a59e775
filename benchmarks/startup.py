"""Whole-process time of the offline commands as a ratio to ``python -c pass``, bytecode compiled.

The bytecode is compiled into a folder of its own first, so that neither ``PYTHONDONTWRITEBYTECODE`` nor an installer that
compiles nothing spoils the figures.  All commands take turns, so that a busy moment hits them alike; the median counts.
"""

from __future__ import annotations

import base64
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

RUNS = 15

_REFUSAL = (
    'HTTP/1.1 401 Unauthorized\ncontent-type: application/json\n\n{"error":{"code":"access_denied","message":"User: '
    "arn:aws:iam::111122223333:user/BedrockAPIKey-abcd is not authorized to perform: bedrock-mantle:ListModels on resource: "
    "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default because no identity-based policy allows the "
    'bedrock-mantle:ListModels action","param":null,"type":"permission_denied_error"}}\n'
)


def _key() -> str:
    """A long-term key of nobody, made up here."""
    secret = base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + bytes(range(32))).decode()
    return f"ABSK{secret}\n"


def _commands() -> dict[str, tuple[Sequence[str], str]]:
    return {
        "--help": (("--help",), ""),
        "explain": (("explain", "-"), _REFUSAL),
        "key inspect": (("key", "inspect", "--api-key-stdin"), _key()),
        "generate": (("generate", "--for", "inference", "--auth", "long-term-key"), ""),
    }


def _seconds(arguments: Sequence[str], given: str, environment: dict[str, str]) -> tuple[float, int]:
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], input=given, text=True, capture_output=True, env=environment, check=False
    )
    return time.perf_counter() - before, done.returncode


def figures(runs: int = RUNS) -> list[tuple[str, str]]:
    """Name and value of each figure."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="mantle-iam-pycache-") as cache:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(root)}
        samples: dict[str, list[float]] = {"": []}
        codes: dict[str, int] = {}
        # The first round writes the bytecode and is not counted.
        for turn in range(runs + 1):
            taken, _ = _seconds(("-c", "pass"), "", environment)
            if turn:
                samples[""].append(taken)
            for name, (arguments, given) in _commands().items():
                taken, codes[name] = _seconds(("-m", "mantle_iam", *arguments), given, environment)
                if turn:
                    samples.setdefault(name, []).append(taken)
    bare = statistics.median(samples.pop(""))
    return [
        (f"start of `mantle-iam {name}`", _told(statistics.median(taken), bare, codes[name], name))
        for name, taken in samples.items()
    ]


def _told(seconds: float, bare: float, code: int, name: str) -> str:
    # `explain` ends with 1: it found a refusal.  Another code means that the figure is about something else.
    wanted = 1 if name == "explain" else 0
    note = "" if code == wanted else f"  (NOT WORKING: exit code {code})"
    return f"{seconds / bare:5.1f} x python -c pass  ({seconds * 1000:.0f} ms against {bare * 1000:.0f} ms){note}"


if __name__ == "__main__":
    for label, value in figures():
        print(f"{label:<36} {value}")
