"""Plans of the modules in ``tests/collect/terraform_modules``, made by Terraform with the real AWS provider, which calls nothing.

    python tests/iac/terraform/module_plans.py PLUGINS

writes them.  PLUGINS is a folder as ``terraform providers mirror`` fills it, with version 5.100.0 of ``hashicorp/aws``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MODULES = Path(__file__).parents[2] / "collect" / "terraform_modules"
PLAN = "plan.json"
PLUGINS = "MANTLE_IAM_TERRAFORM_PLUGINS"
"""The variable that names the folder."""
PROVIDER = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "AKIAIOSFODNN7EXAMPLE"
  secret_key                  = "example"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
"""


def planned(module: Path, plugins: str) -> dict[str, Any]:
    """The plan as ``terraform show -json`` has it, without what differs from run to run.

    Raises:
        RuntimeError: Terraform refuses; with its messages.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, module.name)
        shutil.copytree(module, folder, ignore=shutil.ignore_patterns(PLAN))
        (folder / "provider.tf").write_text(PROVIDER, "utf-8")
        (folder / "rc").write_text("", "utf-8")
        for arguments in (("init", f"-plugin-dir={plugins}"), ("plan", "-lock=false", "-out=out")):
            terraform_run(folder, *arguments, "-input=false", "-no-color")
        plan: dict[str, Any] = json.loads(terraform_run(folder, "show", "-json", "out"))
    plan.pop("timestamp", None)
    plan.get("configuration", {}).pop("provider_config", None)
    return plan


def terraform_run(folder: Path, *arguments: str) -> str:
    """What Terraform prints.  Raises ``RuntimeError`` with its messages where it refuses."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": str(folder / "rc"),
    }
    command = ["terraform", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise RuntimeError(f"terraform {arguments[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def main(plugins: str) -> None:
    """Write every plan."""
    for module in sorted(MODULES.iterdir()):
        plan = planned(module, str(Path(plugins).resolve()))
        (module / PLAN).write_text(json.dumps(plan, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
