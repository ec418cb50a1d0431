"""`make bench`: every table, one after the other; or the tables named as arguments.

Each measured process starts from compiled modules, as pip leaves whatever it installs: an editable package is compiled
by whoever imports it first, and never where PYTHONDONTWRITEBYTECODE is set.
"""

import argparse
import compileall
import importlib
from pathlib import Path

TABLES = ("serialize", "compile", "reach", "difference", "boutique")
ASKED_FOR = ("scale",)  # beside those of `make bench`: it needs the lab and minutes

options = argparse.ArgumentParser(prog="python -m bench", description="Print the benchmark's tables.")
options.add_argument("table", nargs="*", help=f"{', '.join((*TABLES, *ASKED_FOR))}; without any, all but the last")
asked = options.parse_args().table or TABLES
if unknown := set(asked) - {*TABLES, *ASKED_FOR}:
    options.error(f"no table {', '.join(sorted(unknown))}; there are {', '.join((*TABLES, *ASKED_FOR))}")
for package in ("partner_mesh", "bench"):
    compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)
for table in asked:
    importlib.import_module(f"bench.{table}").main()
    print()
