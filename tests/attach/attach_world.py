"""What the tests of this folder share beside fixtures: servers in processes of their own, and documents."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ACCOUNT = "123456789012"
INFERENCE = "arn:aws:iam::aws:policy/AmazonBedrockMantleInferenceAccess"


def document(*actions: str, resource: str = "*", effect: str = "Allow", **more: Any) -> str:
    """A policy of one statement as JSON text."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def serving(script: str, **environment: str) -> Iterator[str]:
    """URL of a server of this folder, running."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name(script)), str(port)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            assert server.poll() is None, "moto ended before it answered"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def ask(url: str, way: str) -> Any:
    """Take one of the short ways of ``moto_iam.py``."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("POST", f"/tests/{way}")
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())
    finally:
        connection.close()
