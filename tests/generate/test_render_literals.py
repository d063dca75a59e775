"""Literals of the programming languages: what their own readers read is what was meant, whatever it is."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.errors import InputError
from mantle_iam.generate.render.literals import (
    PYTHON_WIDTH,
    TYPESCRIPT_WIDTH,
    python_constant,
    python_string,
    python_value,
    shell_argument,
    shell_word,
    typescript_constant,
    typescript_property,
    typescript_string,
    typescript_value,
    visible_json,
)

BASH = shutil.which("bash")
HOSTILE = (
    "",
    "-rf",
    "'",
    '"',
    "'\"'\"",
    "\\",
    "\\'",
    "$(touch x)",
    "`touch x`",
    "${HOME}",
    "${aws:username, 'none'}",
    "!!",
    "*",
    "~",
    "a\nb\r\tc",
    "JSON",
    "\nJSON\n",
    "\x1b[31m\x07\x7f",
    "é😀\u2028\u2029\u202e\ufeff",
    "\x85",
    "*/ //",
    "</script>",
    "{{ x }}{% x %}",
    '"""',
    "\\u0041\\x41\\N{DASH}",
    "%s%n",
    "__proto__",
)
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))
SHELL_TEXTS = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30)
)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


def javascript(literal: str) -> str:
    """What ECMAScript reads in a string literal (section 12.9.4), written down once more, by a reader of characters."""
    quote, position, read = literal[0], 1, []
    assert quote in "'\""
    while literal[position] != quote:
        character = literal[position]
        assert character not in "\n\r\u2028\u2029", "a line end inside of a literal"
        position += 1
        if character != "\\":
            read.append(character)
            continue
        kind = literal[position]
        position += 1
        if kind == "u" and literal[position] == "{":
            end = literal.index("}", position)
            read.append(chr(int(literal[position + 1 : end], 16)))
            position = end + 1
        elif kind in "ux":
            digits = 4 if kind == "u" else 2
            read.append(chr(int(literal[position : position + digits], 16)))
            position += digits
        else:
            read.append({"n": "\n", "r": "\r", "t": "\t"}.get(kind, kind))
    assert position == len(literal) - 1, "something after the literal"
    return "".join(read)


@settings(max_examples=300)
@given(TEXTS)
def test_a_python_string_is_read_as_meant(text: str) -> None:
    literal = python_string(text)
    assert ast.literal_eval(literal) == text
    assert literal.isprintable()


@settings(max_examples=300)
@given(TEXTS)
def test_a_typescript_string_is_read_as_meant(text: str) -> None:
    literal = typescript_string(text)
    assert javascript(literal) == text
    assert literal.isprintable()


@given(VALUES)
def test_a_python_value_is_read_as_meant(value: object) -> None:
    assert ast.literal_eval(python_value(value)) == value


@given(VALUES)
def test_a_python_constant_is_read_as_meant(value: object) -> None:
    read = ast.parse(python_constant(value, "X"))
    (assigned,) = read.body
    assert isinstance(assigned, ast.Assign)
    assert ast.literal_eval(assigned.value) == value


@given(VALUES)
def test_json_that_can_be_seen_is_read_as_meant(value: object) -> None:
    text = visible_json(value)
    assert json.loads(text) == value
    assert text.replace("\n", "").isprintable()
    # So that no line of a document ends the here-document that it is in.
    assert "JSON" not in text.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(BASH is None, reason="no bash on PATH: it was not asked what it reads")
@settings(max_examples=60)
@given(st.lists(SHELL_TEXTS, min_size=1, max_size=20))
def test_bash_reads_a_word_as_meant(texts: list[str]) -> None:
    script = f"printf '%s\\0' {' '.join(map(shell_word, texts))}\n".encode()
    ran = subprocess.run([str(BASH), "--norc", "-s"], input=script, capture_output=True, timeout=60, check=True)
    assert ran.stdout.decode().split("\0")[:-1] == texts
    assert ran.stderr == b""


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_argument_can_hold_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cannot be an argument"):
        shell_word(text)


@pytest.mark.parametrize("text", ["file://x", "fileb://x", "http://x", "https://x"])
def test_what_the_aws_cli_would_read_from_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="place to read from"):
        shell_argument(text)


def test_a_prototype_is_not_set() -> None:
    assert typescript_value({"__proto__": {"a": 1}}) == '{\n  ["__proto__"]: {\n    a: 1,\n  },\n}'


@pytest.mark.parametrize("length", range(1, 130, 3))
def test_lines_break_where_they_can(length: int) -> None:
    text = "a" * length
    for line in (typescript_property(text, "key", 4), typescript_constant(text, "name")):
        first, _, rest = line.partition("\n")
        assert len(first) <= TYPESCRIPT_WIDTH
        # A break is made only where the line would be too long without it.
        assert not rest or len(first) + 1 + len(rest.strip()) > TYPESCRIPT_WIDTH
    lines = python_constant(text, "NAME").splitlines()
    assert len(lines) == 1 or all(len(line) <= PYTHON_WIDTH for line in lines)


def test_other_types_have_no_literal() -> None:
    for write in (python_value, typescript_value):
        with pytest.raises(TypeError, match="no literal for set"):
            write(set())
