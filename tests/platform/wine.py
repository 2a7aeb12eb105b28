"""The real codex.exe and our executable under wine, with a scripted model, for the tests beside this file.

windows.sh makes the directory all of it lies in. What wine cannot show: real PowerShell (powershell.c stands in for
it), lists of rights other than those modes can express, Defender, the limit of a command line, Windows Terminal.
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "lab/mock_model.py"
OURS = ("ARIZE_", "PHOENIX_", "OTEL_", "CODEX_", "TRACEPARENT")


class Windows:
    """A wine prefix with Codex in it and the folders of one person."""

    def __init__(self, folder, home=None):
        self.folder = pathlib.Path(folder).resolve()
        self.drive = self.folder / "prefix/drive_c"
        shell = subprocess.run(["sh", "-c", f'eval "$({shlex.quote(str(HERE / "windows.sh"))} env {shlex.quote(str(self.folder))})" && env -0'],
                               capture_output=True, check=True).stdout.decode()
        self.env = {k: v for k, v in (line.split("=", 1) for line in shell.split("\0") if line) if not k.startswith(OURS)}
        self.codex_exe = next(self.folder.glob(f"codex-{os.environ.get('CODEX_VERSION', '*')}/package/vendor/*/bin/codex.exe"))
        self.env["MOCK_KEY"] = "x"
        if home:
            self.home = self.path(home)
            self.env |= {"CODEX_HOME": home + "\\.codex", "ARIZE_HARNESS_HOME": home + "\\.arize\\harness"}
        else:
            self.home = next(p for p in (self.drive / "users").iterdir() if p.name != "Public")
        self.codex_home, self.harness = self.home / ".codex", self.home / ".arize/harness"
        self.work = self.drive / "lab/project"
        self.model_process = None

    def path(self, windows):
        """Where a path of drive C: or of a share lies."""
        if windows.startswith("\\\\"):
            return self.folder / "prefix/dosdevices/unc" / windows[2:].replace("\\", "/")
        return self.drive / windows[3:].replace("\\", "/")

    def clear(self, before=None):
        """Empties the person's folders; `before` becomes their config.toml."""
        for folder in (self.codex_home, self.home / ".arize", self.work):
            shutil.rmtree(folder, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.codex_home.mkdir(parents=True)
        if before is not None:
            (self.codex_home / "config.toml").write_bytes(before)

    def run(self, program, *args, input=b"", timeout=300, env=None, output=None):
        """Runs a program to its end; what it started in the background may go on, and hold a pipe, which is why the streams are files."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(input)
            given.seek(0)
            done = subprocess.run(["wine", str(program), *args], cwd=self.work, env=self.env | (env or {}), stdin=given, stdout=output or out, stderr=err, timeout=timeout)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def ours(self, name):
        return self.harness / "bin" / f"{name}.exe"

    def processes(self, name):
        """The command lines of a program's processes in this prefix."""
        mark, found = f"WINEPREFIX={self.env['WINEPREFIX']}".encode(), []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes()
                if name.encode() in line and mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(line.replace(b"\0", b" ").decode(errors="replace"))
            except OSError:  # It has ended.
                continue
        return found

    def model(self, script):
        """Starts the scripted model; `self.provider` are the flags by which Codex finds it, so that config.toml stays as it is."""
        self.end_model()
        self.model_process = subprocess.Popen([sys.executable, str(MODEL), str(script)], stdout=subprocess.PIPE, text=True)
        port = self.model_process.stdout.readline().strip()
        self.provider = ["-c", 'model="gpt-5.5"', "-c", 'model_provider="mock"', "-c", f'model_providers.mock={{name="mock",base_url="http://127.0.0.1:{port}/v1",'
                         'wire_api="responses",env_key="MOCK_KEY",request_max_retries=1,stream_max_retries=1}']

    def end_model(self):
        if self.model_process:
            self.model_process.terminate()
            self.model_process.wait()
            self.model_process = None

    def codex(self, prompt, *args, trusted=False, **kw):
        flags = [] if trusted else ["--dangerously-bypass-hook-trust"]
        return self.run(self.codex_exe, "exec", prompt, "--skip-git-repo-check", *flags, *self.provider, *args, **kw)

    def app_server(self, *requests):
        """The results of requests to Codex's app-server: (method, params) each."""
        process = subprocess.Popen(["wine", str(self.codex_exe), "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.work, env=self.env)
        late = threading.Timer(120, process.kill)
        late.start()
        results = []
        try:
            first = ("initialize", {"clientInfo": {"name": "arize-codex-tests", "version": "0"}, "capabilities": {"experimentalApi": True}})
            for number, (method, params) in enumerate([first, *requests]):
                process.stdin.write(json.dumps({"id": number, "method": method, "params": params}).encode() + b"\n")
                process.stdin.flush()
                answers = (json.loads(line) for line in process.stdout if line.startswith(b"{"))
                answer = next((a for a in answers if a.get("id") == number and "method" not in a), {"error": "app-server ended"})
                if "result" not in answer:
                    raise RuntimeError(f"{method}: {answer}")
                results.append(answer["result"])
        finally:
            late.cancel()
            process.stdin.close()
            process.terminate()
            process.wait()
        return results[1:]

    def hooks(self):
        listed, = self.app_server(("hooks/list", {"cwds": ["C:\\lab\\project"]}))
        return [hook for entry in listed["data"] for hook in entry["hooks"]]

    def trust(self):
        """Writes what /hooks writes when all is trusted."""
        with (self.codex_home / "config.toml").open("a") as out:
            for hook in self.hooks():
                out.write(f"\n[hooks.state.{json.dumps(hook['key'])}]\ntrusted_hash = \"{hook['currentHash']}\"\n")

    def stop(self):
        self.end_model()
        subprocess.run([str(HERE / "windows.sh"), "stop", str(self.folder)], stdout=subprocess.DEVNULL)
