"""The real Codex and our executable with the folders of one person and a scripted model, for the tests beside this file."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "lab/mock_model.py"
OURS = ("ARIZE_", "PHOENIX_", "OTEL_", "CODEX_", "TRACEPARENT")


class Machine:
    """This machine; `home` becomes the person's folder."""
    launcher = []
    suffix = ".exe" if os.name == "nt" else ""
    # What runs `echo` without a shell of its own.
    echo = "cmd /c echo" if os.name == "nt" else "echo"

    def __init__(self, codex, home):
        self.codex_exe, self.home = pathlib.Path(codex).resolve(), pathlib.Path(home)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        self.env |= {"HOME": str(home), "USERPROFILE": str(home), "CODEX_HOME": str(self.home / ".codex"),
                     "ARIZE_HARNESS_HOME": str(self.home / ".arize/harness"), "MOCK_KEY": "x"}
        self.codex_home, self.harness = self.home / ".codex", self.home / ".arize/harness"
        self.work = self.work_named = self.home / "project"
        self.model_process = None

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
            done = subprocess.run([*self.launcher, str(program), *args], cwd=self.work, env=self.env | (env or {}), stdin=given, stdout=output or out, stderr=err, timeout=timeout)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def ours(self, name):
        return self.harness / "bin" / (name + self.suffix)

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
        process = subprocess.Popen([*self.launcher, str(self.codex_exe), "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.work, env=self.env)
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
        listed, = self.app_server(("hooks/list", {"cwds": [str(self.work_named)]}))
        return [hook for entry in listed["data"] for hook in entry["hooks"]]

    def trust(self):
        """Writes what /hooks writes when all is trusted."""
        with (self.codex_home / "config.toml").open("a") as out:
            for hook in self.hooks():
                out.write(f"\n[hooks.state.{json.dumps(hook['key'])}]\ntrusted_hash = \"{hook['currentHash']}\"\n")

    def stop(self):
        self.end_model()
