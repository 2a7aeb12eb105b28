"""What tests/pictures/run does inside its private /home/dev: Phoenix, the scripted model, Codex, then the pictures."""
import html
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.request

codex, phoenix, arize = sys.argv[1:]
here = pathlib.Path(__file__).resolve().parent
home = pathlib.Path("/home/dev")
project = home / "tally"
turn = json.loads((here / "turn.json").read_text())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, body=None):
    request = urllib.request.Request(url, data=body and json.dumps(body).encode(), headers={"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=10))


def ansi_to_html(text):
    """The few escapes `show` writes."""
    colours = {"1": "strong", "2": "quiet", "31": "bad", "32": "good", "33": "waiting", "34": "model", "35": "agent", "36": "tool", "90": "other"}
    out = []
    for part in re.split(r"(\x1b\[[0-9]+m)", text):
        code = re.fullmatch(r"\x1b\[([0-9]+)m", part)
        if not code:
            out.append(html.escape(part))
        else:
            out.append("</span>" if code[1] == "0" else f'<span class="{colours[code[1]]}">')
    return "".join(out)


port, grpc = free_port(), free_port()
env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", "MOCK_KEY": "x", "CODEX_HOME": str(home / ".codex")}
served = subprocess.Popen([phoenix, "serve"], env={**env, "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(grpc), "PHOENIX_TELEMETRY_ENABLED": "false", "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false", "PHOENIX_WORKING_DIR": str(home / "phoenix")}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
model = None
try:
    for folder in (project, home / ".codex", home / ".arize/harness"):
        folder.mkdir(parents=True)
    for name, text in turn["files"].items():
        (project / name).write_text(text)
    (home / "model.json").write_text(json.dumps(turn["model"]))
    model = subprocess.Popen([sys.executable, here.parent / "lab/mock_model.py", home / "model.json"], stdout=subprocess.PIPE, text=True)
    model_port = model.stdout.readline().strip()
    config = f'model = "gpt-5.5"\nmodel_provider = "openai-mock"\n\n[model_providers.openai-mock]\nname = "mock"\nbase_url = "http://127.0.0.1:{model_port}/v1"\nwire_api = "responses"\nenv_key = "MOCK_KEY"\n'
    for event in ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PermissionRequest", "Stop", "SubagentStart", "SubagentStop", "PreCompact", "PostCompact", "Interrupt", "SessionEnd"]:
        config += f'\n[[hooks.{event}]]\n[[hooks.{event}.hooks]]\ntype = "command"\ncommand = "{arize} hook session"\ntimeout = 3\n'
    (home / ".codex/config.toml").write_text(config)
    (home / ".arize/harness/config.yaml").write_text(f'harnesses: {{codex: {{target: phoenix, endpoint: "http://127.0.0.1:{port}", project_name: tally}}}}\n')
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    subprocess.run([codex, "exec", "--enable", "multi_agent_v2", "--skip-git-repo-check", "--dangerously-bypass-hook-trust", "--sandbox", "danger-full-access", turn["prompt"]], cwd=project, env=env, stdin=subprocess.DEVNULL, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    subprocess.run([arize, "flush"], env=env, check=True)
    time.sleep(3)
    # A terminal of its own, so that there are colours; cat is a pager that keeps everything.
    shown = subprocess.run(["script", "-qec", f"stty cols 112 rows 60; {arize} show", "/dev/null"], env={**env, "PAGER": "cat"}, capture_output=True, text=True, check=True).stdout.replace("\r", "")
    (home / "terminal.html").write_text((here / "terminal.html").read_text().replace("%TEXT%", ansi_to_html(shown.rstrip())))
    found = get(f"http://127.0.0.1:{port}/graphql", {"query": "{projects{edges{node{id name}}}}"})
    project_id = next(e["node"]["id"] for e in found["data"]["projects"]["edges"] if e["node"]["name"] == "tally")
    spans = get(f"http://127.0.0.1:{port}/v1/projects/tally/spans?limit=100")["data"]
    trace = spans[0]["context"]["trace_id"]
    page = subprocess.run([arize, "show", "--html", home / "page.html"], env=env, check=True)
    out = pathlib.Path(os.environ["OUT"])
    out.mkdir(parents=True, exist_ok=True)
    subprocess.run(["node", here / "shoot.mjs", home, out, f"http://127.0.0.1:{port}/projects/{project_id}/traces/{trace}"], check=True)
finally:
    for process in (served, model):
        if process:
            process.terminate()
            process.wait()
