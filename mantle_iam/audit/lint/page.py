"""The page of rules, ``docs/rules.md``, written from the records alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.audit.lint import suppressions
from mantle_iam.audit.lint.registry import FAMILIES, PRINCIPAL_RULES
from mantle_iam.audit.lint.rule import EVERY, Rule

_HEAD: Final = """\
# Rules of `mantle-iam lint`

Every rule, with its id. An id never changes its meaning; rules may be added. This page is written from the records in
`mantle_iam/audit/lint/` by `make goldens`; `mantle-iam lint --list-rules` prints the list.

Severity says what it costs where it is true: `error` does not do what it says, or opens what it should close; `warning` should be
looked at; `info` is good to know. Confidence says how sure a finding is: `high` follows from AWS's documentation and the document
alone; `medium` rests on observation, or on what is not in the document; `low` on an inference, or on reports that conflict. A
finding may be milder than its rule. Known from: DOC, AWS's documentation; OBS, real logs; INF, an inference.

## Letting a finding be

In Terraform and YAML by a comment on the line, or on the one before it (before a block with braces: for all of it); in Terraform
`//` and `/* … */` do as well:

    # mantle-iam: ignore full-access break-glass role, reviewed every quarter

For JSON by an entry in `mantle-iam-lint.toml`, in the working directory or given by `--config`:

    [[ignore]]
    rule = "full-access"
    path = "policies/admin.json"
    statement = "AdminAll"
    reason = "break-glass role, reviewed every quarter"

`path` is a pattern, or the end of a path; `statement` is a Sid or an index from 0; `principal` is a pattern of an ARN. `rule` and
`reason` are needed, the others are not.

Which rules are asked at all is said by `--select` and `--ignore`: ids, patterns of ids with `*` (`--select 'suppression-*'`),
or `all`.
"""


def rules_page() -> str:
    """The whole page."""
    sections = tuple(families())
    lines = [_HEAD]
    for title, rules in sections:
        lines.append(
            f"## {title}\n\n" + "\n".join(f"- [`{rule.id}`](#{rule.id}): {rule.title}" for rule in rules) + "\n"
        )
    lines += [_section(rule) for _, rules in sections for rule in rules]
    return "\n".join(lines)


def families() -> Iterator[tuple[str, tuple[Rule, ...]]]:
    """Titles and rules."""
    seen: set[str] = set()
    groups = [
        *((title, tuple(each.rule for each in family)) for title, family in FAMILIES),
        ("Keys and their users", tuple(each.rule for each in PRINCIPAL_RULES)),
        ("Suppressions", suppressions.RULES),
    ]
    for title, rules in groups:
        fresh = tuple(rule for rule in rules if rule.id not in seen)
        seen.update(rule.id for rule in fresh)
        yield title, fresh


def _section(rule: Rule) -> str:
    kinds = (
        "every kind"
        if rule.purposes == EVERY
        else ", ".join(rule.purposes) or "none: it is about principals or suppressions"
    )
    reference = f"<{rule.reference}>" if rule.reference.startswith("https://") else f"`{rule.reference}`"
    return f"""\
### {rule.id}

{rule.title}.

| severity | confidence | kinds of document | known from |
|---|---|---|---|
| {rule.severity} | {rule.confidence} | {kinds} | {rule.source} |

**What it does.** {rule.what}

**Why it matters.** {rule.why}

**Example.** {_code(rule.bad)}

**Instead.** {_code(rule.instead)}

**Reference.** {reference}
"""


def _code(text: str) -> str:
    """JSON as code; prose that has code in it, or none, as it is."""
    if "`" in text or '"' not in text:
        return text
    before, mark, rest = text.partition('"')
    return f"{before}`{mark}{rest}`"
