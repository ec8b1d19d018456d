"""What Nexus costs, measured on this machine: `python -m bench`. `docs/performance.md` tells how
to read it."""
