#!/usr/bin/env python3
"""Tests an arize-codex.exe with the real codex.exe under wine.

    windows_test.py DIR EXE        DIR is what `windows.sh setup DIR` made

Installs beside a config.toml with CRLF, asks Codex which hooks it trusts, runs turns with parallel tools and a failure
and compares tokens with a collector's, kills Codex in a turn, gives every role bad input, and uninstalls.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BEFORE = b'# mine\r\nmodel_reasoning_effort = "low" # kept\r\n\r\n[tui]\r\nnotifications = false\r\n'
HOME = "C:\\lab\\Jo Doe"
CALLS = [[{"call": "exec_command", "args": {"cmd": "cmd /c echo alpha"}}, {"call": "exec_command", "args": {"cmd": "cmd /c echo beta"}},
          {"call": "exec_command", "args": {"cmd": "exit 3"}}], [{"message": "all done"}]]
ROLES = ("session", "tool", "stop")
BAD = (b"", b"not json", b"null", b"[]", b"\xff\xfe\x00", b'{"hook_event_name":"Stop"}', b'{"hook_event_name":7,"session_id":[]}',
       b'{"hook_event_name":"Stop","session_id":"..\\\\..\\\\x","turn_id":"t"}', b'{"hook_event_name":"PreToolUse","session_id":"' + b"a" * 300_000)
failures = []


def check(name, good, detail=""):
    print(f"{'ok    ' if good else 'FAILED'} {name}{'' if good or not detail else f': {detail}'}", flush=True)
    if not good:
        failures.append(name)


def attributes(span):
    return {a.key: getattr(a.value, a.value.WhichOneof("value") or "string_value") for a in span.attributes}


def installs(lab, exe, collector):
    done = lab.run(exe, "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    check("install", done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace"))
    again = lab.run(lab.ours("arize-codex"), "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    check("install again, from the installed executable", again.returncode == 0, again.stderr.decode(errors="replace"))
    text = (lab.codex_home / "config.toml").read_bytes()
    check("config.toml keeps CRLF", text.count(b"\n") == text.count(b"\r\n") and text.startswith(BEFORE[:20]))
    links = sorted(p.name for p in (lab.harness / "bin").glob("*.exe"))
    check("executable and five links", len(links) == 6, links)


def is_trusted(lab):
    lab.trust()
    ours = [hook for hook in lab.hooks() if "arize" in hook["command"].lower()]
    states = {hook["trustStatus"] for hook in ours}
    check(f"{len(ours)} hooks, trusted by Codex", len(ours) >= 12 and states == {"trusted"}, states)
    doctor = lab.run(lab.ours("arize-codex"), "doctor").stdout.decode(errors="replace")
    check("doctor finds the same trust", any("trust" in line and "ok" in line.lower() for line in doctor.splitlines() if "hook" in line), doctor)


def delivers(lab, collector, script):
    lab.model(script)
    done = lab.codex("say hello", "-s", "danger-full-access", trusted=True)
    check("codex exec", done.returncode == 0, done.stderr.decode(errors="replace")[-500:])
    spans = list(collector.wait(90))
    root = next((s for s in spans if not s.parent_span_id), None)
    got = attributes(root) if root else {}
    # Calls 0 and 1 of the model: 1000 + n in, 50 + n out.
    check("tokens of the turn", (got.get("llm.token_count.prompt"), got.get("llm.token_count.completion")) == (2001, 101), got)
    tools = [attributes(s) | {"error": s.status.code == 2} for s in spans if attributes(s).get("openinference.span.kind") == "TOOL"]
    check("three tools", len(tools) == 3, len(tools))
    said = " ".join(str(t.get("output.value")) for t in tools)
    check("what they printed", "alpha" in said and "beta" in said, said)
    check("one failed", sum(t["error"] for t in tools) == 1, tools)


def survives_kill(lab, collector, script):
    seen = len(collector.spans)
    lab.model(script)
    command = ["wine", str(lab.codex_exe), "exec", "a turn that is killed", "--skip-git-repo-check", "-s", "danger-full-access", *lab.provider]
    process = subprocess.Popen(command, cwd=lab.work, env=lab.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state, until = lab.harness / "state/codex", time.time() + 60
    while time.time() < until and not any("PostToolUse" in p.read_text(errors="replace") for p in state.glob("spans_*")):
        time.sleep(0.2)
    process.kill()
    process.wait()
    lab.run(lab.ours("arize-codex"), "flush", "--wait", "60")
    until = time.time() + 60
    while time.time() < until and len(collector.spans) == seen:
        lab.run(lab.ours("arize-codex"), "flush", "--wait", "10")
        time.sleep(1)
    texts = [str(attributes(s).get("input.value")) for s in collector.spans[seen:]]
    check("a turn whose Codex was killed arrives", any("a turn that is killed" in t for t in texts), texts)


def is_silent(lab):
    wrong = []
    for role in ROLES:
        for payload in BAD:
            done = lab.run(lab.ours(f"arize-hook-codex-{role}"), input=payload)
            if (done.returncode, done.stdout, done.stderr) != (0, b"", b""):
                wrong.append((role, payload[:40], done.returncode, done.stdout[:200], done.stderr[:200]))
    for payload in ("", "not json", "null", '{"type":"agent-turn-complete"}', "x" * 20_000):
        done = lab.run(lab.ours("arize-hook-codex-notify"), payload)
        if (done.returncode, done.stdout, done.stderr) != (0, b"", b""):
            wrong.append(("notify", payload[:40], done.returncode, done.stdout[:200], done.stderr[:200]))
    check(f"{len(ROLES) * len(BAD) + 5} bad inputs, silent and exit 0", not wrong, wrong)


def uninstalls(lab):
    # What Codex itself and the trust of this test wrote is not ours to remove.
    path = lab.codex_home / "config.toml"
    done = lab.run(lab.ours("arize-codex"), "uninstall", "--yes")
    check("uninstall", done.returncode == 0, done.stderr.decode(errors="replace"))
    time.sleep(3)
    check("no executable is left", not any((lab.harness / "bin").glob("*")), list((lab.harness / "bin").glob("*")))
    return path.read_bytes()


def main():
    directory, exe = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    python = pathlib.Path(directory).resolve() / "venv/bin/python"
    if pathlib.Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])
    from wine import Collector, Windows
    collector = Collector()
    lab = Windows(directory, HOME)
    try:
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder, "turn.json")
            script.write_text(json.dumps(CALLS))
            slow = pathlib.Path(folder, "slow.json")
            slow.write_text(json.dumps([CALLS[0][:1], [{"sleep": 120}]]))
            lab.clear(BEFORE)
            installs(lab, exe, collector)
            after = uninstalls(lab)
            check("config.toml byte for byte", after == BEFORE, after)
            lab.clear(BEFORE)
            installs(lab, exe, collector)
            is_trusted(lab)
            delivers(lab, collector, script)
            survives_kill(lab, collector, slow)
            is_silent(lab)
            uninstalls(lab)
    finally:
        lab.stop()
    print(f"{len(failures)} failed" if failures else "all as it should be")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
