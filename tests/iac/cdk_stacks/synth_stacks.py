"""Make the stack that each program defines and have the AWS CDK write its template.  Runs where aws-cdk-lib is.

Arguments: a file of jobs (``[{"id", "file", "arguments"}]``) and the folder for ``<id>.json``.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk.assertions import Template


def main(jobs: Path, results: Path) -> None:
    """Synthesise all jobs, in one process since its start is most of the work."""
    for job in json.loads(jobs.read_text("utf-8")):
        names = runpy.run_path(str(jobs.parent / job["file"]))
        (stack,) = (
            each for each in names.values() if isinstance(each, type) and issubclass(each, Stack) and each is not Stack
        )
        # Merging statements is what new projects have switched on; a document must come through all the same.
        app = App(context={"@aws-cdk/aws-iam:minimizePolicies": True})
        template = Template.from_stack(stack(app, "Stack", **job["arguments"])).to_json()
        (results / f"{job['id']}.json").write_text(json.dumps(template, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
