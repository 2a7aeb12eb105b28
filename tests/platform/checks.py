"""What each executable is checked for, whatever system it is for: bad input in every role, and a list of what failed."""

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


def ended():
    """Says how it went; the exit code."""
    print(f"{len(failures)} failed" if failures else "all as it should be")
    return bool(failures)
