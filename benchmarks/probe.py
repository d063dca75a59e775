"""Wall time of a full probe against the emulator, as a multiple of the latency that the emulator adds to each answer."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

LATENCY = 0.1
RUNS = 5

ALLOWED = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}]}
)
REFUSED = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "bedrock:*", "Resource": "*"}]}
)

# The emulator runs in a process of its own, so that its work is not counted as the probe's.
SERVER = """
import json, sys
from mantle_iam.workflow.emulator import make_ready, running

with running(latency=float(sys.argv[1])) as emulator:
    found = {}
    for number, policy in enumerate(sys.argv[2:]):
        ready = make_ready(emulator, (policy,), f"user-{number}")
        found[number] = {**ready.environment, **emulator.environment, "url": emulator.url}
    print(json.dumps(found), flush=True)
    sys.stdin.read()
"""


def figures() -> list[tuple[str, str]]:
    """Name and value of each figure."""
    from mantle_iam.workflow.probe import run_probe
    from mantle_iam.workflow.probe_setup import ProbeOptions

    found = []
    with _emulator(ALLOWED, REFUSED) as environments:
        for name, environ in zip(("allowed", "refused"), environments, strict=True):
            options = ProbeOptions(base_url=f"{environ['url']}/v1")
            times = []
            for _ in range(RUNS + 1):
                started = time.perf_counter()
                probed = run_probe(options, environ, datetime.now(UTC))
                times.append(time.perf_counter() - started)
            # The first run imports; the whole process is measured elsewhere.
            median = statistics.median(times[1:])
            found.append(
                (
                    f"probe, {name} ({probed.sent} calls, policies read), times {LATENCY * 1000:.0f} ms",
                    f"{median / LATENCY:.1f} (first run, imports included: {times[0] / LATENCY:.1f})",
                )
            )
    return found


@contextmanager
def _emulator(*policies: str) -> Iterator[list[dict[str, str]]]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(LATENCY), *policies],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield list(json.loads(process.stdout.readline()).values())
        finally:
            process.stdin.close()
            process.wait(10)


if __name__ == "__main__":
    for name, value in figures():
        print(f"{name}: {value}")
