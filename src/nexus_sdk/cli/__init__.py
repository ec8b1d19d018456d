"""The `nexus` command: `program.py` puts it together, one file holds one group of commands.

Nothing heavy is imported before a command that needs it runs, so that `nexus --help` answers
at once.
"""

from __future__ import annotations

from nexus_sdk.cli.program import main

__all__ = ["main"]
