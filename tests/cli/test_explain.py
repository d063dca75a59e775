"""``mantle-iam explain`` as a command: input of every kind, exit codes, and what it must not import."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mantle_iam.cli.main import run
from mantle_iam.cli.show import text_width

PASTES = Path(__file__).parent.parent / "workflow" / "pastes"


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["explain", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("paste", "code"),
    [
        ("02-curl-list-models-403.txt", 1),
        ("06-scp-explicit.txt", 1),
        ("07-berm.txt", 1),
        ("18-success.txt", 0),
        ("20-no-error.txt", 3),
    ],
)
def test_exit_codes(capsys: pytest.CaptureFixture[str], paste: str, code: int) -> None:
    assert explain(capsys, str(PASTES / paste))[0] == code


def test_json_is_one_document_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = explain(capsys, str(PASTES / "02-curl-list-models-403.txt"), "--output", "json")
    made = json.loads(out)
    assert (code, err) == (1, "")
    assert made["diagnoses"][0]["code"] == "missing-permission"
    assert made["diagnoses"][0]["actions"] == ["bedrock-mantle:ListModels"]
    assert made["fix"]["policy"]["Statement"]


def test_no_policy(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = explain(capsys, str(PASTES / "02-curl-list-models-403.txt"), "--no-policy")
    assert "missing-permission" in out
    assert "Statement" not in out


def test_the_region_option_counts_where_the_text_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = explain(capsys, str(PASTES / "01-article-traceback.txt"), "--region", "eu-west-1", "-o", "json")
    assert json.loads(out)["diagnoses"][0]["region"] == "eu-west-1"


def test_colour_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    paste = str(PASTES / "02-curl-list-models-403.txt")
    assert "\x1b[" not in explain(capsys, paste)[1]
    assert "\x1b[" in explain(capsys, paste, "--color", "always")[1]
    assert "\x1b[" not in explain(capsys, paste, "--no-color")[1]


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_standard_input_and_the_hint_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (PASTES / "07-berm.txt").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, out, err = explain(capsys)
    assert (code, err) == (1, "")
    assert "wrong-base-path" in out
    monkeypatch.setattr(sys, "stdin", _Terminal(io.BytesIO(data)))
    code, _, err = explain(capsys)
    assert code == 1
    assert "Ctrl-D" in err


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the input is empty"),
        (b" \r\n ", "the input is empty"),
        (bytes(range(256)) * 20, "binary"),
        (b"\x00" * 100, "binary"),
    ],
)
def test_unusable_files(capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "paste"
    path.write_bytes(data)
    code, out, err = explain(capsys, str(path))
    assert (code, out) == (2, "")
    assert words in err.splitlines()[0]
    assert "Traceback" not in err


def test_missing_file_directory_and_huge_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    huge = tmp_path / "huge.log"
    with huge.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    for path, words in ((tmp_path / "none", "no such file"), (tmp_path, "directory"), (huge, "larger than 16 MiB")):
        code, out, err = explain(capsys, str(path))
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert words in err
        assert len(err.splitlines()) <= 2


def test_text_that_is_not_utf8(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for encoding in ("latin-1", "utf-16"):
        path = tmp_path / encoding
        path.write_bytes(("Grüße: " + (PASTES / "02-curl-list-models-403.txt").read_text("utf-8")).encode(encoding))
        code, out, _ = explain(capsys, str(path))
        assert code == 1
        assert "missing-permission" in out


def test_a_secret_in_the_paste_is_not_in_the_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import base64

    secret = "QmFzZTY0U2VjcmV0TWF0ZXJpYWwxMjM0NTY3ODkw" * 2
    key = "ABSK" + base64.b64encode(f"BedrockAPIKey-abcd-at-111122223333:{secret}".encode()).decode()
    path = tmp_path / "paste"
    text = (PASTES / "02-curl-list-models-403.txt").read_text("utf-8").replace("$AWS_BEARER_TOKEN_BEDROCK", key)
    path.write_text(text + f"\n> authorization: Bearer {key}\n", "utf-8")
    for output in ("text", "json"):
        _, out, err = explain(capsys, str(path), "--output", output)
        for piece in (key, key[20:60], secret[:30]):
            assert piece not in out + err


def test_a_code_instead_of_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = explain(capsys, "missing-permission")
    assert code == 0
    assert out.startswith("missing-permission  (authorization)\n")
    assert json.loads(explain(capsys, "throttled", "--output", "json")[1])["code"] == "throttled"
    # A file of that name is meant as a file.
    (tmp_path / "throttled").write_text("", "utf-8")
    assert explain(capsys, "throttled")[0] == 2


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(capsys, "a", "b")[0] == 2
    assert explain(capsys, "--output", "xml", "-")[0] == 2


@pytest.mark.slow
def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys\n"
        "from mantle_iam.cli.main import run\n"
        f"code = run(['explain', {str(PASTES / '02-curl-list-models-403.txt')!r}, '--output', sys.argv[1]])\n"
        "heavy = {'boto3', 'botocore', 'httpx', 'jsonschema', 'jinja2', 'starlette', 'moto', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0 if code == 1 else f'exit code {code}')\n"
    )
    for output in ("text", "json"):
        done = subprocess.run(
            [sys.executable, "-c", program, output], capture_output=True, text=True, env=dict(os.environ), check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("columns", "width"),
    [("", 80), ("72", 72), ("20", 40), ("500", 100), ("0", 80), ("x", 80), ("²", 80), ("9" * 99, 100)],
)
def test_the_width_follows_the_terminal_within_reason(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert text_width() == width
