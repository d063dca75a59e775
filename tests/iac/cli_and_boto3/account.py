"""A whole AWS account on loopback: moto, taught Bedrock's service-specific credentials, and EKS's Pod Identity beside it.

Run as a program, with two ports: moto's and that of Pod Identity, which moto does not have.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from moto.server import main as serve_moto

from mantle_iam.emulator.iam_operations import teach_moto

ASSOCIATIONS: dict[str, dict[str, str]] = {}


class PodIdentity(BaseHTTPRequestHandler):
    """Four operations: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html."""

    def do_GET(self) -> None:
        """Describe one, or list by namespace and service account."""
        *_, last = urlsplit(self.path).path.split("/")
        if last in ASSOCIATIONS:
            self.answer({"association": {"associationId": last, **ASSOCIATIONS[last]}})
            return
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        found = [
            {"associationId": key, **each}
            for key, each in ASSOCIATIONS.items()
            if each["clusterName"] == self.cluster and asked.items() <= each.items()
        ]
        self.answer({"associations": found})

    def do_POST(self) -> None:
        """Create, or change the one that is named."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        given.pop("clientRequestToken", None)
        *_, last = urlsplit(self.path).path.split("/")
        key = last if last in ASSOCIATIONS else f"a-{len(ASSOCIATIONS) + 1}"
        ASSOCIATIONS[key] = {**ASSOCIATIONS.get(key, {"clusterName": self.cluster}), **given}
        self.answer({"association": {"associationId": key, **ASSOCIATIONS[key]}})

    def do_DELETE(self) -> None:
        """Forget all."""
        ASSOCIATIONS.clear()
        self.answer({})

    @property
    def cluster(self) -> str:
        """The name in ``/clusters/NAME/pod-identity-associations``."""
        return urlsplit(self.path).path.split("/")[2]

    def answer(self, body: object) -> None:
        """Status 200."""
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    teach_moto()
    pods = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), PodIdentity)
    Thread(target=pods.serve_forever, daemon=True).start()
    serve_moto(["-H", "127.0.0.1", "-p", sys.argv[1]])
