"""The prose of every diagnosis code: how it looks, why it happens, what to do.  Writes ``docs/diagnoses.md``.

A table of texts; what a code means, its family and its references are in ``diagnose/codes.py``.  Wordings of the service are
quoted as they were seen; where something was inferred, the text says so.
"""

from __future__ import annotations

from typing import Any

from mantle_iam.diagnose.codes import CODES, Code, code_info
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.handbook_pages import PAGES, Page
from mantle_iam.report.layout import facts, paragraph

_HEAD = """# Diagnoses

Every cause that mantle-iam names, with its code. A code never changes its meaning; codes may be added. `mantle-iam explain CODE`
prints the same text. This page is written from `mantle_iam/diagnose/codes.py` and `mantle_iam/report/handbook_pages.py` by
`make goldens`.

## Confidence

| word | what it takes |
|---|---|
| `conclusive` | the service's own sentence names the cause, or two independent observations agree and nothing else fits |
| `likely` | one observation, or an inference is involved; the diagnosis says what would make it conclusive |
| `inconclusive` | several causes remain, and what may be tried is used up; the diagnosis lists what would decide |

A refusal whose text is hidden (a bare 403, a gateway's "temporarily unavailable") is never better than `likely`.

## Families

"""


def page(code: str) -> Page:
    """The prose of ``code``.  Raises ``KeyError`` for a word that is not in the vocabulary."""
    return PAGES[code]


def markdown() -> str:
    """The whole of ``docs/diagnoses.md``."""
    families = dict.fromkeys(code.family for code in CODES)
    parts = [_HEAD]
    for family in families:
        names = ", ".join(f"[`{code.code}`](#{code.anchor})" for code in CODES if code.family is family)
        parts.append(f"- **{family.value}**: {names}\n")
    parts += [_section(code) for code in CODES]
    return "".join(parts)


def _section(code: Code) -> str:
    prose = page(code.code)
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(prose.do, 1))
    references = "\n".join(f"- <{reference}>" for reference in code.references)
    return (
        f"\n## {code.anchor}\n\n{_sentence(code.meaning)}\n\n"
        f"**How it looks.** {prose.looks}\n\n**Why.** {prose.why}\n\n**What to do.**\n\n{steps}\n\n"
        f"**References.**\n\n{references}\n"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def code_text(code: str, *, width: int, ansi: Ansi = PLAIN) -> str:
    """The section of ``code`` for a terminal."""
    info, prose = code_info(code), page(code)
    lines = [ansi.paint(f"{info.code}", Style.BOLD) + ansi.paint(f"  ({info.family.value})", Style.DIM)]
    lines += paragraph(_sentence(info.meaning), width, indent=2)
    rows = [("looks", _plain(prose.looks)), ("why", _plain(prose.why))]
    rows += [("do" if number == 0 else "", _plain(step)) for number, step in enumerate(prose.do)]
    rows += [("reference" if number == 0 else "", url) for number, url in enumerate(info.references)]
    return "\n".join([*lines, "", *facts(rows, width=width, ansi=ansi)]) + "\n"


def _plain(text: str) -> str:
    """Without the marks of Markdown."""
    return text.replace("`", "")


def code_document(code: str) -> dict[str, Any]:
    """The section of ``code`` as JSON values."""
    info, prose = code_info(code), page(code)
    return {
        "code": info.code,
        "family": info.family.value,
        "meaning": info.meaning,
        "looks": prose.looks,
        "why": prose.why,
        "do": list(prose.do),
        "references": list(info.references),
    }
