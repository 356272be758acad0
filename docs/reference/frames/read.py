#!/usr/bin/env python3
"""Prints what frames hold, one JSON object a line: records from standard input, one behind the other.

The key comes as hex in REPRIEVE_FRAME_KEY. Nothing but Python's own library is needed.
"""
import hashlib, hmac, json, os, struct, sys

OPS = ["delete", "relink", "move", "overwrite"]


def take(data, at, code, count):
    """`count` little-endian numbers (B, H, I, Q or q) at `at`, and where the next buffer begins."""
    return struct.unpack_from(f"<{count}{code}", data, at), at + count * struct.calcsize("<" + code)


def read_records(stream, key):
    """Each record's first line and body, once its signature holds."""
    while line := stream.readline():
        head = json.loads(line)
        if head["format"] != "reprieve.frame" or head["version"] != 1:
            sys.exit(f"format {head['format']}, version {head['version']}: I read version 1 of reprieve.frame")
        body = stream.read(head["body"])
        if not hmac.compare_digest(stream.read(32), hmac.new(key, line + body, hashlib.sha256).digest()):
            sys.exit("the signature does not hold")
        yield head, body


def read_frames(records):
    """Joins the parts of each frame."""
    parts = []
    for head, body in records:
        parts = [body] if head["part"] == 1 else parts + [body]
        if head["part"] == head["parts"]:
            yield head["kind"], b"".join(parts)


def read_rows(payload):
    at = payload.index(b"\n") + 1
    said = json.loads(payload[:at])
    rows, runs, leaves = said["rows"], said["runs"], said["leaves"]

    position, at = take(payload, at, "Q", runs)
    committed_at, at = take(payload, at, "q", runs)
    run_rows, at = take(payload, at, "I", runs)
    xid, at = take(payload, at, "I", runs)
    run_of = [run for run in range(runs) for _ in range(run_rows[run])]

    ordinal, at = take(payload, at, "I", rows)
    leaf, at = take(payload, at, "I", rows) if len(leaves) > 1 else ((0,) * rows, at)
    op, at = take(payload, at, "B", rows)
    rewritten = dict(json.loads(payload[at : at + said["rewritten"]] or "[]"))
    at += said["rewritten"]

    columns = []
    for column in said["columns"]:
        lengths, at = take(payload, at, {1: "B", 2: "H", 4: "I"}[column["width"]], rows)
        present, at = take(payload, at, "B", rows) if column["hasNulls"] else ((1,) * rows, at)
        values = []
        for length, is_value in zip(lengths, present):
            values.append(payload[at : at + length].decode() if is_value else None)
            at += length
        columns.append(values)

    for row in range(rows):
        yield {
            "op": OPS[op[row]],
            "position": str(position[run_of[row]]),
            "ordinal": ordinal[row],
            "xid": xid[run_of[row]],
            "committedAt": str(committed_at[run_of[row]]),
            "leaf": leaves[leaf[row]],
            "rewritten": rewritten.get(row),
            "values": [values[row] for values in columns],
        }


key = bytes.fromhex(os.environ["REPRIEVE_FRAME_KEY"])
for kind, payload in read_frames(read_records(sys.stdin.buffer, key)):
    for item in read_rows(payload) if kind == "rows" else json.loads(payload)["transactions"]:
        print(json.dumps(item))
