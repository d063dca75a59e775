"""The options of ``mantle-iam audit``, under the headings of its help, and the list below them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from mantle_iam.cli.headings import options

F = TypeVar("F", bound=Callable[..., Any])
Declared = tuple[tuple[str, ...], dict[str, Any]]

_AUTHS: Final = ("sigv4", "short-term-key", "long-term-key")
_LEVELS: Final = ("error", "warning", "info", "never")


def _one(*names: str, metavar: str, help: str, **more: Any) -> Declared:  # noqa: A002 - click's word
    return names, {"metavar": metavar, "help": help, **more}


def _many(*names: str, metavar: str, help: str) -> Declared:  # noqa: A002
    return names, {"metavar": metavar, "help": help, "multiple": True}


def _flag(*names: str, help: str) -> Declared:  # noqa: A002
    return names, {"is_flag": True, "help": help}


_READ: Final = (
    _many("--plan", "plans", metavar="FILE", help="Terraform plan JSON; the same as a PATH."),
    _many("--scp", metavar="PATH", help="Service control policies: a document, or a folder as the tree."),
    _many("--rcp", metavar="PATH", help="The same for resource control policies."),
    _many(
        "--parameter",
        metavar="NAME=VALUE",
        help="Template parameter or Terraform variable; @FILE for CloudFormation's files of parameters.",
    ),
)
_LIVE: Final = (
    _flag("--live", help="Read the account of the AWS credentials."),
    _one("--profile", metavar="NAME", help="Profile of the AWS configuration."),
    _many("--role-arn", metavar="ARN", help="Read the account of this role."),
    _one("--role-name", metavar="NAME", help="Read every account of the organization by its role of this name."),
    _one("--endpoint-url", metavar="URL", help="What stands in for AWS."),
    _one("--save-dir", metavar="DIR", help="Keep what is read there; what is there is not read again."),
    _flag("--needs", help="Print the policy that --live needs, and end."),
)
_ASK: Final = (
    _one("--require", metavar="FILE", help="Requirements (YAML or JSON) that must be met."),
    _many("--principal", metavar="PATTERN", help="Only principals whose ARN matches; * and ? are wildcards."),
    _many("--capability", metavar="NAME", help="Only this capability; see the list below."),
    _many("--action", metavar="ACTION", help="Ask about an action, service:Name."),
    _many("--model", metavar="ID", help="Model that is called; without it any, which may matter."),
    _many("--project", metavar="ID", help="Project (id or ARN). Default: project/default."),
    _many("--region", metavar="REGION", help="Region. Default: one stands for all."),
    (
        ("--auth",),
        {
            "type": click.Choice(_AUTHS),
            "metavar": "METHOD",
            "multiple": True,
            "help": "sigv4, short-term-key or long-term-key, for every capability.",
        },
    ),
    _many("--context", metavar="KEY=VALUE", help="Context key that every call has; others are unknown."),
)
_FINDINGS: Final = (
    _flag("--no-findings", help="Do not ask the rules of mantle-iam lint."),
    _many("--select", metavar="RULE", help="Ask only this rule (or a pattern with *, or all); also with commas."),
    _many("--ignore", metavar="RULE", help="Do not ask this rule; also with commas."),
    _one(
        "--config",
        metavar="FILE",
        help="Suppressions with their reasons. Default: mantle-iam-lint.toml in the working directory.",
    ),
    (
        ("--fail-on",),
        {
            "type": click.Choice(_LEVELS),
            "default": "never",
            "show_default": True,
            "help": "The least severity that makes the exit code 1.",
        },
    ),
)
_RUN: Final = (
    (
        ("--workers",),
        {"type": click.IntRange(1, 256), "default": 1, "show_default": True, "help": "Processes."},
    ),
    (
        ("--engine",),
        {
            "type": click.Choice(["processes", "dask", "ray"]),
            "default": "processes",
            "show_default": True,
            "help": "Who works.",
        },
    ),
    _one("--scheduler", metavar="URL", default="", help="Of dask or ray: tcp://HOST:8786, ray://HOST:10001."),
    _one("--resume", metavar="FILE", help="Journal of finished accounts: written, and taken up again."),
)
_PARQUET: Final = (_one("--parquet", metavar="FILE", help="Write the matrix to this Parquet file, too."),)


def audit_options(function: F) -> F:
    """Every option of the command but those that other commands have too."""
    headed = (
        ("What is read (may be repeated)", _READ),
        ("With --live (--role-arn may be repeated)", _LIVE),
        ("What is asked (all but --require may be repeated)", _ASK),
        ("Findings, as of mantle-iam lint", _FINDINGS),
        ("How it is run", _RUN),
        ("Other options", _PARQUET),
    )
    for heading, declared in reversed(headed):
        function = options(heading, declared)(function)
    return function


def below_options() -> str:
    """The capabilities, as the help lists them."""
    from mantle_iam.audit.capabilities import CAPABILITIES

    width = max(len(one.name) for one in CAPABILITIES)
    return "\n".join(["\b", "Capabilities:", *(f"  {one.name:<{width}}  {one.title}" for one in CAPABILITIES)])
