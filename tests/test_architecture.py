"""What import contracts and linters do not see: purity, sizes, docstrings, slow imports, and what must not be in the repository.

The import order itself is import-linter's (``pyproject.toml``).
"""

from __future__ import annotations

import ast
import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mantle_iam"
PURE = ("iam", "mantle", "diagnose", "generate", "audit", "report")
MODULES = sorted(PACKAGE.rglob("*.py"))
PURE_MODULES = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in PURE]

LONGEST_FILE = 450
LONGEST_FUNCTION = 80
# Files that are mostly a table of data.  A file is named here with its reason, or it is too long.
TABLES: dict[str, str] = {}

_MODULES_OF_THE_WORLD = {
    *(
        "os",
        "time",
        "random",
        "secrets",
        "uuid",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "shutil",
        "threading",
        "logging",
    ),
    *("httpx", "boto3", "botocore", "click", "urllib.request", "http.client", "getpass", "platform", "locale"),
}
_CLOCKS = {"now", "utcnow", "today"}
_PATTERN_MAKERS = {"compile", "match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), _name(path))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", PURE_MODULES, ids=_name)
def test_pure_floors_touch_no_clock_chance_environment_or_file(path: Path) -> None:
    tree = _tree(path)
    wrong = sorted(_MODULES_OF_THE_WORLD & set(_imports(tree)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CLOCKS:
            owner = ast.unparse(node.func.value)
            if owner.rpartition(".")[2] in {"datetime", "date"}:
                wrong.append(f"{owner}.{node.func.attr} (line {node.lineno})")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"open", "print", "input"}
        ):
            wrong.append(f"{node.func.id}() (line {node.lineno})")
    assert wrong == [], f"{_name(path)} belongs to a pure floor: what it needs of the world comes as an argument"


def _fixed(tree: ast.Module) -> set[str]:
    """Names that no input can reach: what the module assigns at its top, and loop variables over that."""
    found = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.comprehension)]
    over = {node.target.id for node in loops if isinstance(node.target, ast.Name) and _names(node.iter) <= found}
    return found | over


def _names(node: ast.AST) -> set[str]:
    """Names in ``node``, but not in an index: what a fixed table holds is fixed, whatever it is asked for."""
    if isinstance(node, ast.Name):
        return {node.id}
    inner = [node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node)
    return {name for each in inner for name in _names(each)}


def _patterns(tree: ast.Module) -> Iterator[ast.expr]:
    """Every expression that becomes a pattern.  Where a private function hands its parameter on, what its callers give it."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    outer = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    # Functions one of whose parameters becomes a pattern, and which one: found until there are no more.
    shared = _shared_makers()
    makers = {name: shared[name] for name in _imported(tree) & set(shared)}
    while True:
        open_ends: list[ast.expr] = []
        found = dict(makers)
        for scope in (tree, *functions):
            parameters = [] if isinstance(scope, ast.Module) else [argument.arg for argument in scope.args.args]
            for pattern in (made for node in _own_nodes(scope) if (made := _pattern_of(node, makers)) is not None):
                name = "" if isinstance(scope, ast.Module) else scope.name
                private = name.startswith("_") or name in shared or (name not in outer and parameters[:1] != ["self"])
                handed = [parameter for parameter in parameters if parameter in _names(pattern)]
                if private and len(handed) == 1 and _names(pattern) <= {*handed, *_fixed(tree)}:
                    found[name] = parameters.index(handed[0])
                else:
                    open_ends.append(pattern)
        if found == makers:
            yield from open_ends
            return
        makers = found


def _imported(tree: ast.Module) -> set[str]:
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}


@cache
def _shared_makers() -> dict[str, int]:
    """Public functions that do nothing but compile their parameter, so that whoever imports them is judged."""
    found: dict[str, int] = {}
    for node in (each for path in PURE_MODULES for each in _tree(path).body):
        match node:
            case ast.FunctionDef(
                name=name, args=ast.arguments(args=[only]), body=[*_, ast.Return(value=ast.Call() as call)]
            ):
                pattern = _pattern_of(call, {})
                if isinstance(pattern, ast.Name) and pattern.id == only.arg and not name.startswith("_"):
                    found[name] = 0
            case _:
                pass
    return found


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


def _pattern_of(node: ast.AST, makers: dict[str, int]) -> ast.expr | None:
    """What ``node`` makes a pattern of, if it is a call that does."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name), args=[first, *_]) if (
            name in _PATTERN_MAKERS
        ):
            return first
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in makers and makers[name] < len(arguments):
            return arguments[makers[name]]
        case _:
            return None


@pytest.mark.parametrize("path", PURE_MODULES, ids=_name)
def test_no_regular_expression_is_built_from_input(path: Path) -> None:
    tree = _tree(path)
    fixed = _fixed(tree)
    for pattern in _patterns(tree):
        assert _names(pattern) <= fixed, f"{_name(path)}:{pattern.lineno}: a pattern from {ast.unparse(pattern)}"


def test_the_pattern_check_sees_what_it_should() -> None:
    tree = ast.parse(
        "import re\n"
        "A = re.compile('x')\n"
        "def _lazy(p):\n    return re.compile(p)\n"
        "def _find(text, p):\n    return _lazy(p).search(text)\n"
        "def outer():\n    def inner(tag):\n        return re.compile(f'<{tag}>')\n    return inner('a')\n"
        "def use(given):\n    _lazy(A[1:])\n    _find('x', given)\n    _find(given, 'x')\n    re.search(f'{given}', 'x')\n"
        "    return [_lazy(row.p) for row in A] + [_lazy(line.p) for line in given]\n"
        "class C:\n    def m(self, q):\n        return re.match(q, 'x')\n"
    )
    wrong = sorted(ast.unparse(pattern) for pattern in _patterns(tree) if not _names(pattern) <= _fixed(tree))
    assert wrong == ["f'{given}'", "given", "line.p", "q"]


@pytest.mark.parametrize("path", [path for path in MODULES if path.stat().st_size], ids=_name)
def test_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(_tree(path))
    assert docstring, f"{_name(path)} has no docstring: what does it decide, what must it not know, where is it from?"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_sizes(path: Path) -> None:
    lines = path.read_text("utf-8").count("\n")
    assert lines <= LONGEST_FILE or _name(path) in TABLES, f"{_name(path)} has {lines} lines"
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{_name(path)}:{node.lineno} {node.name} has {length} lines"


def test_the_list_of_tables_has_nothing_that_need_not_be_there() -> None:
    for name, reason in TABLES.items():
        assert (ROOT / name).read_text("utf-8").count("\n") > LONGEST_FILE, f"{name} is short enough by now"
        assert reason


def test_one_module_knows_the_http_client() -> None:
    """docs/adr/0002: replacing the client is an edit of one file."""
    users = [_name(path) for path in MODULES if any(name.split(".")[0] == "httpx" for name in _imports(_tree(path)))]
    assert users == ["mantle_iam/probe/client.py"]


def test_ci_runs_all_checks() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, ".ci/run is not executable"
    assert "\nmake test" in script.read_text("utf-8")
    subprocess.run(["bash", "-n", script], check=True)


def test_public_functions_of_the_package_have_docstrings() -> None:
    bare = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in _tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert bare == []


_REFUSAL = (
    '{"error":{"code":"access_denied","message":"User: arn:aws:iam::111122223333:user/a is not authorized to perform: '
    "bedrock-mantle:ListModels on resource: arn:aws:bedrock-mantle:us-east-1:111122223333:project/default because no "
    'identity-based policy allows the bedrock-mantle:ListModels action","type":"permission_denied_error"}}'
)
_HEAVY = ("boto3", "botocore", "httpx", "jsonschema", "moto", "starlette", "uvicorn", "rich")
_OFFLINE = {
    "--help": (["--help"], "", (0,)),
    "probe --help": (["probe", "--help"], "", (0,)),
    "explain": (["explain", "-"], _REFUSAL, (1,)),
    "key inspect": (
        ["key", "inspect", "--api-key-stdin"],
        "ABSK" + base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + bytes(32)).decode(),
        (0,),
    ),
    "generate": (["generate", "--for", "inference", "--auth", "long-term-key"], "", (0,)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", _OFFLINE)
def test_offline_commands_import_nothing_heavy(name: str) -> None:
    arguments, given, codes = _OFFLINE[name]
    heavy = _HEAVY if name == "generate" else (*_HEAVY, "jinja2")
    script = (
        "import sys\n"
        "from mantle_iam.cli.main import run\n"
        f"code = run({arguments!r})\n"
        f"print([name for name in {heavy!r} if name in sys.modules], code, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=given, capture_output=True, text=True, check=True)
    loaded, _, code = done.stderr.strip().splitlines()[-1].rpartition(" ")
    assert int(code) in codes, done.stdout + done.stderr
    assert loaded == "[]"


@cache
def _tracked() -> tuple[Path, ...]:
    """Every file of the repository, those that are not committed yet as well."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: " + listed.stderr.strip())
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _tracked():
        yield path, path.read_bytes().decode("utf-8", errors="replace")


# Put together here, so that this file does not hold them.
_MACHINE = tuple(
    "".join(parts)
    for parts in (("/wo", "rk/"), ("/ro", "ot/"), ("../sha", "red"), ("/opt/whe", "els"), ("/tmp/br", "ief"))
)


def test_no_file_names_a_path_of_the_machine_that_it_was_made_on() -> None:
    found = [f"{path.relative_to(ROOT)}: {mark}" for path, text in _texts() for mark in _MACHINE if mark in text]
    assert found == []


_KEYS = (
    re.compile(r"ABSK[A-Za-z0-9+/]{60,}={0,2}"),
    re.compile(r"bedrock-api-key-[A-Za-z0-9+/_-]{60,}"),
    re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)(?!([A-Z0-9])\1{15})[A-Z0-9]{16}(?![A-Za-z0-9])"),
    re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n"),
)


def test_no_file_holds_what_looks_like_a_key() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()[:24]}…"
        for path, text in _texts()
        for key in _KEYS
        for match in key.finditer(text)
    ]
    assert found == [], "mint or synthesise keys when the test runs"


def test_the_check_for_keys_sees_one() -> None:
    assert _KEYS[0].search("ABSK" + base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + bytes(40)).decode())
    assert _KEYS[2].search("id AKIA" + "QX" * 8)
    assert not _KEYS[2].search("AKIAIOSFODNN7EXAMPLE")


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports test files by their bare name; two of one name would hide each other."""
    seen: dict[str, Path] = {}
    for path in sorted(path for path in _tracked() if path.suffix == ".py" and (ROOT / "tests") in path.parents):
        if path.name in {"conftest.py", "__init__.py"} or (path.parent / "__init__.py").exists():
            continue
        assert path.name not in seen, f"{path.relative_to(ROOT)} and {seen[path.name].relative_to(ROOT)}"
        seen[path.name] = path
