"""``python -m benchmarks [PART…]``: all figures, or those of ``startup``, ``evaluate``, ``probe``; a missing part says so."""

from __future__ import annotations

import importlib
import sys
import traceback

PARTS = ("startup", "evaluate", "compare", "audit", "probe")


def main(arguments: list[str]) -> int:
    """Print the figures; the exit code is 1 when a part gave none."""
    unknown = [name for name in arguments if name not in PARTS]
    if unknown:
        print(f"error: no such part: {', '.join(unknown)} (there are: {', '.join(PARTS)})", file=sys.stderr)
        return 2
    failed = 0
    for part in arguments or PARTS:
        print(f"-- {part}", flush=True)
        try:
            found = importlib.import_module(f"benchmarks.{part}").figures()
        except Exception:
            failed = 1
            print(f"   NO FIGURES: benchmarks/{part}.py failed", flush=True)
            traceback.print_exc()
            continue
        for label, value in found:
            print(f"   {label:<52} {value}", flush=True)
        if not found:
            failed = 1
            print(f"   NO FIGURES: benchmarks/{part}.py gave none", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
