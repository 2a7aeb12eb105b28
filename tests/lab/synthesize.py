#!/usr/bin/env python3
"""Make months of Codex sessions out of the recordings, to try `backfill` on.

    synthesize.py OUT_CODEX_HOME SESSIONS BYTES [--days 60]

Every session is a recorded one with ids and times rewritten (a session's subagents move with it) and tool outputs
lengthened until all files together have BYTES; every seventh lies in archived_sessions, every eleventh is
compressed when a zstd command is there. Prints what backfill must find: {"turns": …, "files": …, "bytes": …}.
"""
import argparse
import datetime
import json
import os
import pathlib
import random
import re
import shutil
import subprocess

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r'("timestamp":")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z')
MILLIS = re.compile(r'("(?:started|completed)_at_ms":)(\d{13})')
STEM = re.compile(r"rollout-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)-(.+)\.jsonl")

parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("sessions", type=int)
parser.add_argument("bytes", type=int)
parser.add_argument("--days", type=int, default=60)
options = parser.parse_args()
fixtures = pathlib.Path(__file__).resolve().parents[2] / "fixtures"
rng = random.Random(7)

recordings = []
for expected in sorted(fixtures.glob("codex-*/*/expected.json")):
    turns = json.loads(expected.read_text())["turns"]
    files = sorted(expected.parent.glob("rollout-*.jsonl"))
    kinds = {t.get("kind") for t in turns}
    said = {t["thread"] for t in turns}
    # What cannot be told from rollouts alone: reviews count double, ephemeral sessions have none.
    if kinds != {None} or "many-calls" in str(expected) or "large" in str(expected) or not said <= {STEM.match(f.name)[2] for f in files}:
        continue
    if sum(f.stat().st_size for f in files) < 300_000:
        recordings.append((files, len(turns)))


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def lengthen(line, filler):
    """Puts filler into what a tool returned, as large files and long logs do."""
    record = json.loads(line)
    payload = record.get("payload", {})
    if payload.get("type", "").endswith("_output") and isinstance(payload.get("output"), str):
        payload["output"] += filler
        return json.dumps(record, separators=(",", ":"), ensure_ascii=False), True
    return line, False


log = "".join(f"   Compiling crate-{n} v0.{n % 40}.{n % 7} ({rng.getrandbits(64):016x})\n" for n in range(4000))
now = datetime.datetime.now(datetime.timezone.utc)
made, turns, size, files_made = 0, 0, 0, 0
zstd = shutil.which("zstd")
while made < options.sessions:
    files, count = recordings[made % len(recordings)]
    start = datetime.datetime.strptime(STEM.match(files[0].name)[1], "%Y-%m-%dT%H-%M-%S").replace(tzinfo=datetime.timezone.utc)
    age = options.days * 86400 * (1 - made / options.sessions)
    shift = (now - datetime.timedelta(seconds=age + 90000)) - start
    shift = datetime.timedelta(seconds=int(shift.total_seconds()))
    millis = int(shift.total_seconds() * 1000)
    ids = {}

    def new_id(match):
        old = match[0]
        if old not in ids:
            moved = int(old[:8] + old[9:13], 16) + millis
            ids[old] = f"{moved >> 16:08x}-{moved & 0xffff:04x}{old[13:18]}-{old[19:23]}-{rng.getrandbits(48):012x}"
        return ids[old]

    def moved(match):
        return match[1] + stamp(datetime.datetime.strptime(match[2], "%Y-%m-%dT%H:%M:%S.%f") + shift) + "Z"

    wanted = (options.bytes - size) // max(1, options.sessions - made) // len(files)
    for file in files:
        lines = [MILLIS.sub(lambda m: m[1] + str(int(m[2]) + millis), TIME.sub(moved, UUID.sub(new_id, line))) for line in file.read_text().splitlines()]
        room = wanted - sum(map(len, lines))
        outputs = [n for n, line in enumerate(lines) if lengthen(line, "")[1]]
        for n in outputs:
            part = room // len(outputs)
            lines[n] = lengthen(lines[n], (log * (part // len(log) + 1))[:max(0, part - part // 40)])[0]
        if not outputs and room > 0:
            # A session without tools is long by what it was given to read.
            lines.append(json.dumps({"timestamp": stamp(start + shift) + "Z", "type": "world_state", "payload": {"text": (log * (room // len(log) + 1))[:room]}}))
        began, thread = STEM.match(file.name).groups()
        at = datetime.datetime.strptime(began, "%Y-%m-%dT%H-%M-%S") + shift
        thread = UUID.sub(new_id, thread)
        folder = options.out / ("archived_sessions" if made % 7 == 3 else at.strftime("sessions/%Y/%m/%d"))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"rollout-{at.strftime('%Y-%m-%dT%H-%M-%S')}-{thread}.jsonl"
        path.write_text("\n".join(lines) + "\n")
        size += path.stat().st_size
        files_made += 1
        ended = (at + datetime.timedelta(seconds=60)).timestamp()
        os.utime(path, (ended, ended))
        if zstd and made % 11 == 5:
            subprocess.run([zstd, "-q", "--rm", str(path)], check=True)
    made += 1
    turns += count
print(json.dumps({"sessions": made, "turns": turns, "files": files_made, "bytes": size}))
