"""``python -m mantle_iam``."""

from mantle_iam.cli.main import main

main()
