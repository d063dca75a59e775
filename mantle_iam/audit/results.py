"""What the audit of an account gives, and its JSON: what workers send back, a journal keeps and the report shows.

Reader and writer of one format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mantle_iam.audit.requirements import RuleResult

SCHEMA_VERSION: Final = "1"


class Answer(StrEnum):
    """The answer in a cell."""

    YES = "yes"
    NO = "no"
    DEPENDS = "depends"


LETTERS: Final = {Answer.YES: "y", Answer.NO: "n", Answer.DEPENDS: "?"}
ELSEWHERE: Final = "*"
"""The letter of a ``no`` where policies speak of other places."""
ANSWERS: Final = {**{letter: answer for answer, letter in LETTERS.items()}, ELSEWHERE: Answer.NO}


@dataclass(frozen=True, slots=True)
class Shape:
    """The answers that some principals of an account have in common."""

    answers: str
    """A letter for each cell of the matrix."""
    body: str
    """JSON text of the members ``capabilities`` and ``permissions``, without braces."""


@dataclass(frozen=True, slots=True)
class AccountResult:
    """What an account's audit gives."""

    account: str
    partition: str
    shapes: tuple[Shape, ...] = ()
    rows: tuple[tuple[str, int], ...] = ()
    """ARN and index of the shape, in the account's order."""
    rules: tuple[RuleResult, ...] = ()
    problems: tuple[str, ...] = ()


def result_object(result: AccountResult) -> dict[str, Any]:
    """``result`` as JSON; ``read_result`` takes it back."""
    return {
        "account": result.account,
        "partition": result.partition,
        "shapes": [[shape.answers, shape.body] for shape in result.shapes],
        "rows": [list(row) for row in result.rows],
        "rules": [rule.to_object() for rule in result.rules],
        "problems": list(result.problems),
    }


def read_result(value: Mapping[str, Any]) -> AccountResult:
    """An account's result from what ``result_object`` made.  Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
    return AccountResult(
        str(value["account"]),
        str(value["partition"]),
        tuple(Shape(str(answers), str(body)) for answers, body in value["shapes"]),
        tuple((str(arn), int(shape)) for arn, shape in value["rows"]),
        tuple(RuleResult.from_object(rule) for rule in value["rules"]),
        tuple(str(problem) for problem in value["problems"]),
    )


def principal_json(arn: str, account: str, shape: Shape) -> str:
    """One principal of the report as a JSON object on one line."""
    return f'{{"arn": {json.dumps(arn)}, "account": {json.dumps(account)}, {shape.body}}}'
