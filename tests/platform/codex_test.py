#!/usr/bin/env python3
"""Tests an arize-codex executable with the real Codex of this machine, and has what every system is tested for with it.

    codex_test.py EXE CODEX     CODEX is the program itself, or the directory into which npm installed it

Installs beside a config.toml with CRLF in a directory with a space in its path, asks Codex which hooks it trusts, runs
a turn with parallel tools and a failure and compares tokens with a collector's, kills Codex in a turn, gives every role
bad input, and uninstalls. The Python that runs it needs opentelemetry-proto.
"""
import functools
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from checks import check, ended, is_silent, takes_closed_pipe, tells_local_time
from collector import Collector, attributes
from machine import Machine

BEFORE = b'# mine\r\nmodel_reasoning_effort = "low" # kept\r\n\r\n[tui]\r\nnotifications = false\r\n'
EVENTS = 14


def scripts(lab, folder):
    """A turn with parallel tools and a failure, and one that does not end: files for the scripted model."""
    calls = [{"call": "exec_command", "args": {"cmd": f"{lab.echo} {word}"}} for word in ("alpha", "beta")]
    calls.append({"call": "exec_command", "args": {"cmd": "exit 3"}})
    script, slow = pathlib.Path(folder, "turn.json"), pathlib.Path(folder, "slow.json")
    script.write_text(json.dumps([calls, [{"message": "all done"}]]))
    slow.write_text(json.dumps([calls[:1], [{"sleep": 120}]]))
    return script, slow


def installs(lab, exe, collector):
    done = lab.run(exe, "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    check("install", done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace"))
    again = lab.run(lab.ours("arize-codex"), "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    check("install again, from the installed executable", again.returncode == 0, again.stderr.decode(errors="replace"))
    text = (lab.codex_home / "config.toml").read_bytes()
    check("config.toml keeps CRLF", text.count(b"\n") == text.count(b"\r\n") and text.startswith(BEFORE[:20]))
    links = sorted(p.name for p in (lab.harness / "bin").iterdir() if p.suffix == lab.suffix)
    check("executable and five links", len(links) == 6, links)


def is_trusted(lab, how=""):
    lab.trust()
    ours = [hook for hook in lab.hooks() if "arize" in hook["command"].lower()]
    states = {hook["trustStatus"] for hook in ours}
    check(f"{len(ours)} hooks, trusted by Codex {how}".rstrip(), len(ours) == EVENTS and states == {"trusted"}, states)
    doctor = lab.run(lab.ours("arize-codex"), "doctor").stdout.decode(errors="replace")
    check("doctor finds the same trust", any("trust" in line and "ok" in line.lower() for line in doctor.splitlines() if "hook" in line), doctor)


def delivers(lab, collector, script, flush=False):
    collector.spans.clear()
    lab.model(script)
    done = lab.codex("say hello", "-s", "danger-full-access", trusted=True)
    check("codex exec", done.returncode == 0, done.stderr.decode(errors="replace")[-500:])
    if flush:
        lab.run(lab.ours("arize-codex"), "flush", "--wait", "60")
    spans = list(collector.wait(180))
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
    command = [*lab.launcher, str(lab.codex_exe), "exec", "a turn that is killed", "--skip-git-repo-check", "-s", "danger-full-access", *lab.provider]
    process = subprocess.Popen(command, cwd=lab.work, env=lab.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = lab.harness / "state/codex"
    until(lambda: any("PostToolUse" in p.read_text(errors="replace") for p in state.glob("spans_*")))
    process.kill()
    process.wait()
    until(lambda: lab.run(lab.ours("arize-codex"), "flush", "--wait", "60") and len(collector.spans) > seen)
    texts = [str(attributes(s).get("input.value")) for s in collector.spans[seen:]]
    check("a turn whose Codex was killed arrives", any("a turn that is killed" in t for t in texts), texts)


def uninstalls(lab):
    # What Codex itself and the trust of this test wrote is not ours to remove.
    path = lab.codex_home / "config.toml"
    done = lab.run(lab.ours("arize-codex"), "uninstall", "--yes")
    check("uninstall", done.returncode == 0, done.stderr.decode(errors="replace"))
    time.sleep(3)
    check("no executable is left", not any((lab.harness / "bin").glob("*")), list((lab.harness / "bin").glob("*")))
    return path.read_bytes()


def until(done, seconds=180):
    """What `done` gives once that is something, or at last."""
    end = time.time() + seconds
    while not done() and time.time() < end:
        time.sleep(0.2)
    return done()


def lives(lab, exe, collector, script, slow, *more):
    """From installing to uninstalling; `more` comes after the turns."""
    lab.clear(BEFORE)
    installs(lab, exe, collector)
    after = uninstalls(lab)
    check("config.toml byte for byte", after == BEFORE, after)
    lab.clear(BEFORE)
    installs(lab, exe, collector)
    is_trusted(lab)
    delivers(lab, collector, script)
    survives_kill(lab, collector, slow)
    for test in more:
        test(lab, collector, script)
    run = functools.partial(lab.run, lab.ours("arize-codex"))
    tells_local_time(run)
    takes_closed_pipe(run)
    is_silent(lambda name, arguments, payload: lab.run(lab.ours(name), *arguments, input=payload))
    uninstalls(lab)


def main():
    with tempfile.TemporaryDirectory() as folder:
        codex = pathlib.Path(sys.argv[2])
        # Not what npm starts it with: a program that is killed must be Codex.
        codex = next(codex.rglob(f"vendor/*/bin/codex{Machine.suffix}")) if codex.is_dir() else codex
        lab = Machine(codex, pathlib.Path(folder).resolve() / "Jo Doe")
        try:
            lives(lab, pathlib.Path(sys.argv[1]).resolve(), Collector(), *scripts(lab, folder))
        finally:
            lab.stop()
    return ended()


if __name__ == "__main__":
    sys.exit(main())
