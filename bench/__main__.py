"""`make bench`: every table, one after the other; or the tables named as arguments.

Each measured process starts from compiled modules, as pip leaves whatever it installs: an editable package is compiled
by whoever imports it first, and never where PYTHONDONTWRITEBYTECODE is set.
"""

import compileall
import importlib
import sys
from pathlib import Path

TABLES = ("serialize", "compile", "reach", "difference", "boutique")

for package in ("partner_mesh", "bench"):
    compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)
for table in sys.argv[1:] or TABLES:
    importlib.import_module(f"bench.{table}").main()
    print()
