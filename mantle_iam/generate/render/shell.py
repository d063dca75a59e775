"""The AWS command line interface: a script for bash, version 3.2 (macOS) or newer.

Names and values are given as ``--option=value``, since one may begin with ``-``; documents come from quoted here-documents.

Sources: https://awscli.amazonaws.com/v2/documentation/api/latest/reference/iam/index.html,
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-returncodes.html
"""

from __future__ import annotations

from mantle_iam.generate.render.engine import Format
from mantle_iam.generate.render.literals import compact_json, shell_argument, visible_json
from mantle_iam.generate.render.program import program

CLI = Format(
    program("cli", ".sh.j2", {"word": shell_argument, "json": visible_json, "compact_json": compact_json}),
)
