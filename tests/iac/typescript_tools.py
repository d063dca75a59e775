"""The TypeScript compiler, node and prettier of ``tests/iac/node``, for the tests of this folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from harness import Tools, could_not_check

MODULES: Final = Path(__file__).parent / "node" / "node_modules"
# Everything strict: a program that is pasted into a project must not be what fails there.
COMPILER_OPTIONS: Final = {
    "target": "es2022",
    "module": "commonjs",
    "moduleResolution": "node10",
    "ignoreDeprecations": "6.0",
    "rootDir": ".",
    "outDir": "compiled",
    "types": ["node"],
    "strict": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "skipLibCheck": True,
    "incremental": False,
}


def node(tools: Tools) -> str:
    """The executable of node.  Ends the test where it, or what ``npm ci`` installs, is not there."""
    found = tools.on_path("node")
    if not (MODULES / "typescript").is_dir():
        could_not_check("node modules", "run `make test-iac`, which installs them with npm")
    return found


def module_version(name: str) -> str:
    """The version of a package of npm that is installed."""
    return str(json.loads((MODULES / name / "package.json").read_text("utf-8"))["version"])


def compiled(node_path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Compile all TypeScript in ``folder`` into ``folder/compiled``."""
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(MODULES, target_is_directory=True)
    (folder / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": COMPILER_OPTIONS, "include": ["*.ts"]}), "utf-8"
    )
    return run(node_path, MODULES / "typescript" / "bin" / "tsc", "--project", ".", folder=folder)


def unformatted(node_path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What prettier would write otherwise, with its own settings."""
    files = sorted(each.name for each in folder.glob("*.ts"))
    return run(node_path, MODULES / "prettier" / "bin" / "prettier.cjs", "--list-different", *files, folder=folder)


def run(node_path: str, *words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program with node in ``folder``."""
    # The declarations of Pulumi's AWS provider are more than node's usual share of memory.
    command = [node_path, "--max-old-space-size=4096", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
