"""What is shipped: the wheel built for real, without network, installed into a fresh environment and used from elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = "mantle_iam/_bundled/"
pytestmark = pytest.mark.slow


def _run(
    command: Sequence[str | Path], cwd: Path, expect: int | None = 0, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        env=clean | {"PYTHONDONTWRITEBYTECODE": "1"} | environment,
        check=False,
    )
    if expect is not None:
        assert done.returncode == expect, done.stdout + done.stderr
    return done


def _build(source: Path, kind: str, out: Path) -> Path:
    # The backend is in the development environment: nothing is fetched.
    _run([sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", out, source], cwd=out)
    (made,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


def _files(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(name for name in archive.namelist() if not name.endswith("/"))


def _tracked(*folders: str) -> list[str]:
    listed = _run(["git", "ls-files", "-z", *folders], cwd=ROOT, expect=None)
    if listed.returncode:
        pytest.skip("not a git checkout: " + listed.stderr.strip())
    return sorted(name for name in listed.stdout.split("\0") if name)


def test_shipped_data_is_what_git_tracks(wheel: Path) -> None:
    shipped = [name.removeprefix(BUNDLED) for name in _files(wheel) if name.startswith(BUNDLED)]
    tracked = _tracked("policies", "templates")
    assert shipped == tracked, "a file in policies/ or templates/ is not committed, or is ignored and yet shipped"
    assert len(shipped) > 5


def test_shipped_code_is_what_git_tracks(wheel: Path) -> None:
    shipped = [name for name in _files(wheel) if name.startswith("mantle_iam/") and not name.startswith(BUNDLED)]
    assert shipped == _tracked("mantle_iam")


def test_wheel_is_typed_licensed_and_holds_the_schemas(wheel: Path) -> None:
    files = _files(wheel)
    assert "mantle_iam/py.typed" in files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in files)
    schemas = [name for name in files if name.startswith("mantle_iam/schemas/")]
    assert schemas == sorted(
        f"mantle_iam/schemas/{path.name}" for path in (ROOT / "mantle_iam" / "schemas").glob("*.json")
    )
    assert len(schemas) >= 3
    assert [
        name for name in files if name.startswith(("tests/", "docs/", "policies/", "templates/", "benchmarks/"))
    ] == []


def test_wheel_by_way_of_the_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    sdist = _build(ROOT, "sdist", tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    again = tmp_path / "again"
    again.mkdir()
    assert _files(_build(source, "wheel", again)) == _files(wheel)


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of a fresh environment that holds this wheel and sees our dependencies, but not our source tree."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    # Installed before the dependencies come in sight: the development environment holds an editable mantle-iam.
    _run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel],
        cwd=home,
    )
    purelib = Path(
        _run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], cwd=home).stdout.strip()
    )
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    where = _run([python, "-c", "import mantle_iam; print(mantle_iam.__file__)"], cwd=home).stdout.strip()
    assert Path(where).is_relative_to(home), "the installed package is not the one that is imported"
    return home / "bin"


def test_data_is_found_from_another_folder(installed: Path, tmp_path: Path) -> None:
    script = (
        "import json\n"
        "from mantle_iam import bundled\n"
        "def walk(folder, prefix=''):\n"
        "    for entry in folder.iterdir():\n"
        "        if entry.is_dir():\n"
        "            yield from walk(entry, prefix + entry.name + '/')\n"
        "        else:\n"
        "            yield prefix + entry.name\n"
        "print(json.dumps([sorted(walk(bundled.policies(), 'policies/')) + sorted(walk(bundled.templates(), 'templates/')),"
        " bundled.schema('diagnosis')['$schema']]))\n"
    )
    found, schema = json.loads(_run([installed / "python", "-c", script], cwd=tmp_path).stdout)
    assert found == _tracked("policies", "templates")
    assert schema.startswith("https://json-schema.org/")


def test_commands_work_from_another_folder(installed: Path, tmp_path: Path) -> None:
    command = installed / "mantle-iam"
    assert "Usage: mantle-iam" in _run([command, "--help"], cwd=tmp_path).stdout
    version = _run([command, "--version"], cwd=tmp_path).stdout.split()
    assert version[0] == "mantle-iam"
    generated = _run(
        [command, "generate", "--for", "inference", "--auth", "long-term-key", "--account", "111122223333"],
        cwd=tmp_path,
    )
    document = json.loads(generated.stdout)
    text = json.dumps(document)
    assert "bedrock-mantle:CreateInference" in text
    assert "bedrock-mantle:CallWithBearerToken" in text
    terraform = _run([command, "generate", "--for", "inference", "--format", "terraform"], cwd=tmp_path).stdout
    assert "aws_iam_policy_document" in terraform
    wrong = _run([command, "generate", "--for", "nothing-of-the-kind"], cwd=tmp_path, expect=2)
    assert "Traceback" not in wrong.stderr
    refusal = (
        "User: arn:aws:iam::111122223333:user/a is not authorized to perform: bedrock-mantle:ListModels on resource: "
        "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default because no identity-based policy allows the "
        "bedrock-mantle:ListModels action"
    )
    explained = _run([command, "explain", "--output", "json", "-"], cwd=tmp_path, expect=1, given=refusal)
    assert json.loads(explained.stdout)["diagnoses"][0]["code"] == "missing-permission"
