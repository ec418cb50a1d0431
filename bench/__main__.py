"""`make bench`: every table, one after the other; or the tables named as arguments."""

import importlib
import sys

TABLES = ("serialize", "compile", "reach", "difference", "boutique")

for table in sys.argv[1:] or TABLES:
    importlib.import_module(f"bench.{table}").main()
    print()
