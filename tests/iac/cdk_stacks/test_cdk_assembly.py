"""An assembly that the CDK has synthesised: its stages and nested stacks are read as one, each role with what it will have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import Tools, environment_of_tools, version_of

from mantle_iam.collect.dump_reader import Gathered
from mantle_iam.collect.files import read_inputs
from mantle_iam.iam.inventory import InputStatus

HERE = Path(__file__).parent
ACCOUNTS = {"000000000000", "111122223333", "444455556666"}
WANTED = {
    "role/outer": ["bedrock-mantle:GetModel", "bedrock-mantle:ListModels"],
    "role/inner": ["bedrock-mantle:CreateInference"],
    "user/somebody": ["bedrock-mantle:CallWithBearerToken"],
}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder, and what went wrong."""
    folder = tmp_path_factory.mktemp("assembly") / "cdk.out"
    command = [str(environment_of_tools() / "bin" / "python"), str(HERE / "synth_assembly.py"), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except OSError as error:
        return folder, str(error)
    return folder, "" if done.returncode == 0 else done.stderr[-3000:]


def _shown(found: Gathered) -> dict[str, dict[str, Any]]:
    return {
        account.id: {
            principal.arn.rpartition(":")[2]: sorted(
                action for p in principal.identity for one in p.document.statements for action in one.actions
            )
            for principal in account.principals
        }
        for account in found.accounts
    }


def test_an_assembly_is_read_whole(assembly: tuple[Path, str], tools: Tools) -> None:
    tools.packaged("python")
    tools.on_path("node")
    folder, problem = assembly
    assert problem == ""
    found = read_inputs([str(folder)])
    assert [(one.kind, one.status) for one in found.inputs] == [("cdk-assembly", InputStatus.READ)], found.inputs
    assert _shown(found) == dict.fromkeys(ACCOUNTS, WANTED)
    assert all(not principal.unknown for account in found.accounts for principal in account.principals)
    tools.checked("aws-cdk-lib", _version(tools))


def test_a_template_of_it_by_itself(assembly: tuple[Path, str], tools: Tools) -> None:
    tools.packaged("python")
    tools.on_path("node")
    folder, problem = assembly
    assert problem == ""
    named = read_inputs([str(folder / "Alone.template.json")])
    assert _shown(named) == {"000000000000": WANTED}
    given = read_inputs(["-"], stdin=(folder / "Alone.template.json").read_bytes())
    assert given.inputs[0].status is InputStatus.PARTIAL  # nobody knows where the nested one is
    outer = next(one for one in given.accounts[0].principals if one.arn.endswith("outer"))
    assert outer.unknown
    tools.checked("aws-cdk-lib", _version(tools))


def test_a_file_that_is_missing_is_told_and_the_rest_is_read(
    assembly: tuple[Path, str], tools: Tools, tmp_path: Path
) -> None:
    tools.packaged("python")
    tools.on_path("node")
    folder, problem = assembly
    assert problem == ""
    copy = tmp_path / "cdk.out"
    shutil.copytree(folder, copy)
    (copy / "Anywhere.template.json").unlink()
    next(copy.glob("AloneInner*.nested.template.json")).unlink()
    read = read_inputs([str(copy)])
    (found,) = read.inputs
    assert found.status is InputStatus.PARTIAL
    assert "Anywhere.template.json" in " ".join(found.problems)
    assert "a nested stack was not read" in " ".join(found.problems)
    assert _shown(read)["444455556666"] == WANTED
    tools.checked("aws-cdk-lib", _version(tools))


def _version(tools: Tools) -> str:
    program = "from importlib.metadata import version; print(version('aws-cdk-lib'))"
    return version_of(tools.packaged("python"), "-c", program)
