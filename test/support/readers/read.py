"""Reads Delta tables with three engines and prints every row as JSON.

usage: read.py FOLDER [COLUMN VALUE]...   one JSON document on standard output
FOLDER may be s3://bucket/prefix, with the server and its credentials in the variables that delta-rs knows (AWS_ENDPOINT_URL ...).
Values are whole numbers as text, microseconds for timestamps, days for dates, hex for bytes; maps are objects.
Each COLUMN VALUE pair asks each engine for the rows that equal it (--null: that have none), so that data skipping shows.
"""

import datetime
import decimal
import glob
import json
import os
import sys

import deltalake
import duckdb
import duckdb_extension_delta
import duckdb_extension_httpfs
import polars
import pyarrow
import pyarrow.dataset


def plain(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, list):
        pairs = [(pair["key"], pair["value"]) if isinstance(pair, dict) else pair for pair in value]
        return dict(pairs)
    return str(value)


parsers = {
    "long": int,
    "integer": int,
    "short": int,
    "decimal": decimal.Decimal,
    "float": float,
    "double": float,
    "boolean": lambda text: text == "true",
    "date": datetime.date.fromisoformat,
    "timestamp": datetime.datetime.fromisoformat,
    "binary": bytes.fromhex,
}


def rows_of(table):
    table = table.read_all() if isinstance(table, pyarrow.RecordBatchReader) else table
    columns = {}
    for name, column in zip(table.column_names, table.columns):
        if pyarrow.types.is_timestamp(column.type):
            column = column.cast(pyarrow.timestamp("us", "UTC")).cast(pyarrow.int64())
        elif pyarrow.types.is_date32(column.type):
            column = column.cast(pyarrow.int32())
        columns[name] = [plain(value) for value in column.to_pylist()]
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def server():
    names = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]
    known = {name: os.environ[name] for name in names if name in os.environ}
    return {**known, "AWS_ALLOW_HTTP": "true"} if known else None


def load(connection, package, name):
    (extension,) = glob.glob(os.path.dirname(package.__file__) + f"/extensions/v*/{name}.duckdb_extension")
    connection.execute(f"load '{extension}'")


def duck():
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    load(connection, duckdb_extension_httpfs, "httpfs")
    load(connection, duckdb_extension_delta, "delta")
    options = server()
    if options:
        connection.execute(
            f"""create secret (type s3, key_id '{options["AWS_ACCESS_KEY_ID"]}', secret '{options["AWS_SECRET_ACCESS_KEY"]}',
            region '{options["AWS_REGION"]}', endpoint '{options["AWS_ENDPOINT_URL"].removeprefix("http://")}',
            url_style 'path', use_ssl false)"""
        )
    return connection


def main():
    folder, *pairs = sys.argv[1:]
    wanted = [(pairs[at], pairs[at + 1]) for at in range(0, len(pairs), 2)]
    table = deltalake.DeltaTable(folder, storage_options=server())
    frame = polars.scan_delta(folder, storage_options=server())
    connection = duck()
    scan = "delta_scan('" + folder.replace("'", "''") + "')"
    kinds = {field.name: field.type.type for field in table.schema().fields if isinstance(field.type, deltalake.schema.PrimitiveType)}

    def typed(name, value):
        return parsers.get(kinds[name].split("(")[0], str)(value)

    def count_deltalake(name, value):
        field = pyarrow.dataset.field(name)
        return table.to_pyarrow_dataset().count_rows(
            filter=field.is_null() if value == "--null" else field == pyarrow.scalar(typed(name, value))
        )

    def count_polars(name, value):
        column = polars.col(name)
        return frame.filter(column.is_null() if value == "--null" else column == typed(name, value)).collect().height

    def count_duckdb(name, value):
        where, values = ("is null", []) if value == "--null" else ("= ?", [typed(name, value)])
        return connection.execute(f'select count(*) from {scan} where "{name}" {where}', values).fetchone()[0]

    counters = {"deltalake": count_deltalake, "polars": count_polars, "duckdb": count_duckdb}
    found = {engine: [count(*pair) for pair in wanted] for engine, count in counters.items()}
    print(
        json.dumps(
            {
                "version": table.version(),
                "rows": {
                    "deltalake": rows_of(table.to_pyarrow_table()),
                    "polars": rows_of(frame.collect().to_arrow()),
                    "duckdb": rows_of(connection.execute(f"select * from {scan}").arrow()),
                },
                "found": found,
            }
        )
    )
    sys.stdout.flush()
    os._exit(0)


main()
