"""What each executable is checked for, whatever system it is for: bad input in every role, time zones, closed pipes; and a
list of what failed."""
import datetime
import json
import os

ROLES = ("session", "tool", "stop")
BAD = (b"", b"not json", b"null", b"[]", b"\xff\xfe\x00", b'{"hook_event_name":"Stop"}', b'{"hook_event_name":7,"session_id":[]}',
       b'{"hook_event_name":"Stop","session_id":"..\\\\..\\\\x","turn_id":"t"}', b'{"hook_event_name":"Stop","session_id":"../../x","turn_id":"t"}',
       b'{"hook_event_name":"PreToolUse","session_id":"' + b"a" * 300_000)
BAD_NOTIFY = ("", "not json", "null", '{"type":"agent-turn-complete"}', "x" * 20_000)
failures = []


def check(name, good, detail=""):
    print(f"{'ok    ' if good else 'FAILED'} {name}{'' if good or not detail else f': {detail}'}", flush=True)
    if not good:
        failures.append(name)


def is_silent(call):
    """Gives every role bad input; `call(name, arguments, input)` runs a link of ours and returns what it did."""
    wrong = []
    calls = [(f"arize-hook-codex-{role}", (), payload) for role in ROLES for payload in BAD]
    calls += [("arize-hook-codex-notify", (payload,), b"") for payload in BAD_NOTIFY]
    for name, arguments, payload in calls:
        done = call(name, arguments, payload)
        if (done.returncode, done.stdout, done.stderr) != (0, b"", b""):
            wrong.append((name, (payload or arguments)[:40], done.returncode, done.stdout[:200], done.stderr[:200]))
    check(f"{len(calls)} bad inputs, silent and exit 0", not wrong, wrong)


def tells_local_time(run):
    """`list` under time zones of its own, against the moment the newest turn has everywhere; `run` runs our executable."""
    at = json.loads(run("list", "--json").stdout)[0]["started_at_ms"]
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=at)
    wrong = []
    for zone, hours in (("UTC", 0), ("America/Phoenix", -7), ("Asia/Kolkata", 5.5), ("Asia/Tokyo", 9)):
        local = (moment + datetime.timedelta(hours=hours)).strftime("%H:%M")
        shown = run("list", env={"TZ": zone}).stdout.decode()
        if local not in shown:
            wrong.append((zone, local, shown))
    check("list in the time zone of TZ", not wrong, wrong)


def takes_closed_pipe(run):
    """As `arize-codex list | head -0`: whoever reads has gone before the first word is written."""
    reader, writer = os.pipe()
    os.close(reader)
    done = run("list", output=writer)
    os.close(writer)
    check("a closed pipe is no error", (done.returncode, done.stderr) == (0, b""), (done.returncode, done.stderr))


def ended():
    """Says how it went; the exit code."""
    print(f"{len(failures)} failed" if failures else "all as it should be")
    return bool(failures)
