"""``python -m snncore`` is ``snn``."""

from snncore.cli import main

main()
