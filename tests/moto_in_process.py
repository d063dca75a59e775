"""moto within the process of a test, where other tests may have filled its other services: emptying all takes minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def mocked(*services: str, config: dict[str, Any] | None = None) -> Iterator[None]:
    """AWS as moto plays it.  ``services`` are empty at the beginning and at the end; nothing else may be used."""
    from moto import mock_aws
    from moto.backends import get_backend

    def empty() -> None:
        for service in services:
            # Account by account: the same method of what holds them empties every service.
            for account in get_backend(service).values():  # type: ignore[call-overload]
                account.reset()

    mock = mock_aws(config=config or {})  # type: ignore[arg-type]
    empty()
    mock.start(reset=False)
    try:
        yield
    finally:
        mock.stop(remove_data=False)
        empty()
