"""Random modules: what is read of the code never contradicts what is read of Terraform's plan of it.

``MANTLE_IAM_SEED`` chooses the modules, which are otherwise the same in every run.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

from agreement import contradictions, principals
from harness import Tools, could_not_check, version_of
from module_plans import PLUGINS, planned
from random_modules import write_modules

from mantle_iam.collect.files import read_inputs

SEED = int(os.environ.get("MANTLE_IAM_SEED", "1"))
MODULES = 60


def test_the_code_never_contradicts_the_plan(tmp_path: Path, tools: Tools) -> None:
    terraform = tools.on_path("terraform")
    plugins = os.environ.get(PLUGINS, "")
    if not plugins:
        could_not_check("Terraform's AWS provider", f"{PLUGINS} names no folder of plugins")
    write_modules(tmp_path / "random", SEED, MODULES)
    (tmp_path / "plan.json").write_text(json.dumps(planned(tmp_path / "random", plugins)), "utf-8")
    code, plan = (read_inputs([str(tmp_path / name)]) for name in ("random/main.tf", "plan.json"))
    seen: Counter[str] = Counter()
    found = list(contradictions(code, plan, seen))
    assert not found, (SEED, found[:10])
    assert seen["principals"] > MODULES, (SEED, seen)
    # What says nothing contradicts nothing: of a quarter both are sure.
    assert seen["settled"] * 4 > seen["settled"] + seen["unknown"], (SEED, seen)
    assert principals(plan)
    tools.checked("terraform plan (AWS provider)", version_of(terraform, "version"))
