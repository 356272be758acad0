"""Finds rows by key in a Delta table with DuckDB and prints the seconds of each question as JSON.

usage: lookup.py FOLDER ID...   the first question of a connection reads the log, the others find it in memory
"""

import glob
import json
import os
import sys
import time

import duckdb
import duckdb_extension_delta


def main():
    folder, *ids = sys.argv[1:]
    package = os.path.dirname(duckdb_extension_delta.__file__)
    (extension,) = glob.glob(package + "/extensions/v*/delta.duckdb_extension")
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"load '{extension}'")
    connection.execute("attach '" + folder.replace("'", "''") + "' as archive (type delta, pin_snapshot)")
    seconds = []
    for key in ids:
        start = time.perf_counter()
        rows = connection.execute("select * from archive where id = ?", [int(key)]).fetchall()
        seconds.append(time.perf_counter() - start)
        if len(rows) != 1:
            raise SystemExit(f"{len(rows)} rows of {key}")
    print(json.dumps(seconds), flush=True)
    os._exit(0)


main()
