"""Terminal styles, and nothing else: whether to use them is the caller's decision.

Knows no terminal and no environment.  Source: ECMA-48 section 8.3.117, Select Graphic Rendition.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """Parameters of Select Graphic Rendition, by what they look like."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


@dataclass(frozen=True, slots=True)
class Ansi:
    """Paints, or leaves as it is when not ``enabled``."""

    enabled: bool = False

    def paint(self, text: str, *styles: Style) -> str:
        """``text`` in ``styles``, reset at its end; unchanged when disabled, empty or without styles.

        ``text`` must be clean already (``layout.clean``): nothing is escaped here.
        """
        if not (self.enabled and styles and text):
            return text
        return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"


PLAIN = Ansi()
"""Never paints."""
