"""`python -m lib_anim`: the command line."""

import sys

from lib_anim.app.cli import main

sys.exit(main())
