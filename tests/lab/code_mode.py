#!/usr/bin/env python3
"""Writes rollouts of code mode, failures and Codex's own threads, each with its truth.

    code_mode.py OUT_DIR

OUT_DIR gets NN-name.jsonl and, as truth.json, for each file: the status of its turn (none for a thread that is none of
the user's), the number of responses, and for each call by its id whether it worked and in which call's script it ran.
The forms are those that Codex 0.171.0 wrote for a scripted model.
"""
import json
import pathlib
import sys

THREAD = "01a20338-12a8-70e0-af71-%012x"
TURN = "01a20338-12bb-7000-8000-%012x"
EPOCH = 1795350336000
PATCH = "apply_patch verification failed: Failed to read file to update /home/dev/project/missing.txt: No such file or directory (os error 2)"
IMAGE = "unable to locate image at `/home/dev/none.png`: No such file or directory (os error 2)"
REFUSED = "exec_command failed for `/bin/bash -lc 'rm x'`: CreateProcess { message: \"Rejected(\\\"rejected by user\\\")\" }"


class Rollout:
    def __init__(self, number, source="exec", extra=None):
        self.thread, self.turn = THREAD % number, TURN % number
        self.at, self.lines, self.responses, self.tools, self.calls = EPOCH, [], 0, {}, 0
        meta = {"id": self.thread, "session_id": self.thread, "cwd": "/home/dev/project", "originator": "codex_exec",
                "cli_version": "0.171.0", "source": source, "model_provider": "openai", **(extra or {})}
        self.line("session_meta", meta)
        self.event(type="task_started", turn_id=self.turn, root_turn_id=self.turn, model_context_window=475000)
        self.line("turn_context", {"turn_id": self.turn, "cwd": "/home/dev/project", "model": "gpt-6.2-sol", "approval_policy": "never", "summary": "none"})
        self.item({"type": "UserMessage", "id": "u", "content": [{"type": "text", "text": "do it"}]})

    def line(self, kind, payload):
        self.at += 10
        seconds, millis = divmod(self.at, 1000)
        minute, second = divmod(seconds - EPOCH // 1000, 60)
        stamp = f"2026-11-22T12:{25 + minute:02d}:{second:02d}.{millis:03d}Z"
        self.lines.append(json.dumps({"timestamp": stamp, "type": kind, "payload": payload}))

    def now(self):
        """The time of the next line, as items write it."""
        return 1795350300000 + (self.at + 10 - EPOCH)

    def event(self, **payload):
        self.line("event_msg", payload)

    def item(self, item, started=None):
        self.event(type="item_completed", thread_id=self.thread, turn_id=self.turn, item=item,
                   started_at_ms=started or self.now(), completed_at_ms=self.now())

    def respond(self, *items):
        """One response of the model."""
        for item in items:
            self.line("response_item", item)
        self.responses += 1
        usage = {"input_tokens": 1000, "cached_input_tokens": 100, "output_tokens": 50, "reasoning_output_tokens": 7, "total_tokens": 1050}
        self.line("token_usage_record", {"turn_id": self.turn, "response_id": f"resp_{self.responses}", "usage": usage})

    def call(self, name, text, ok, custom=True):
        call = f"call_{self.calls}"
        self.calls += 1
        key = "input" if custom else "arguments"
        kind = "custom_tool_call" if custom else "function_call"
        self.respond({"type": kind, "call_id": call, "name": name, key: text, "status": "completed"})
        self.tools[call] = {"ok": ok, "in": None}
        return call

    def output(self, call, text, name=None, custom=True):
        payload = {"type": "custom_tool_call_output" if custom else "function_call_output", "call_id": call, "output": text}
        self.line("response_item", {**payload, **({"name": name} if name else {})})

    def script(self, call, result, *texts, custom=True):
        parts = [f"Script {result}\nWall time 0.1 seconds\nOutput:\n", *texts]
        self.output(call, [{"type": "input_text", "text": part} for part in parts], custom=custom)

    def nested(self, parent, kind, ok, **item):
        call = f"exec-00000000-0000-4000-8000-{len(self.tools):012x}"
        started = self.now()
        self.at += 50
        self.item({"type": kind, "id": call, **item}, started)
        self.tools[call] = {"ok": ok, "in": parent}
        return call

    def command(self, parent, code=0, status=None):
        return self.nested(parent, "CommandExecution", code == 0 and status is None, command=["/bin/bash", "-lc", "true"], exit_code=None if status else code,
                           status=status or ("completed" if code == 0 else "failed"), aggregated_output="" if status else "rejected, but only printed\n")

    def end(self, status="completed", **more):
        if status == "completed":
            self.respond({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]})
            self.event(type="task_complete", turn_id=self.turn, last_agent_message="done")
        elif status == "failed":
            self.event(type="task_complete", turn_id=self.turn, last_agent_message=None, error={"message": "usage limit reached"})
        else:
            self.event(type="turn_aborted", turn_id=self.turn, reason="interrupted")
        return {"status": status, "responses": self.responses, "tools": self.tools, **more}


def simple(result, *texts, ok=True, code=None):
    def build(r):
        call = r.call("exec", "text(await tools.exec_command({cmd: 'true'}))", ok)
        if code is not None:
            r.command(call, code)
        r.script(call, result, *texts)
        return r.end()
    return build


def classic(name, text, output, ok, custom=False):
    def build(r):
        call = r.call(name, text, ok, custom)
        r.output(call, output, custom=custom)
        return r.end()
    return build


def parallel(r):
    call = r.call("exec", "Promise.all", True)
    for code in (0, 2, 0):
        r.command(call, code)
    r.script(call, "completed", "0 2 0")
    return r.end()


def notified(r):
    call = r.call("exec", "notify('one')", True)
    r.command(call)
    r.script(call, "completed", "final")
    for text in ("Script failed, says a progress line", "two"):
        r.output(call, text, name="exec")
    return r.end()


def yielded(failed):
    def build(r):
        call = r.call("exec", "// @exec: {\"yield_time_ms\": 300}", True)
        r.output(call, "Script running with cell ID 7\nWall time 0.3 seconds\nOutput:\n")
        wait = r.call("wait", json.dumps({"cell_id": "7"}), not failed, custom=False)
        r.command(wait)
        if failed:
            r.script(wait, "failed", "Script error:\nError: late", custom=False)
        else:
            r.script(wait, "completed", "B", custom=False)
        return r.end()
    return build


def declined(r):
    call = r.call("exec", "await tools.exec_command({cmd: 'rm x'})", False)
    r.command(call, status="declined")
    r.script(call, "failed", f"Script error:\n{REFUSED}")
    return r.end()


def outlived(r):
    call = r.call("exec", "text(await tools.exec_command({cmd: 'sleep 9', yield_time_ms: 250}))", True)
    r.script(call, "completed", "{\"session_id\": 9}")
    truth = r.end()
    late = f"exec-00000000-0000-4000-8000-{len(r.tools):012x}"
    # It began in the script's time and was killed after the turn.
    r.item({"type": "CommandExecution", "id": late, "command": ["/bin/bash", "-lc", "sleep 9"], "exit_code": -1, "status": "failed"},
           r.now() - 80)
    truth["tools"][late] = {"ok": True, "in": None}
    truth["open"] = [late]
    return truth


def asynchronous(r):
    call = r.call("send_message_to_user_async", json.dumps({"message": "half way"}), True, custom=False)
    r.item({"type": "AgentMessage", "id": call, "content": [{"type": "Text", "text": "half way"}], "delivery": "async"})
    r.output(call, "{\"accepted\":true}", custom=False)
    return r.end()


def mcp(r):
    call = r.call("exec", "await tools.mcp__demo__add({})", False)
    r.nested(call, "McpToolCall", True, server="demo", tool="add", status="completed", result={"content": [{"type": "text", "text": "rejected: 3 rows"}], "isError": False})
    r.nested(call, "McpToolCall", False, server="demo", tool="boom", status="failed", result={"content": [{"type": "text", "text": "boom"}], "isError": True})
    r.script(call, "failed", "Script error:\nError: boom")
    return r.end()


def aborted(r):
    call = r.call("exec", "await tools.exec_command({cmd: 'sleep 60'})", False)
    r.output(call, "aborted by user after 2.5s")
    return r.end("interrupted")


def failed_turn(r):
    call = r.call("exec", "text(1)", True)
    r.script(call, "completed", "1")
    truth = r.end("failed")
    truth["responses"] += 1  # the request that was refused
    return truth


def internal(r):
    r.end()
    return {"status": None, "responses": 0, "tools": {}}


CASES = [
    ("command", simple("completed", "hi", code=0)),
    ("command-fails", simple("completed", "exit code 3", code=3)),
    ("script-throws", simple("failed", "Script error:\nError: boom\n    at exec_main.mjs:1:7", ok=False)),
    ("script-throws-after-command", simple("failed", "printed", "Script error:\nError: boom", ok=False, code=0)),
    ("script-syntax", simple("failed", "Script error:\nSyntaxError: Unexpected token ';'", ok=False)),
    ("script-unknown-tool", simple("failed", "Script error:\nTypeError: tools.nope is not a function", ok=False)),
    ("script-patch-fails", simple("failed", f"Script error:\n{PATCH}", ok=False)),
    ("script-image-missing", simple("failed", f"Script error:\n{IMAGE}", ok=False)),
    ("script-catches", simple("completed", f"caught: {PATCH}")),
    ("script-prints-failure-words", simple("completed", "unsupported call: not really")),
    ("script-policy", simple("failed", "Script error:\napproval policy is Never; reject command", ok=False)),
    ("script-terminated", simple("terminated")),
    ("parallel", parallel),
    ("notify", notified),
    ("yielded", yielded(False)),
    ("yielded-fails", yielded(True)),
    ("declined", declined),
    ("outlived", outlived),
    ("async-message", asynchronous),
    ("mcp", mcp),
    ("aborted", aborted),
    ("failed-turn", failed_turn),
    ("classic-patch-fails", classic("apply_patch", "*** Begin Patch", PATCH, False, custom=True)),
    ("classic-unknown-tool", classic("nonsense", "{}", "unsupported call: nonsense", False)),
    ("classic-refused", classic("exec_command", "{}", "exec command rejected by user", False)),
    ("classic-blocked", classic("exec_command", "{}", "Command blocked by PreToolUse hook: no. Command: rm", False)),
    ("classic-plan", classic("update_plan", "{\"plan\":[]}", "Plan updated", True)),
    ("classic-prints-failure-words", classic("exec_command", "{}", "Chunk ID: 1\nProcess exited with code 0\nOutput:\nrejected", True)),
    ("guardian", internal, {"subagent": {"other": "guardian"}}),
    ("memories", internal, {"subagent": "memory_consolidation"}),
    ("compact-thread", internal, {"subagent": "compact"}),
]


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    truth = {}
    for number, (name, build, *source) in enumerate(CASES):
        rollout = Rollout(number, *(source or ["exec"]), {"parent_thread_id": THREAD % 0} if source else None)
        truth[rollout.thread] = {"name": name, **build(rollout)}
        (out / f"rollout-2026-11-22T12-25-36-{rollout.thread}.jsonl").write_text("\n".join(rollout.lines) + "\n")
    (out / "truth.json").write_text(json.dumps(truth, indent=1))


main()
