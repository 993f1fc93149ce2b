"""`python -m lib_anim`: the command line."""

import os
import sys

# On a busy machine threads that wait for one another by spinning took a still of 256×128 px from 5 s to 17
# and 28 s (two threads, two cores, load 4 to 6). OpenMP reads this once, when torch is loaded.
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
