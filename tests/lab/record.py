#!/usr/bin/env python3
"""Record what the real Codex CLI hands to its hooks and its notify program.

    record.py CODEX SCENARIO.json OUT_DIR [--older CODEX] [--log FILE] [--screens]

CODEX is the codex executable. It runs in a mount namespace where an empty temporary
folder appears as /home/dev, so recorded paths say nothing of the machine that recorded
and two recordings do not meet (Linux, root; the mount point is made when absent).
SCENARIO.json:

    {"model": {...mock_model script...},      what the model answers
     "files": {"/home/dev/x.sh": "text"},     made beforehand, executable
     "setup": ["shell command", ...],         run in /home/dev/project beforehand
     "provider": "supports_websockets = true",   more settings of the model's provider
     "config": "extra config.toml text",      goes before the recording hooks' own groups
     "trusted": true,                         false: hooks registered but not approved
     "default_model": true,                   config.toml names no model: Codex takes its own, in code mode
     "runs": [RUN, ...],                      in order; "{thread}" is the first thread's id,
                                              "{lab}" this folder
     "releases": {"0.142.5": {...}}}          other values for one release

A RUN is one of

    ["exec", "PROMPT", ...]                   a codex command line
    {"exec": [...], "signal": "INT", "on": "PreToolUse", "after": 1.0}
                                              the same, signalled that long after the hook came
    {"exec": [...], "older": true}            a codex command line for the executable named by --older
    {"codex": ["archive", ...]}               any other codex command, no flags added
    {"shell": "command"}                      run in /home/dev/.codex
    {"tui": [ARG, ...], "steps": [STEP, ...]} the terminal UI in tmux; a STEP is text to type,
                                              {"key": "Enter"}, {"sleep": 2}, {"see": "words on the
                                              screen"} or {"event": "Stop", "count": 2} (wait until
                                              that many such calls came in this recording)
    {"app": [COMMAND, ...]}                   codex app-server, driven by app_server.py's commands, and {"event": ...} as above

OUT_DIR gets events.jsonl, one line for each call in the order of arrival:

    {"at_ms": 0, "unix_ms": 0, "event": "PreToolUse", "codex_pid": 1, "payload": {...},
     "transcript_bytes": {"<file>": 123}}     how much of each rollout existed then

and every rollout file as Codex left it, with the long fixed prompts cut short
(transcript_bytes counts the uncut file; a file that Codex compressed stays as it is).
"""
import argparse
import hashlib
import json
import re
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib

import app_server

EVENTS = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PermissionRequest", "Stop",
          "SubagentStart", "SubagentStop", "PreCompact", "PostCompact", "Interrupt", "SessionEnd", "PreModelRequest", "PostModelRequest"]
TRUSTED_BY_HASH = (0, 171, 0)
USER = pathlib.Path("/home/dev")
HOME = USER / ".codex"
CWD = USER / "project"

CAPTURE = """#!/bin/sh
set -- "$1" "$2" "$(date +%s%N)"
f={out}/$3_$$
if [ "$1" = notify ]; then printf '%s' "$2" > $f.payload; else cat > $f.payload; fi
printf '%s %s %s' "$3" "$PPID" "$1" > $f.head
find {home}/sessions -name 'rollout-*' -printf '%f %s\\n' > $f.sizes 2>/dev/null
mv $f.payload $f.done
"""

CONFIG = """{model}model_provider = "mock"
notify = ["{capture}", "notify"]

[model_providers.mock]
name = "mock"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
env_key = "MOCK_KEY"
request_max_retries = 1
stream_max_retries = 1
{provider}
{extra}
"""


def trust(path):
    """Appends to config.toml that a person approved every hook in it, as Codex itself would write."""
    state = ""
    for event, groups in tomllib.loads(path.read_text())["hooks"].items():
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()
        for g, group in enumerate(groups):
            for h, hook in enumerate(group["hooks"]):
                handler = {"async": False, "command": hook["command"], "timeout": hook.get("timeout", 600), "type": "command"}
                if event in ("Interrupt", "SessionEnd"):
                    handler["timeout"] = min(handler["timeout"], 3)
                if "statusMessage" in hook:
                    handler["statusMessage"] = hook["statusMessage"]
                whole = {"event_name": snake, "hooks": [handler]} | ({"matcher": group["matcher"]} if "matcher" in group else {})
                text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                digest = hashlib.sha256(text.encode()).hexdigest()
                state += f'\n[hooks.state."{path}:{snake}:{g}:{h}"]\ntrusted_hash = "sha256:{digest}"\n'
    with path.open("a") as config:
        config.write(state)


def shorten(value, limit):
    if isinstance(value, str):
        return value if len(value) <= limit else value[:limit] + f"… ({len(value)} characters)"
    if isinstance(value, list):
        return [shorten(v, limit) for v in value]
    if isinstance(value, dict):
        return {k: shorten(v, limit) for k, v in value.items()}
    return value


def of_codex(payload):
    """Cuts the prompt of a thread that Codex made for itself: long, fixed and none of a person's."""
    own = (payload.get("cwd") or "").startswith(str(HOME))
    return {**payload, "prompt": shorten(payload["prompt"], 200)} if own and "prompt" in payload else payload


def trim(line):
    record = json.loads(line)
    kind, payload = record.get("type"), record.get("payload", {})
    if kind in ("session_meta", "world_state") or payload.get("role") == "developer":
        return json.dumps(shorten(record, 200), separators=(",", ":"), ensure_ascii=False)
    if payload.get("type") == "tool_search_output" or kind == "turn_context":
        return json.dumps(shorten(record, 400), separators=(",", ":"), ensure_ascii=False)
    if kind == "compacted":
        for message in payload.get("replacement_history") or []:
            if message.get("role") == "developer":
                message.update(shorten(message, 200))
        return json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    return line


class Recorder:
    def __init__(self, options, scenario, thread=""):
        self.options, self.scenario, self.thread = options, scenario, thread
        self.here = pathlib.Path(__file__).resolve().parent
        self.raw = USER / "raw"
        # with the flag the terminal UI stays in one process; approved hooks leave it to its background server, and
        # app-server has no such flag
        in_server = any(isinstance(run, dict) and "app" in run for run in scenario["runs"])
        self.by_hash = in_server or tuple(map(int, options.release.split("."))) >= TRUSTED_BY_HASH
        self.trust = ["--dangerously-bypass-hook-trust"] if scenario.get("trusted", True) and not self.by_hash else []

    def count(self, event):
        return sum(h.read_text().endswith(" " + event) for h in self.raw.glob("*.head"))

    def wait_event(self, event, count, within=40):
        end = time.time() + within
        while time.time() < end and self.count(event) < count:
            time.sleep(0.1)
        if self.count(event) < count:
            print(f"!!! {count} {event} did not come", flush=True)

    def fill(self, arguments):
        return [a.replace("{thread}", self.thread).replace("{lab}", str(self.here)) for a in arguments]

    def terminal(self, run, env):
        name = f"codex-lab-{os.getpid()}"
        tmux = ["tmux", "-L", name, "-f", "/dev/null"]
        settings = [f"{k}={env[k]}" for k in ("CODEX_HOME", "MOCK_KEY", "HOME", "LANG")]
        arguments = self.fill(run["tui"])
        if self.by_hash and "--enable" in arguments:
            # the background server takes features from config.toml alone: a terminal that asks for others ends at once
            at = arguments.index("--enable")
            config = HOME / "config.toml"
            config.write_text(config.read_text() + f"\n[features]\n{arguments[at + 1]} = true\n")
            del arguments[at:at + 2]
        command = [self.options.codex] + arguments + self.trust
        subprocess.run(tmux + ["-u", "new-session", "-d", "-s", name, "-x", "160", "-y", "50", "-c", str(CWD), "env"] + settings + command, check=True)

        def screen():
            return subprocess.run(tmux + ["capture-pane", "-p", "-t", name], capture_output=True, text=True).stdout

        if self.by_hash:
            # the background server is installed and started first
            end = time.time() + 60
            while time.time() < end and " · ~/project" not in screen():
                time.sleep(0.2)
        for step in run["steps"]:
            if isinstance(step, str):
                subprocess.run(tmux + ["send-keys", "-t", name, "-l", step])
                time.sleep(0.6)
            elif "key" in step:
                subprocess.run(tmux + ["send-keys", "-t", name, step["key"]])
                time.sleep(step.get("then", 0.6))
            elif "see" in step:
                end = time.time() + step.get("within", 30)
                while time.time() < end and step["see"] not in screen():
                    time.sleep(0.1)
                if step["see"] not in screen():
                    print(f"!!! not seen: {step['see']}\n{screen().strip()}", flush=True)
            elif "event" in step:
                self.wait_event(step["event"], step.get("count", 1))
            else:
                time.sleep(step["sleep"])
            if self.options.screens:
                print(f"----- after {step}\n{screen().strip()}", flush=True)
        print(screen().strip(), flush=True)
        subprocess.run(tmux + ["kill-server"], stderr=subprocess.DEVNULL)
        time.sleep(1.5)

    def application(self, commands, env):
        app = app_server.App(self.options.codex, str(CWD), env)
        for command in commands:
            if "event" in command:
                self.wait_event(command["event"], command.get("count", 1))
                continue
            try:
                print(json.dumps(command), app.do(command), flush=True)
            except (RuntimeError, TimeoutError, LookupError) as error:
                print(f"!!! {command}: {error}", flush=True)
        app.close()
        time.sleep(1)

    def run(self, run, env):
        if isinstance(run, dict) and "tui" in run:
            return self.terminal(run, env)
        if isinstance(run, dict) and "app" in run:
            return self.application(run["app"], env)
        if isinstance(run, dict) and "shell" in run:
            return subprocess.run(self.fill([run["shell"]])[0], shell=True, cwd=HOME, env=env)
        if isinstance(run, dict) and "codex" in run:
            return subprocess.run([self.options.codex] + self.fill(run["codex"]), cwd=CWD, env=env, stdin=subprocess.DEVNULL, timeout=60)
        arguments = run["exec"] if isinstance(run, dict) else run
        older = isinstance(run, dict) and run.get("older")
        command = [self.options.older if older else self.options.codex] + self.fill(arguments) + ["--skip-git-repo-check"] + self.trust
        before = {e: self.count(e) for e in EVENTS}
        made = subprocess.Popen(command, cwd=CWD, env=env, stdin=subprocess.DEVNULL)
        if isinstance(run, dict) and "signal" in run:
            self.wait_event(run["on"], before[run["on"]] + 1)
            time.sleep(run.get("after", 0))
            # npm's launcher forwards what it can; the executable is its child, or itself
            child = subprocess.run(["ps", "-o", "pid=", "--ppid", str(made.pid)], capture_output=True, text=True).stdout.split()
            target = int(child[0]) if child else made.pid
            os.kill(target, getattr(signal, "SIG" + run["signal"]))
        made.wait(timeout=120)
        print("exit", made.returncode, flush=True)
        time.sleep(1)

    def record(self):
        out = pathlib.Path(self.options.out)
        shutil.rmtree(out, ignore_errors=True)
        for folder in (out, HOME, CWD, self.raw):
            folder.mkdir(parents=True, exist_ok=True)
        script = self.raw / "model.json"
        script.write_text(json.dumps(self.scenario["model"]))
        log = ["--log", self.options.log] if self.options.log else []
        model = subprocess.Popen([sys.executable, self.here / "mock_model.py", script] + log, stdout=subprocess.PIPE, text=True)
        port = model.stdout.readline().strip()
        capture = HOME / "capture.sh"
        capture.write_text(CAPTURE.format(out=self.raw, home=HOME))
        capture.chmod(0o755)
        config = CONFIG.format(model="" if self.scenario.get("default_model") else 'model = "gpt-5.5"\n', capture=capture, port=port, provider=self.scenario.get("provider", ""), extra=self.scenario.get("config", "").replace("{python}", "/home/dev/python3").replace("{lab}", "/home/dev"))
        shutil.copy(self.here / "mcp_server.py", USER / "mcp_server.py")
        os.symlink(os.path.realpath(sys.executable), USER / "python3")
        for event in EVENTS:
            timeout = 3 if event in ("Interrupt", "SessionEnd") else 30
            config += f'\n[[hooks.{event}]]\n[[hooks.{event}.hooks]]\ntype = "command"\ncommand = "{capture} {event}"\ntimeout = {timeout}\n'
        (HOME / "config.toml").write_text(config)
        if self.scenario.get("trusted", True) and self.by_hash:
            trust(HOME / "config.toml")
        env = {"PATH": os.environ["PATH"], "CODEX_HOME": str(HOME), "MOCK_KEY": "x", "HOME": str(USER), "LANG": "C.UTF-8", "TERM": "xterm-256color",
               "GIT_AUTHOR_NAME": "dev", "GIT_AUTHOR_EMAIL": "dev@example.com", "GIT_COMMITTER_NAME": "dev", "GIT_COMMITTER_EMAIL": "dev@example.com"}
        try:
            for path, text in self.scenario.get("files", {}).items():
                pathlib.Path(path).write_text(text)
                pathlib.Path(path).chmod(0o755)
            for command in self.scenario.get("setup", []):
                subprocess.run(command.replace("{lab}", str(self.here)), shell=True, cwd=CWD, env=env, check=True, stdout=subprocess.DEVNULL)
            for run in self.scenario["runs"]:
                self.run(run, env)
                if not self.thread:
                    rollouts = sorted(HOME.glob("sessions/**/rollout-*.jsonl"))
                    self.thread = rollouts[0].stem[28:] if rollouts else ""
        finally:
            self.end_servers()
            model.terminate()
        self.keep(out)

    def end_servers(self):
        """Ends what the terminal UI left running in this recording's home."""
        mark, here = f"CODEX_HOME={HOME}".encode(), os.readlink("/proc/self/ns/mnt")
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "ns/mnt") == here and mark in (process / "environ").read_bytes().split(b"\0"):
                    print("ending", (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(), flush=True)
                    os.kill(int(process.name), signal.SIGTERM)
            except OSError:
                pass
        time.sleep(1)

    def keep(self, out):
        start = None
        with open(out / "events.jsonl", "w") as events:
            for done in sorted(self.raw.glob("*.done"), key=lambda p: int(p.name.split("_")[0])):
                at, pid, event = done.with_suffix(".head").read_text().split(" ")
                at = int(at) // 1_000_000
                start = start if start is not None else at
                sizes = dict(line.rsplit(" ", 1) for line in done.with_suffix(".sizes").read_text().splitlines())
                events.write(json.dumps({"at_ms": at - start, "unix_ms": at, "event": event, "codex_pid": int(pid),
                                         "payload": of_codex(json.loads(done.read_text())),
                                         "transcript_bytes": {k: int(v) for k, v in sorted(sizes.items())}},
                                        separators=(",", ":"), ensure_ascii=False) + "\n")
        for folder, target in (("sessions", out), ("archived_sessions", out / "archived_sessions")):
            for rollout in sorted(HOME.glob(f"{folder}/**/rollout-*")):
                target.mkdir(exist_ok=True)
                if rollout.suffix == ".jsonl":
                    lines = rollout.read_text().split("\n")
                    (target / rollout.name).write_text("\n".join(trim(line) if line.endswith("}") else line for line in lines))
                else:
                    shutil.copy(rollout, target / rollout.name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("codex")
    parser.add_argument("scenario")
    parser.add_argument("out")
    parser.add_argument("--older", help="an older codex executable, for runs that say so")
    parser.add_argument("--log", help="keep the requests that the model got")
    parser.add_argument("--screens", action="store_true", help="print the terminal after each step")
    options = parser.parse_args()
    options.codex, options.scenario, options.out = (os.path.abspath(p) for p in (options.codex, options.scenario, options.out))
    options.log = options.log and os.path.abspath(options.log)
    if not os.environ.get("CODEX_LAB_INSIDE"):
        USER.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="codex-lab-", dir="/var/tmp")
        try:
            inner = "mount --bind \"$0\" /home/dev && CODEX_LAB_INSIDE=1 exec \"$@\""
            arguments = [options.codex, options.scenario, options.out]
            arguments += ["--log", options.log] if options.log else []
            arguments += ["--older", os.path.abspath(options.older)] if options.older else []
            arguments += ["--screens"] if options.screens else []
            done = subprocess.run(["unshare", "-m", "sh", "-c", inner, folder, sys.executable, os.path.abspath(__file__)] + arguments)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        sys.exit(done.returncode)
    scenario = json.load(open(options.scenario))
    release = options.release = subprocess.run([options.codex, "--version"], capture_output=True, text=True).stdout.split()[-1]
    Recorder(options, {**scenario, **scenario.get("releases", {}).get(release, {})}).record()


main()
