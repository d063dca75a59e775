"""The plans that the tests of ``collect`` read are those that Terraform makes of the modules beside them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from harness import Tools, could_not_check, version_of
from module_plans import MODULES, PLAN, PLUGINS, planned


@pytest.mark.parametrize("module", sorted(MODULES.iterdir()), ids=lambda module: module.name)
def test_the_recorded_plan_is_terraforms(module: Path, tools: Tools) -> None:
    terraform = tools.on_path("terraform")
    plugins = os.environ.get(PLUGINS, "")
    if not plugins:
        could_not_check("Terraform's AWS provider", f"{PLUGINS} names no folder of plugins")
    recorded = json.loads((module / PLAN).read_text("utf-8"))
    made = planned(module, plugins)
    for plan in (recorded, made):
        for name in ("terraform_version", "relevant_attributes"):  # the second has no order
            plan.pop(name, None)
    assert made == recorded
    tools.checked("terraform plan (AWS provider)", version_of(terraform, "version"))
