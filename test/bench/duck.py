"""Writes rows of Parquet files to a new Parquet file, zstd, on one thread, as often as it is asked.

usage: duck.py TARGET FILE...   the rows are read into memory first; each line on standard input asks for one more writing
and is answered by JSON: rows, seconds, CPU seconds and bytes
"""

import json
import os
import sys
import time

import duckdb


def main():
    target, *files = sys.argv[1:]
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute("set threads = 1")
    connection.execute("create table archived as select * from read_parquet(?)", [files])
    (rows,) = connection.execute("select count(*) from archived").fetchone()
    print(json.dumps({"rows": rows}), flush=True)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        connection.execute("copy archived to '" + target.replace("'", "''") + "' (format parquet, compression zstd)")
        seconds, used = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps({"rows": rows, "seconds": seconds, "cpu": used, "bytes": os.path.getsize(target)}), flush=True)


main()
