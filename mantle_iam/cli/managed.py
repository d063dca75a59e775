"""``mantle-iam managed``: what AWS's managed policies give in Mantle and what not, and which one fits a purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mantle_iam import __version__
from mantle_iam.cli.common import color_option, output_option, print_json, use_color
from mantle_iam.cli.show import print_text, text_width
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.report.ansi import Ansi

if TYPE_CHECKING:
    from mantle_iam.report.managed_records import Difference, ManagedPolicy, Refreshed, Report, VersionEntry

EPILOG = """\b
Examples:
  mantle-iam managed
  mantle-iam managed inference
  mantle-iam managed --for claude-code
  mantle-iam managed limited --versions
  mantle-iam managed inference --diff v1 v5
  mantle-iam managed read-only --document
  mantle-iam managed --refresh --profile work
  mantle-iam managed ReadOnlyAccess --refresh

NAME is a name, an ARN, or one of read-only, inference, full, limited, bedrock-full. With --refresh it may be
any managed policy of the account, also one of your own.

Exit codes: 0 done; 1 no managed policy covers the purpose (--for), or a text of the account differs from ours
(--refresh); 2 wrong usage; 3 could not be read.
"""


@dataclass(frozen=True, slots=True)
class _Shown:
    """How to print."""

    output: str
    color: str

    @property
    def ansi(self) -> Ansi:
        """Whether to paint."""
        return Ansi(use_color(self.color))


@click.command("managed", epilog=EPILOG)
@click.argument("name", required=False)
@click.option("--document", "as_document", is_flag=True, help="Print the policy's document alone.")
@click.option("--version", "version_id", metavar="ID", help="This version of NAME (v4) instead of the newest.")
@click.option("--versions", is_flag=True, help="The known versions of NAME and what each changed.")
@click.option("--diff", nargs=2, metavar="OLD NEW", help="What version NEW of NAME gives beside OLD.")
@click.option(
    "--for",
    "purposes",
    multiple=True,
    metavar="PURPOSE",
    help="Which managed policy covers this purpose of `generate`, and what more it gives; may be repeated.",
)
@click.option(
    "--auth",
    type=click.Choice([method.value for method in AuthMethod]),
    help="With --for: how calls are authenticated. Default: the purpose's usual way.",
)
@click.option("--account", metavar="ID", help="With --for: only in this account.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="REGION",
    help="With --for: only in this region; may be repeated. Else it chooses the partition.",
)
@click.option(
    "--project", "projects", multiple=True, metavar="ID", help="With --for: only this project; may be repeated."
)
@click.option("--model", "models", multiple=True, metavar="ID", help="With --for: only this model; may be repeated.")
@click.option(
    "--marketplace/--no-marketplace",
    default=None,
    help="With --for: with the rights of an account's first call to a model that AWS Marketplace sells.",
)
@click.option("--refresh", is_flag=True, help="Read the text from the account through IAM and compare it with ours.")
@click.option("--profile", metavar="NAME", help="With --refresh: profile of the AWS configuration.")
@click.option("--endpoint-url", metavar="URL", help="With --refresh: another IAM endpoint.")
@output_option("text", "json")
@color_option
def command(
    name: str | None,
    as_document: bool,
    version_id: str | None,
    versions: bool,
    diff: tuple[str, str] | None,
    purposes: tuple[str, ...],
    auth: str | None,
    account: str | None,
    regions: tuple[str, ...],
    projects: tuple[str, ...],
    models: tuple[str, ...],
    marketplace: bool | None,
    refresh: bool,
    profile: str | None,
    endpoint_url: str | None,
    output: str,
    color: str,
) -> int:
    """Say what AWS's managed policies give in Mantle and what not, and which one fits a purpose.

    Without NAME: all of them. Offline, from the texts that ship with this program, unless --refresh is given.
    """
    show = _Shown(output, color)
    narrowing = {"--auth": auth, "--account": account, "--project": projects, "--model": models}
    _check(
        name,
        {"--document": as_document, "--versions": versions, "--diff": bool(diff), "--for": bool(purposes)},
        {"--version": version_id is not None, "--refresh": refresh},
        [option for option, value in narrowing.items() if value]
        + (["--marketplace"] if marketplace is not None else []),
        [option for option, value in {"--profile": profile, "--endpoint-url": endpoint_url}.items() if value],
    )
    if purposes:
        return _advise(name, version_id, purposes, auth, account, regions, projects, models, marketplace, show)
    if refresh:
        return _refresh(name, profile, regions[0] if regions else None, endpoint_url, show, as_document=as_document)
    partition = _partition(regions)
    if name is None:
        _show_list(partition, show)
        return 0
    from mantle_iam.workflow.managed import find_policy

    policy = find_policy(name, version_id, partition)
    partition = policy.arn.split(":", 2)[1]
    if as_document:
        from mantle_iam.iam.grammar import write_policy

        print_json(write_policy(policy.document))
    elif versions:
        _show_versions(policy, partition, show)
    elif diff:
        _show_difference(find_policy(name, diff[0], partition), find_policy(name, diff[1], partition), partition, show)
    else:
        _show_reports([policy], partition, show)
    return 0


def _check(
    name: str | None, modes: dict[str, bool], others: dict[str, bool], narrowing: list[str], of_refresh: list[str]
) -> None:
    """Refuse options that do not go together, rather than leave one without effect."""
    given = [option for option, on in modes.items() if on]
    if len(given) > 1:
        raise InputError(f"{given[0]} and {given[1]} exclude each other")
    needs_name = [option for option in ("--document", "--versions", "--diff") if modes[option]]
    needs_name += ["--version"] if others["--version"] else []
    if needs_name and name is None:
        raise InputError(
            f"{needs_name[0]} needs the name of a policy", help=f"mantle-iam managed inference {needs_name[0]}"
        )
    if others["--version"] and (modes["--versions"] or modes["--diff"] or others["--refresh"]):
        raise InputError("--version goes with a name, --document or --for alone")
    if others["--refresh"] and given and given != ["--document"]:
        raise InputError(
            f"--refresh and {given[0]} exclude each other", help="--refresh NAME tells what the text gives"
        )
    if narrowing and not modes["--for"]:
        raise InputError(f"{narrowing[0]} needs --for", help="it narrows what a purpose asks for")
    if of_refresh and not others["--refresh"]:
        raise InputError(f"{of_refresh[0]} needs --refresh", help="without it nothing is read from an account")


def _partition(regions: tuple[str, ...]) -> str:
    """The partition that ``--region`` names.  Raises ``InputError``: several."""
    from mantle_iam.generate.scoping import checked_scope
    from mantle_iam.mantle.endpoint import partition_of

    found = {partition_of(region) for region in checked_scope(regions=regions).scope.regions}
    if len(found) > 1:
        raise InputError("the regions belong to several partitions", help="a managed policy has another ARN in each")
    return found.pop() if found else "aws"


def _show_list(partition: str, show: _Shown) -> None:
    from mantle_iam.workflow.managed import current_policies, in_partition

    _show_reports([in_partition(policy, partition) for policy in current_policies()], partition, show, as_list=True)


def _preview() -> frozenset[str]:
    from mantle_iam.mantle import catalog

    return frozenset(info.name for info in catalog.actions() if info.preview)


def _show_reports(policies: list[ManagedPolicy], partition: str, show: _Shown, *, as_list: bool = False) -> None:
    from mantle_iam.workflow.managed_reach import counted, report

    reports = [report(policy, partition) for policy in policies]
    if show.output == "json":
        _print(reports=reports)
        return
    from mantle_iam.report import managed as text

    width = text_width()
    if as_list:
        shown = text.render_list(reports, total=counted(), preview=_preview(), width=width, ansi=show.ansi)
    else:
        shown = "\n".join(
            text.render_report(one, total=counted(), preview=_preview(), width=width, ansi=show.ansi) for one in reports
        )
    print_text(shown, show.color)


def _show_versions(policy: ManagedPolicy, partition: str, show: _Shown) -> None:
    from mantle_iam.workflow.managed import versions_of
    from mantle_iam.workflow.managed_reach import history

    entries = history(versions_of(policy.name, partition), partition)
    if show.output == "json":
        _print(entries=entries)
        return
    from mantle_iam.report.managed_changes import render_history

    print_text(render_history(policy.name, entries, width=text_width(), ansi=show.ansi), show.color)


def _show_difference(old: ManagedPolicy, new: ManagedPolicy, partition: str, show: _Shown) -> None:
    from mantle_iam.workflow.managed_reach import difference

    change = difference(old, new, partition)
    if show.output == "json":
        _print(change=change)
        return
    from mantle_iam.report.managed_changes import render_difference

    print_text(render_difference(change, width=text_width(), ansi=show.ansi), show.color)


def _advise(
    name: str | None,
    version_id: str | None,
    purposes: tuple[str, ...],
    auth: str | None,
    account: str | None,
    regions: tuple[str, ...],
    projects: tuple[str, ...],
    models: tuple[str, ...],
    marketplace: bool | None,
    show: _Shown,
) -> int:
    from mantle_iam.generate.scoping import checked_scope
    from mantle_iam.workflow.managed import find_policy
    from mantle_iam.workflow.managed_advice import Wish, advise

    chosen = None if name is None else find_policy(name, version_id)
    # An ARN says in which partition; else the regions do.
    named = chosen.arn.split(":", 2)[1] if chosen else "aws"
    scope = checked_scope(
        account=account,
        regions=regions,
        projects=projects,
        models=models,
        partition=named if named != "aws" else None,
    )
    wish = Wish(purposes, AuthMethod(auth) if auth else None, scope, marketplace)
    advice = advise(wish, None if chosen is None else (chosen,))
    if show.output == "json":
        from mantle_iam.mantle import catalog
        from mantle_iam.report.managed_document import document

        print_json(document(version=__version__, catalog_date=catalog.catalog_date(), advice=advice))
    else:
        from mantle_iam.report.managed import render_advice

        print_text(render_advice(advice, width=text_width(), ansi=show.ansi), show.color)
    return 0 if advice.candidates else 1


def _refresh(
    name: str | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    show: _Shown,
    *,
    as_document: bool,
) -> int:
    from mantle_iam.report.managed_records import Standing
    from mantle_iam.workflow import managed_refresh as account

    iam = account.iam_client(profile, region, endpoint_url)
    found = (account.refresh(iam, name),) if name is not None else account.refresh_all(iam)
    partition = account.partition_of_client(iam)
    if name is not None and found[0].theirs is None:
        reason = found[0].reason or "it could not be read"
        advice = f"it takes {' and '.join(account.NEEDED)}"
        if found[0].standing is Standing.ABSENT:
            raise InputError(f"no policy `{found[0].arn}`: {reason}", help="names of policies mind case")
        raise UndeterminedError(f"`{found[0].arn}` could not be read: {reason}", help=advice)
    if as_document and found[0].theirs is not None:
        from mantle_iam.iam.grammar import write_policy

        print_json(write_policy(found[0].theirs.document))
    else:
        _show_refreshed(found, partition, show, with_report=name is not None)
    if account.unreadable(found):
        return 3
    same = (Standing.CURRENT, Standing.NOT_SHIPPED, Standing.ABSENT)
    return 0 if all(one.standing in same for one in found) else 1


def _show_refreshed(found: tuple[Refreshed, ...], partition: str, show: _Shown, *, with_report: bool) -> None:
    from mantle_iam.workflow.managed_reach import counted, report

    reports = [report(one.theirs, partition) for one in found if with_report and one.theirs is not None]
    if show.output == "json":
        _print(reports=reports, found=found)
        return
    from mantle_iam.report.managed import render_report
    from mantle_iam.report.managed_changes import render_refreshed

    width = text_width()
    shown = render_refreshed(found, width=width, ansi=show.ansi)
    for one in reports:
        shown += "\n" + render_report(one, total=counted(), preview=_preview(), width=width, ansi=show.ansi)
    print_text(shown, show.color)


def _print(
    *,
    reports: list[Report] | None = None,
    entries: tuple[VersionEntry, ...] | None = None,
    change: Difference | None = None,
    found: tuple[Refreshed, ...] | None = None,
) -> None:
    from mantle_iam.mantle import catalog
    from mantle_iam.report.managed_document import document

    print_json(
        document(
            version=__version__,
            catalog_date=catalog.catalog_date(),
            reports=reports or (),
            history=entries,
            difference=change,
            refreshed=found,
        )
    )
