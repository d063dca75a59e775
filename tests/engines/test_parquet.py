"""The matrix as Parquet, read back by pyarrow, which has an environment of its own (`make test-engines`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ENVIRONMENT = os.environ.get("MANTLE_IAM_ENGINES_ENV", "")
ROOT = Path(__file__).parents[2]
COMMAND = "from mantle_iam.cli.main import main; main()"
READ = """
import json, sys
import pyarrow.parquet as parquet
file = parquet.ParquetFile(sys.argv[1])
print(json.dumps({"groups": file.num_row_groups, "columns": file.schema_arrow.names, "rows": file.read().to_pylist()}))
"""

needs_pyarrow = pytest.mark.skipif(not ENVIRONMENT, reason="pyarrow has an environment of its own: make test-engines")


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    def policy(action: str, **more: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
        return {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}

    def role(name: str, *policies: dict[str, Any]) -> dict[str, Any]:
        return {"Arn": f"arn:aws:iam::111122223333:role/{name}", "RoleName": name, "RolePolicyList": policies}

    vpc = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}
    path = tmp_path / "dump.json"
    roles = [role("all", policy("*")), role("none"), role("\ud800\u00e9", policy("bedrock-mantle:*", Condition=vpc))]
    path.write_text(json.dumps({"UserDetailList": [], "RoleDetailList": roles, "Policies": []}), "utf-8")
    return path


def _audit(python: str, dump: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-c", COMMAND, "audit", str(dump), "--output", "jsonl", "--no-findings", *more],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@needs_pyarrow
@pytest.mark.slow
def test_what_is_written_is_what_the_json_says(dump: Path, tmp_path: Path) -> None:
    python = str(Path(ENVIRONMENT, "bin", "python"))
    path = tmp_path / "matrix.parquet"
    done = _audit(python, dump, "--parquet", str(path))
    assert done.returncode == 0, done.stderr
    read = subprocess.run([python, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    found = json.loads(read.stdout)
    expected = []
    for line in done.stdout.splitlines()[:-1]:
        principal = json.loads(line)
        for cell in principal["capabilities"]:
            arn = principal["arn"].replace("\ud800", "\ufffd")
            cell["decided_by"] = json.dumps(cell["decided_by"], ensure_ascii=False).replace("\ud800", "\ufffd")
            expected.append({"principal": arn, "account": principal["account"], "elsewhere": [], **cell})
    assert {cell["answer"] for cell in expected} == {"yes", "no", "depends"}
    assert found["rows"] == expected
    assert found["groups"] == 1
    assert list(tmp_path.glob("*.part")) == []


@needs_pyarrow
@pytest.mark.slow
def test_a_file_that_cannot_be_written_is_one_line(dump: Path, tmp_path: Path) -> None:
    done = _audit(str(Path(ENVIRONMENT, "bin", "python")), dump, "--parquet", str(tmp_path / "no" / "matrix"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write")


def test_without_pyarrow_it_is_said_how_to_get_it(dump: Path, tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['pyarrow'] = None; "
    done = subprocess.run(
        [sys.executable, "-c", hidden + COMMAND, "audit", str(dump), "--parquet", str(tmp_path / "x")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "mantle-iam[parquet]" in done.stderr
