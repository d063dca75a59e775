"""Run each program with Pulumi's mocks and write down the resources that it asks for.  Runs where pulumi is.

Arguments: a file of jobs (``[{"id", "file", "config"}]``) and the folder for ``<id>.json``.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi

PROJECT = "checks"


class Recorder(pulumi.runtime.Mocks):
    """Answers as a provider that makes everything at once."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The resource, with an ARN."""
        self.resources.append({"type": args.typ, "name": args.name, "inputs": args.inputs})
        return f"{args.name}-id", {**args.inputs, "arn": f"arn:of:{args.typ}"}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        """The only function that the programs call."""
        assert args.token == "aws:ssoadmin/getInstances:getInstances", args.token
        return {"arns": ["arn:aws:sso:::instance/found"], "id": "x", "identityStoreIds": ["d"], "region": "us-east-1"}


def main(jobs: Path, results: Path) -> None:
    """Run all jobs, one after the other."""
    for job in json.loads(jobs.read_text("utf-8")):
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project=PROJECT, stack="checks", preview=False)
        pulumi.runtime.set_all_config({f"{PROJECT}:{key}": value for key, value in job["config"].items()})
        program = str(jobs.parent / job["file"])

        # It waits for everything that the program has asked for.
        @pulumi.runtime.test
        def run(file: str = program) -> None:
            runpy.run_path(file)

        run()
        (results / f"{job['id']}.json").write_text(json.dumps(recorder.resources), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
