#!/usr/bin/env python3
"""Tests an arize-codex executable as a user would have it, on a machine of its system or under an emulator.

    executable_test.py EXE [LAUNCHER…]     with `qemu-aarch64-static -0 {name}`, an executable for arm64 Linux

Installs in a new home, gives every role bad input, replays a recording of the real Codex through the hooks, compares
what a collector got with what the recording must become, looks at it with list, show and doctor, in several time zones and
through a closed pipe, and uninstalls.
The Python that runs it needs opentelemetry-proto, as target/platform/venv/bin/python has.
"""
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from checks import check, ended, is_silent, takes_closed_pipe, tells_local_time
from collector import Collector, attributes

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RECORDING = ROOT / "fixtures/codex-0.171.0/parallel-tools"
BEFORE = b'# mine\nmodel_reasoning_effort = "low" # kept\n\n[tui]\nnotifications = false\n'
OURS = ("ARIZE_", "PHOENIX_", "OTEL_", "CODEX_", "TRACEPARENT")
LINKS = {"SessionStart": "session", "UserPromptSubmit": "session", "SubagentStart": "session", "Stop": "stop", "SubagentStop": "stop",
         "Interrupt": "stop", "SessionEnd": "stop"}


class Home:
    def __init__(self, folder, exe, launcher):
        self.folder, self.exe, self.launcher = pathlib.Path(folder), exe, launcher
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)} | {"HOME": folder, "USERPROFILE": folder}
        self.bin = self.folder / ".arize/harness/bin"
        self.config = self.folder / ".codex/config.toml"
        self.config.parent.mkdir()
        self.config.write_bytes(BEFORE)

    def run(self, name, *arguments, input=b"", program=None, env=None, output=None):
        """Runs our executable under a name; what it started goes on, which is why the streams are files."""
        program = program or self.bin / (name + self.exe.suffix)
        launcher = [word.replace("{name}", str(self.bin / name)) for word in self.launcher]
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(input)
            given.seek(0)
            done = subprocess.run([*launcher, str(program), *arguments], env=self.env | (env or {}), cwd=self.folder, stdin=given, stdout=output or out, stderr=err, timeout=120)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


def installs(home, collector):
    version = home.run("arize-codex", "--version", program=home.exe)
    check("version", version.returncode == 0 and version.stdout.strip(), version.stderr)
    if not home.launcher:  # It starts itself, without the emulator.
        demo = home.run("arize-codex", "demo", program=home.exe)
        check("demo", demo.returncode == 0 and b"apply_patch" in demo.stdout, demo.stderr)
    done = home.run("arize-codex", "install", "--yes", "--target", "phoenix", "--endpoint", collector.url, program=home.exe)
    check("install", done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace"))
    again = home.run("arize-codex", "install", "--yes", "--target", "phoenix", "--endpoint", collector.url)
    check("install again, from the installed executable", again.returncode == 0 and b"already up to date" in again.stdout, again.stdout + again.stderr)
    names = sorted(path.name for path in home.bin.iterdir() if path.suffix == home.exe.suffix)
    check("executable and five links", len(names) == 6, names)


def replay(home):
    """Lays the recording's rollouts into Codex's directory and makes its calls."""
    def moved(text):
        return text.replace("/home/dev", json.dumps(str(home.folder))[1:-1])
    (home.folder / "project").mkdir()
    for line in (RECORDING / "events.jsonl").read_text("utf-8").splitlines():
        event = json.loads(moved(line))
        payload = json.dumps(event["payload"])
        transcript = event["payload"].get("transcript_path")
        if transcript and not os.path.exists(transcript):
            os.makedirs(os.path.dirname(transcript))
            pathlib.Path(transcript).write_text(moved((RECORDING / os.path.basename(transcript)).read_text("utf-8")), "utf-8")
        if event["event"] == "notify":
            done = home.run("arize-hook-codex-notify", payload)
        else:
            done = home.run(f"arize-hook-codex-{LINKS.get(event['event'], 'tool')}", input=payload.encode())
        if (done.returncode, done.stdout, done.stderr) != (0, b"", b""):
            check(event["event"], False, (done.returncode, done.stdout, done.stderr))


def delivers(home, collector):
    replay(home)
    expected = json.loads((RECORDING / "expected.json").read_text())["turns"][0]
    spans = list(collector.wait(90))
    root = next((s for s in spans if not s.parent_span_id), None)
    got = attributes(root) if root else {}
    tokens = [got.get(f"llm.token_count.{name}") for name in ("prompt", "completion", "prompt_details.cache_read", "completion_details.reasoning")]
    check("tokens of the turn", tokens == list(expected["tokens"].values()), (tokens, expected["tokens"]))
    check("prompt and answer", (got.get("input.value"), got.get("output.value")) == (expected["prompts"][0], expected["answer"]), got)
    tools = [s for s in spans if attributes(s).get("openinference.span.kind") == "TOOL"]
    check("its tools", len(tools) == len(expected["tools"]), [s.name for s in tools])
    check("which of them failed", sum(s.status.code == 2 for s in tools) == sum(not t["ok"] for t in expected["tools"]), [s.status for s in tools])


def shows(home):
    for words in (["list"], ["show", "last"], ["stats"]):
        done = home.run("arize-codex", *words)
        check(words[0], done.returncode == 0 and (words == ["stats"] or b"do several things at once" in done.stdout), done.stdout + done.stderr)
    said = home.run("arize-codex", "doctor").stdout.decode()
    marks = {line.split()[1]: line.split()[0] for line in said.splitlines() if len(line.split()) > 2}
    check("doctor", [marks.get(name) for name in ("program", "config", "notify", "state", "backend")] == ["ok"] * 5, said)


def uninstalls(home):
    done = home.run("arize-codex", "uninstall", "--yes")
    left = list(home.bin.iterdir()) if home.bin.exists() else []
    check("uninstall", done.returncode == 0 and not left, (left, done.stderr))
    check("config.toml byte for byte", home.config.read_bytes() == BEFORE, home.config.read_bytes())


def main():
    collector = Collector()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder, pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
        installs(home, collector)
        is_silent(lambda name, arguments, payload: home.run(name, *arguments, input=payload))
        delivers(home, collector)
        shows(home)
        run = functools.partial(home.run, "arize-codex")
        tells_local_time(run)
        takes_closed_pipe(run)
        uninstalls(home)
    return ended()


if __name__ == "__main__":
    sys.exit(main())
