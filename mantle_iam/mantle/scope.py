"""Where and how permissions are wanted: partition, account, regions, projects, models.  A record below the tables that use it."""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.mantle.endpoint import partition_of


@dataclass(frozen=True, slots=True)
class Scope:
    """Where permissions are wanted.  ``None`` or an empty tuple stands for any.

    The partition of a named region follows from the region; ``partition`` counts where no region is named.
    """

    partition: str = "aws"
    account: str | None = None
    regions: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    """Project ids or ARNs; empty for every project."""
    models: tuple[str, ...] = ()
    project_tags: tuple[tuple[str, str], ...] = ()
    """Tags, key and value, that a project has to have; several values of one key are alternatives."""
    tiers: tuple[str, ...] = ()
    """Service tiers, as ``service_tier`` of a request names them."""
    token_type: str | None = None
    """The only value of ``BearerTokenType`` with which a key may be used; ``None`` for any."""


def regions_and_partitions(scope: Scope) -> tuple[tuple[str, str], ...]:
    """Every ``(partition, region)`` of ``scope``; the region is ``*`` where none is named."""
    if not scope.regions:
        return ((scope.partition, "*"),)
    return tuple(sorted({(partition_of(region), region) for region in scope.regions}))
