"""`python -m lib_anim`: the command line."""

import os
import sys

# Threads that wait for one another by spinning take a still from 1 s to 60 s on a busy machine (measured
# with two threads on two cores, load 6). OpenMP reads this once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    from lib_anim.app.cli import main
except ModuleNotFoundError as error:
    if (error.name or "").startswith("lib_anim"):
        raise
    way = "run `make setup`, then use .venv/bin/python"
    print(f"the package {error.name} is missing from {sys.executable}; {way}", file=sys.stderr)
    sys.exit(2)

sys.exit(main())
