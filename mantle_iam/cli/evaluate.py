"""``mantle-iam evaluate``: authorization requests as JSON lines in, decisions as JSON lines out."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import click

from mantle_iam.cli.common import MAX_INPUT_BYTES
from mantle_iam.errors import InputError
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.near_miss import deny_reasons, near_misses
from mantle_iam.iam.request_json import (
    Question,
    QuestionError,
    near_miss_object,
    problem_objects,
    read_question,
    reference_object,
    result_object,
    write_answer,
)


@click.command("evaluate")
@click.argument("file", default="-", metavar="[FILE|-]")
@click.option(
    "--explain",
    is_flag=True,
    help="Add missing_context, undecided statements, near misses and what a Deny was met by.",
)
def command(file: str, explain: bool) -> int:
    """Evaluate authorization requests as AWS would: JSON lines in, JSON lines out.

    \b
    In, one object a line:
      {"id", "principal": ARN, "action", "resource": ARN | [ARN, ...] | "*",
       "resource_account", "context": {key: value | [values]},
       "policies": {"identity": [doc, ...], "permissions-boundary": [doc, ...],
                    "session": [doc, ...], "scp": [[doc, ...] per level, root first],
                    "rcp": [[doc, ...] per level], "vpc-endpoint": [doc, ...],
                    "resource": [doc, ...]},
       "unknown": {"context": [key, ...], "layers": [type, ...]},
       "issuer": ARN of the role or user behind a session,
       "management_account": account id}
    Out, one object a line, in the same order:
      {"id", "decision": "allowed|explicitDeny|implicitDeny|unknown",
       "withheld_by": [type, ...],
       "determining": [{"policy_type", "document", "statement", "sid"}, ...],
       "depends_on": [key or type, ...]}
      {"id", "error"} for a line that cannot be evaluated; the others go on.

    A layer left out is not in force. A document is an object or its JSON text. A list as a context value
    makes the key multi-valued. aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:username,
    aws:ResourceAccount follow from principal and resource unless given; aws:RequestedRegion counts as
    unknown on bedrock-mantle actions unless given, since it is disputed whether the service sends it.
    Fields that are not known are evaluated without, and named in "ignored"; an unknown layer is an error.
    What a document holds beyond the policy language is named in "problems".

    Exit codes: 0 every line was evaluated, 2 a line could not be (or the file not be read).
    """
    failed = False
    with _opened(file) as source:
        flush = not stat.S_ISREG(os.fstat(source.fileno()).st_mode) if _has_descriptor(source) else True
        write = sys.stdout.write
        for number, line in _lines(source):
            answer, good = _answer(number, line, explain)
            failed = failed or not good
            write(answer + "\n")
            if flush:
                sys.stdout.flush()
    sys.stdout.flush()
    return 2 if failed else 0


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        if sys.stdin is None:
            raise InputError("cannot read standard input: it is closed")
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise InputError(f"cannot read `{file}`: {(error.strerror or str(error)).lower()}") from None


def _has_descriptor(source: BinaryIO) -> bool:
    try:
        source.fileno()
    except OSError:
        return False
    return True


def _lines(source: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Each line that is not blank with its number, without its end; ``None`` for one that is too long to be read."""
    number = 0
    while line := _read(source):
        number += 1
        if len(line) > MAX_INPUT_BYTES:
            while line and not line.endswith(b"\n"):
                line = _read(source)
            yield number, None
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, line


def _read(source: BinaryIO) -> bytes:
    try:
        return source.readline(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the input: {(error.strerror or str(error)).lower()}") from None


def _answer(number: int, line: bytes | None, explain: bool) -> tuple[str, bool]:
    """The line to print, and whether it is a decision."""
    if line is None:
        return _error(number, f"longer than {MAX_INPUT_BYTES // 1024 // 1024} MiB"), False
    id_: Any = None
    try:
        question = read_question(line.decode("utf-8"))
        id_ = question.id
        return write_answer(id_, _fields(question, explain)), True
    except UnicodeDecodeError as error:
        message = f"not UTF-8: byte {error.start + 1} of the line cannot be read"
    except RecursionError:
        message = "nested too deeply"
    except QuestionError as error:
        id_, message = error.id, error.message
    except InputError as error:
        message = error.message
    return _error(number, message, id_), False


def _error(number: int, message: str, id_: Any = None) -> str:
    fields = {"error": f"line {number}: {message}"}
    try:
        return write_answer(id_, fields)
    except RecursionError:  # the id itself is what is nested too deeply
        return write_answer(None, fields)


def _fields(question: Question, explain: bool) -> dict[str, Any]:
    request, policies = question.request, question.policies
    result = evaluate(request, policies)
    fields = result_object(result)
    if question.ignored:
        fields["ignored"] = list(question.ignored)
    if problems := problem_objects(policies):
        fields["problems"] = problems
    if explain:
        fields["missing_context"] = list(result.missing_context)
        fields["undecided"] = [reference_object(ref) for ref in result.undecided]
        fields["near_misses"] = [near_miss_object(miss) for miss in near_misses(request, policies)]
        fields["denied_because"] = [near_miss_object(reason) for reason in deny_reasons(request, policies)]
    return fields
