"""``mantle-iam explain``: what a pasted error means, offline."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mantle_iam.cli.common import color_option, output_option, print_json, read_text, use_color
from mantle_iam.cli.show import print_result, print_text, text_width
from mantle_iam.diagnose.codes import is_code
from mantle_iam.report.ansi import Ansi
from mantle_iam.report.result import exit_code

EPILOG = """\b
Examples:
  pbpaste | mantle-iam explain
  mantle-iam explain error.log
  curl -i ... | mantle-iam explain --output json
  mantle-iam explain missing-permission

Exit codes: 0 allowed, 1 a refusal was diagnosed, 2 wrong usage, 3 could not find out.
"""


@click.command("explain", epilog=EPILOG)
@click.argument("file", metavar="[FILE|-|CODE]", default="-")
@click.option("--region", metavar="REGION", help="AWS Region that the call was made to, where the text does not say.")
@click.option("--no-policy", is_flag=True, help="Diagnose only; write no policy.")
@output_option("text", "json")
@color_option
def command(file: str, region: str | None, no_policy: bool, output: str, color: str) -> int:
    """Find out what a pasted error means: the cause, the evidence, and the policy that ends it.

    Reads FILE, or standard input: the output of curl -i, an SDK's traceback, log lines, a JSON body, a CloudTrail record,
    status text of AgentCore or CloudFormation.  Nothing is sent anywhere.

    With a CODE of the diagnoses (missing-permission ...) instead of a file, prints what that code means.
    """
    if is_code(file) and not Path(file).exists():
        return _print_code(file, output, color)
    if file == "-" and sys.stdin.isatty():
        click.echo("paste the error, then press Ctrl-D on a line of its own:", err=True)
    text = read_text(file)
    # Imported here, so that --help stays quick.
    from mantle_iam.workflow.explain import ExplainOptions, explain

    result = explain(text, ExplainOptions(region=region, with_fix=not no_policy))
    print_result(result, output, color)
    return exit_code(diagnosis for _, diagnosis in result.diagnoses())


def _print_code(code: str, output: str, color: str) -> int:
    from mantle_iam.report.handbook import code_document, code_text

    if output == "json":
        print_json(code_document(code))
    else:
        print_text(code_text(code, width=text_width(), ansi=Ansi(use_color(color))), color)
    return 0
