#!/usr/bin/env python3
"""Tests an arize-codex.exe with the real codex.exe under wine.

    windows_test.py DIR EXE [codex|windows]        DIR is what `windows.sh setup DIR` made

codex: installs beside a config.toml with CRLF, asks Codex which hooks it trusts, runs turns with parallel tools and a
failure and compares tokens with a collector's, kills Codex in a turn, gives every role bad input, and uninstalls.
windows: what only Windows has: the long form of paths, commands of their own, an administrator's requirements.toml
below %ProgramData%, the plugin's commands, notify with more than a command line holds, advice for its shells. Both
without one of them.
"""
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

from checks import check, ended
from codex_test import BEFORE, EVENTS, delivers, is_trusted, lives, scripts, until
from collector import Collector, attributes
from wine import Windows

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOME = "C:\\lab\\Jo Doe"


def survives_kill_in_delivery(lab, collector, script):
    """The delivering process is ended (TerminateProcess) while the collector has the turn and has not answered."""
    seen, killed = len(collector.spans), []
    collector.held.clear()
    collector.holding = True

    def kill():
        until(lambda: collector.held)
        # By the name of its program, which only the delivery has: hooks run under the names of their links.
        killed.append(lab.run("taskkill", "/f", "/im", "arize-codex.exe"))

    killer = threading.Thread(target=kill)
    killer.start()
    lab.model(script)
    done = lab.codex("killed in delivery", "-s", "danger-full-access", trusted=True)
    killer.join()
    check("codex exec with a collector that hangs", done.returncode == 0, done.stderr.decode(errors="replace")[-500:])
    check("the delivery is killed in mid-request", killed[0].returncode == 0 and until(lambda: not lab.processes("arize-codex.exe")), killed)
    tried = {span.span_id for span in collector.held}
    check("which nobody took for delivered", len(tried) == 4 and len(collector.spans) == seen, (len(tried), len(collector.spans) - seen))
    collector.holding = False
    done = lab.run(lab.ours("arize-codex"), "flush", "--wait", "60")
    got = [span.span_id for span in collector.spans[seen:]]
    check("nothing is lost and nothing comes twice", done.returncode == 0 and len(got) == 4 and set(got) == tried, (len(got), done.stderr))
    again = lab.run(lab.ours("arize-codex"), "flush", "--wait", "60")
    check("and nothing is left", again.returncode == 0 and len(collector.spans) == seen + 4, again.stderr)


def takes_long_paths(lab, exe):
    """The form of paths that has no limit of length must not end up in hooks' commands: no shell runs it."""
    lab.clear(BEFORE)
    longer = {name: "\\\\?\\" + lab.env[name] for name in ("CODEX_HOME", "ARIZE_HARNESS_HOME")}
    done = lab.run(exe, "install", "--yes", "--target", "local", env=longer)
    text = (lab.codex_home / "config.toml").read_text()
    check("install with paths in their long form", done.returncode == 0 and "arize-hook" in text and "?" not in text, (done.stderr, text))
    again = lab.run(exe, "install", "--yes", "--target", "local")
    check("which are the same paths", b"already up to date" in again.stdout, again.stdout + again.stderr)


def prefers_commands_for_windows(lab):
    """Where a handler has a command for Windows, Codex runs and trusts that one, and doctor sees it the same way."""
    path = lab.codex_home / "config.toml"
    both = []
    for line in path.read_text().splitlines():
        both += ['command = "echo elsewhere"', line.replace("command =", "command_windows =", 1)] if line.startswith("command = ") else [line]
    path.write_text("\n".join(both) + "\n")
    is_trusted(lab, "with a command for all systems beside it")


def obeys_administrator(lab, exe, collector, script):
    """Managed hooks run without trust, from the file this repository has for administrators."""
    lab.clear(BEFORE)
    everybody = lab.path("C:\\Program Files\\arize-codex")
    decree = lab.path("C:\\ProgramData\\OpenAI\\Codex\\requirements.toml")
    machine = lab.path("C:\\ProgramData\\arize-codex\\config.yaml")
    try:
        done = lab.run(exe, "install", "--system", "C:\\Program Files\\arize-codex")
        said = done.stdout.decode(errors="replace")
        check("install for everybody", done.returncode == 0 and "requirements.toml" in said and "ProgramData" in said, said)
        decree.parent.mkdir(parents=True, exist_ok=True)
        decree.write_bytes((ROOT / ".github/deploy/requirements.toml").read_bytes())
        machine.parent.mkdir(parents=True, exist_ok=True)
        machine.write_text(f"harnesses: {{codex: {{target: phoenix, endpoint: '{collector.url}'}}}}\n")
        seen = len(collector.spans)
        lab.model(script)
        codex = lab.codex("managed", "-s", "danger-full-access", trusted=True)
        check("codex exec with managed hooks", codex.returncode == 0, codex.stderr.decode(errors="replace")[-500:])
        until(lambda: len(collector.spans) >= seen + 4)
        texts = [str(attributes(s).get("input.value")) for s in collector.spans[seen:]]
        check("their turn arrives", "managed" in texts, texts)
        doctor = lab.run(exe, "doctor").stdout.decode(errors="replace")
        check("doctor sees them", f"{EVENTS} of {EVENTS} registered by the administrator" in doctor, doctor)
    finally:
        shutil.rmtree(everybody, ignore_errors=True)
        shutil.rmtree(machine.parent, ignore_errors=True)
        decree.unlink(missing_ok=True)


def has_plugin(lab):
    lab.clear(BEFORE)
    repository = lab.path("C:\\lab\\arize-codex")
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(ROOT / ".agents", repository / ".agents")
    words = (("marketplace", "add", "C:\\lab\\arize-codex"), ("add", "arize-codex@arize-codex"))
    added = [lab.run(lab.codex_exe, "plugin", *w) for w in words]
    check("plugin added", all(done.returncode == 0 for done in added), [done.stderr[-300:] for done in added])
    commands = [hook["command"] for hook in lab.hooks()]
    good = [command for command in commands if command.startswith('& "$HOME\\.arize\\harness\\bin\\arize-hook-codex-')]
    check("its commands are PowerShell's", len(good) == EVENTS, commands)


def misses_long_notify(lab, exe, collector, script):
    """Where hooks are not trusted and a thread is long, Codex cannot call notify; nothing is lost for good."""
    lab.clear(BEFORE)
    lab.run(exe, "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    payload = {"type": "agent-turn-complete", "thread-id": "01a20000-0000-7000-8000-000000000001", "turn-id": "t1", "cwd": "C:\\lab\\project",
               "input-messages": ["x" * 30_000, "the last one"], "last-assistant-message": "done"}
    seen = len(collector.spans)
    done = lab.run(lab.ours("arize-hook-codex-notify"), json.dumps(payload))
    check("notify of 30,000 characters", (done.returncode, done.stdout, done.stderr) == (0, b"", b""), done)
    check("its turn arrives", inputs(collector, seen) == ["the last one"], inputs(collector, seen))
    lab.model(script)
    seen = len(collector.spans)
    done = lab.codex("-", "-s", "danger-full-access", trusted=True, input=b"a long prompt " * 5000)
    check("codex exec with a prompt of 70,000 characters", done.returncode == 0, done.stderr.decode(errors="replace")[-500:])
    time.sleep(5)
    check("for which Codex can call no notify", len(collector.spans) == seen, collector.spans[seen:])
    doctor = lab.run(lab.ours("arize-codex"), "doctor").stdout.decode(errors="replace")
    check("as doctor says", "32,767" in doctor and "backfill" in doctor, doctor)
    done = lab.run(lab.ours("arize-codex"), "backfill")
    lab.run(lab.ours("arize-codex"), "flush", "--wait", "60")
    found = [text for text in inputs(collector, seen) if text.startswith("a long prompt ")]
    check("backfill brings the turn in", found, (done.stdout, done.stderr))


def needs_no_notify(lab, exe, collector, script):
    """Where hooks are trusted, the turn of a thread too long for notify arrives all the same: Stop has its input on stdin."""
    lab.clear(BEFORE)
    lab.run(exe, "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    lab.trust()
    lab.model(script)
    seen = len(collector.spans)
    done = lab.codex("-", "-s", "danger-full-access", trusted=True, input=b"a long thread " * 5000, env={"ARIZE_TRACE_DEBUG": "true"})
    check("codex exec with trusted hooks and 70,000 characters", done.returncode == 0, done.stderr.decode(errors="replace")[-500:])
    until(lambda: len(collector.spans) >= seen + 4)
    found = [attributes(s) for s in collector.spans[seen:] if str(attributes(s).get("input.value")).startswith("a long thread ")]
    check("hooks tell the turn to the token", [f.get("llm.token_count.prompt") for f in found] == [2001], found)
    kept = [path.name for path in (lab.harness / "state/codex/debug").glob("*")]
    check("without a call of notify", kept and not any("notify" in name for name in kept), kept)


def lives_on_a_share(directory, exe, collector, script):
    """The person's folders lie on another machine, as in many companies."""
    share = pathlib.Path(directory).resolve() / "prefix/dosdevices/unc/server/people"
    there = share.parent.parent.parent.parent / "drive_c/lab/people"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    share.parent.mkdir(parents=True, exist_ok=True)
    if not share.is_symlink():
        share.symlink_to(there)
    lab = Windows(directory, "\\\\server\\people\\jo")
    lab.clear(BEFORE)
    done = lab.run(exe, "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    check("install on a share", done.returncode == 0, done.stdout + done.stderr)
    is_trusted(lab, "on a share")
    try:
        # wine calls a program there UNC\\server\\…, which is no path, so that a hook cannot start its own program again.
        delivers(lab, collector, script, flush=True)
    finally:
        lab.end_model()
    done = lab.run(lab.ours("arize-codex"), "uninstall", "--yes")
    check("uninstall from a share", done.returncode == 0 and not list((lab.harness / "bin").glob("*")), done.stderr)


def inputs(collector, seen):
    """What went into the spans that arrived since, once there are any."""
    until(lambda: len(collector.spans) > seen)
    return [str(attributes(s).get("input.value")) for s in collector.spans[seen:]]


def speaks_windows(lab, exe):
    lab.clear(BEFORE)
    (lab.codex_home / "config.toml").chmod(0o444)
    done = lab.run(exe, "install", "--yes", "--target", "local")
    said = done.stderr.decode(errors="replace")
    check("advice for a file that is read-only", done.returncode == 1 and "attrib -r" in said and "chmod" not in said, said)
    (lab.codex_home / "config.toml").chmod(0o644)


def main():
    directory, exe = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    python = pathlib.Path(directory).resolve() / "venv/bin/python"
    if pathlib.Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])
    collector = Collector()
    lab = Windows(directory, HOME)
    parts = sys.argv[3:] or ["codex", "windows"]
    try:
        with tempfile.TemporaryDirectory() as folder:
            script, slow = scripts(lab, folder)
            if "codex" in parts:
                lives(lab, exe, collector, script, slow, survives_kill_in_delivery)
            if "windows" in parts:
                takes_long_paths(lab, exe)
                prefers_commands_for_windows(lab)
                misses_long_notify(lab, exe, collector, script)
                needs_no_notify(lab, exe, collector, script)
                speaks_windows(lab, exe)
                has_plugin(lab)
                lives_on_a_share(directory, exe, collector, script)
                obeys_administrator(lab, exe, collector, script)
    finally:
        lab.stop()
    return ended()


if __name__ == "__main__":
    sys.exit(main())
