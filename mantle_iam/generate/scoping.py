"""What people write for account, region, project, tag, model and tier, as a ``Scope``, with a note for all that looks odd.

Wrong is what can match nothing (an account of eleven digits); odd is what may be newer than our data (a region, a model).
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints-region-availability.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/projects.html, .../tagging.html,
https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html (what a tag may hold)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mantle_iam.errors import InputError
from mantle_iam.generate.patterns import has_wildcard
from mantle_iam.iam.arn import Arn
from mantle_iam.mantle.endpoint import (
    Standing,
    is_region_name,
    known_region,
    known_regions,
    nearest_region,
    partition_of,
)
from mantle_iam.mantle.models import SEEN, known_model, read_model_id
from mantle_iam.mantle.scope import Scope

SERVICE = "bedrock-mantle"
PARTITIONS = ("aws", "aws-us-gov", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f")
TIERS = ("auto", "default", "flex", "priority")
"""What ``service_tier`` of a request was seen to take (https://github.com/aws-samples/sample-per-model-bedrock)."""

_WITH_ENDPOINT = ("aws", "aws-us-gov")
_TAG_KEY = 128
_TAG_VALUE = 256


@dataclass(frozen=True, slots=True)
class CheckedScope:
    """A scope that can match something, and what is odd about it, in sentences without a full stop."""

    scope: Scope
    notes: tuple[str, ...] = ()


def checked_scope(
    *,
    account: str | None = None,
    regions: tuple[str, ...] = (),
    projects: tuple[str, ...] = (),
    models: tuple[str, ...] = (),
    partition: str | None = None,
    project_tags: tuple[str, ...] = (),
    tiers: tuple[str, ...] = (),
    token_type: str | None = None,
) -> CheckedScope:
    """Read what the caller wrote.  ``project_tags`` read ``KEY=VALUE``; ``partition`` counts where no region tells it.

    Raises:
        InputError: an account, region, partition, project, tag, model or tier that nothing can match.
    """
    notes: list[str] = []
    where = tuple(dict.fromkeys(_region(region, notes) for region in regions))
    named = tuple(dict.fromkeys(_project(project, account, where, notes) for project in projects))
    _note_regions_without_project(where, named, notes)
    return CheckedScope(
        Scope(
            partition=_partition(partition, where, named, notes),
            account=_account(account),
            regions=where,
            projects=named,
            models=tuple(dict.fromkeys(_model(model, notes) for model in models)),
            project_tags=tuple(dict.fromkeys(_tag(tag) for tag in project_tags)),
            tiers=tuple(dict.fromkeys(_tier(tier, notes) for tier in tiers)),
            token_type=token_type,
        ),
        tuple(dict.fromkeys(notes)),
    )


def _note_regions_without_project(regions: tuple[str, ...], projects: tuple[str, ...], notes: list[str]) -> None:
    """An ARN names its own region; where all projects are ARNs, the other regions that were asked for get nothing."""
    arns = [arn for project in projects if (arn := Arn.try_parse(project)) is not None]
    if projects and len(arns) == len(projects):
        served = {arn.region for arn in arns}
        notes.extend(
            f"no project in {region} is named, so the policy grants nothing there: add its ARN, or give the project's id"
            for region in regions
            if region not in served
        )


def _account(text: str | None) -> str | None:
    if text is None:
        return None
    digits = text.strip().replace("-", "")
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        raise InputError(f"`{text}` is not an AWS account id", help="an account id has twelve digits")
    return digits


def _partition(text: str | None, regions: tuple[str, ...], projects: tuple[str, ...], notes: list[str]) -> str:
    """The partition that was asked for, or that of all that is named; ``aws`` where nothing tells it."""
    arns = (Arn.try_parse(project) for project in projects)
    told = {partition_of(region) for region in regions} | {arn.partition for arn in arns if arn is not None}
    if text is None:
        return told.pop() if len(told) == 1 else "aws"
    partition = text.strip().lower()
    if partition not in PARTITIONS:
        from difflib import get_close_matches

        near = get_close_matches(partition[:40], PARTITIONS, n=1)
        raise InputError(
            f"`{text}` is not a partition of AWS",
            help=f"did you mean {near[0]}?" if near else f"partitions: {', '.join(PARTITIONS)}",
        )
    other = sorted(told - {partition})
    if other:
        raise InputError(
            f"what is named is in the partition `{other[0]}`, not in `{partition}`", help="leave --partition out"
        )
    if partition not in _WITH_ENDPOINT:
        notes.append(f"no Mantle endpoint is known in the partition {partition}")
    return partition


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.strip().partition("=")
    key, value = key.strip(), value.strip()
    if not (equals and key and value):
        raise InputError(f"`{text}` is not a tag", help="a tag reads KEY=VALUE, as in team=search")
    if key.lower().startswith("aws:"):
        raise InputError(
            f"`{text}` is a tag of AWS's own", help="tags that begin with aws: cannot be set by anybody else"
        )
    # A policy variable as the value is how each principal gets the projects with its own tag.
    plain = value.replace("${aws:PrincipalTag/", "").replace("}", "") if "${aws:PrincipalTag/" in value else value
    if len(key) > _TAG_KEY or len(value) > _TAG_VALUE or not _is_tag_text(key) or not _is_tag_text(plain):
        raise InputError(
            f"`{text[:300]}` is not a tag that AWS takes",
            help="letters, digits, spaces and any of _ . : / = + - @; up to 128 of them in the key and 256 in the value",
        )
    return key, value


def _is_tag_text(text: str) -> bool:
    return all(c.isalnum() or c in " _.:/=+-@" for c in text)


def _tier(text: str, notes: list[str]) -> str:
    tier = text.strip()
    if not tier or not all(c.isascii() and (c.isalnum() or c in "-_") for c in tier):
        raise InputError(f"`{text}` is not a service tier", help=f"tiers: {', '.join(TIERS)}")
    if tier not in TIERS:
        notes.append(f"{tier} is not among the tiers that the service was seen to take: {', '.join(TIERS)}")
    return tier


def _region(text: str, notes: list[str]) -> str:
    region = text.strip().lower()
    found = known_region(region)
    if found is not None and found.standing is Standing.DOCUMENTED:
        return region
    near = nearest_region(region)
    advice = f"did you mean {near}?" if near else f"regions with a Mantle endpoint: {', '.join(known_regions())}"
    if not is_region_name(region):
        raise InputError(f"`{text}` is not an AWS region", help=advice)
    if found is not None:
        seen = "was seen to have no Mantle endpoint" if found.standing is Standing.ABSENT else "was seen to have one"
        notes.append(f"{region} is not documented to have a Mantle endpoint and {seen} ({found.reference})")
    else:
        notes.append(f"{region} is not among the regions with a documented Mantle endpoint; {advice}")
    return region


def _project(text: str, account: str | None, regions: tuple[str, ...], notes: list[str]) -> str:
    project = text.strip()
    if project.startswith("arn:"):
        arn, own = _project_arn(project), _account(account)
        if own is not None and arn.account not in (own, "*"):
            raise InputError(f"the project `{text}` is not in account `{account}`")
        if regions and has_wildcard(arn.region):
            raise InputError(
                f"the project `{text}` names its regions by itself", help="leave --region out, or give the project's id"
            )
        if regions and arn.region not in regions:
            raise InputError(
                f"the project `{text}` is not in the regions asked for",
                help=f"leave --region out, or give --region {arn.region}",
            )
        return project if own is None else str(replace(arn, account=own))
    identifier = project.removeprefix("project/")
    if not identifier or not all(c.isascii() and (c.isalnum() or c in "_-*?") for c in identifier):
        raise InputError(
            f"`{text}` is not a project id", help="give the id (proj_…, default) or the ARN, not the project's name"
        )
    if identifier != "default" and not identifier.startswith("proj_") and "*" not in identifier:
        notes.append(f"`{identifier}` does not look like a project id (proj_… or default); names are not ids")
    return identifier


def _project_arn(text: str) -> Arn:
    """The ARN of a project, or a pattern of such ARNs, that can match something."""
    arn = Arn.parse(text)
    wrong = InputError(
        f"`{text}` is not the ARN of a Mantle project",
        help="it reads arn:aws:bedrock-mantle:REGION:ACCOUNT:project/ID, with a region such as us-east-1 and an account "
        "of twelve digits",
    )
    identifier = arn.resource.removeprefix("project/")
    if arn.service != SERVICE or identifier in ("", arn.resource) or not _is_id_pattern(identifier):
        raise wrong
    if not has_wildcard(arn.account) and not (len(arn.account) == 12 and arn.account.isdigit()):
        raise wrong
    if has_wildcard(arn.region) or has_wildcard(arn.partition):
        return arn
    if not is_region_name(arn.region):
        raise wrong
    if arn.partition != partition_of(arn.region):
        raise InputError(
            f"the partition of `{text}` is not that of its region",
            help=f"ARNs in {arn.region} begin with arn:{partition_of(arn.region)}:",
        )
    return arn


def _is_id_pattern(text: str) -> bool:
    """Whether ``text`` holds only what ids, wildcards and policy variables (``${aws:PrincipalTag/project}``) are made of."""
    return all(c.isascii() and (c.isalnum() or c in "_-*?${}:/=.@+,") for c in text)


def _model(text: str, notes: list[str]) -> str:
    written = text.strip()
    if not written:
        raise InputError("an empty model id")
    if "*" in written or "?" in written:
        raise InputError(
            f"`{text}` has a wildcard",
            help="bedrock-mantle:Model is compared with the whole id; repeat --model for each id of GET /v1/models",
        )
    read = read_model_id(written)
    if not read.bare or not all(c.isascii() and (c.isalnum() or c in "._-:/") for c in read.bare):
        raise InputError(f"`{text}` is not a model id", help="GET /v1/models lists the ids of a region")
    if read.bare != written:
        reasons = "; ".join(read.removed)
        notes.append(
            f"model {written}: written as {read.bare}, the id that Mantle takes{f' ({reasons})' if reasons else ''}"
        )
    if known_model(read.bare) is None:
        notes.append(
            f"model {read.bare} is of no family known here; ids are compared exactly, so check it against GET /v1/models"
        )
    elif read.bare not in SEEN:
        from difflib import get_close_matches

        # Of a family that is known: a newer model, or a slip of the pen, which no policy would ever be compared equal with.
        notes += [
            f"model {read.bare} is in no list of models that was seen; did you mean {near}?"
            for near in get_close_matches(read.bare[:100], SEEN, 1, 0.9)
        ]
    return read.bare
