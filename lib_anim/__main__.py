"""`python -m lib_anim`: the command line."""

import os
import sys

# Threads that wait for one another by spinning take a still from 1 s to 60 s on a busy machine (measured
# with two threads on two cores, load 6). OpenMP reads this once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from lib_anim.app.cli import main

sys.exit(main())
