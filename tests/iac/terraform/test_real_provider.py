"""``terraform validate`` and ``plan`` with the real AWS provider, whose own validators judge names, documents and arguments.

It calls nothing.  Its version 5.100.0 does not know Bedrock API keys, which the texts say, and hostile names are refused by it as
they are by IAM; both are checked with the stand-in alone.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from corpus import accepted
from harness import Tools, could_not_check, version_of
from module_plans import PLUGINS, PROVIDER, terraform_run
from test_terraform_plans import FORMATS, write_root

from mantle_iam.generate.artifact import Kind


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_providers_validators_take_every_artifact(name: str, tools: Tools, tmp_path: Path) -> None:
    terraform = tools.on_path("terraform")
    plugins = os.environ.get(PLUGINS, "")
    if not plugins:
        could_not_check("Terraform's AWS provider", f"{PLUGINS} names no folder of plugins")
    texts = {
        case.id: text
        for case, text in accepted(name)
        if case.artifact.kind is not Kind.LONG_TERM_KEY and not case.hostile
    }
    assert len(texts) > 25
    write_root(tmp_path, texts, FORMATS[name])
    (tmp_path / "provider.tf").write_text(PROVIDER, "utf-8")
    (tmp_path / "rc").write_text("", "utf-8")
    for arguments in (("init", f"-plugin-dir={plugins}"), ("validate",)):
        terraform_run(tmp_path, *arguments, "-no-color")
    tools.checked("terraform validate (AWS provider)", version_of(terraform, "version"))
