#!/usr/bin/env python3
"""Writes rollouts of code mode, failures and Codex's own threads, each with its truth.

    made_rollouts.py OUT_DIR [SEED]

OUT_DIR gets one rollout for each form alone and MIXED more, of one to three turns each, in which a random choice of all
forms follow one another; and truth.json. That says for each thread and turn: its status, the number of responses, and for
each call by its id whether it worked and in which call's script it ran. Threads that are none of the user's have no turn.
The forms are those that Codex 0.171.0 wrote for the scripted model (fixtures/codex-0.171.0): the same kinds of lines, the
same keys. The words are its own.
"""
import json
import pathlib
import random
import sys

MIXED = 40
# Milliseconds since 1970 of 2026-11-22T12:25:36Z.
EPOCH = 1795350336000
PATCH = "apply_patch verification failed: Failed to read file to update /home/dev/project/missing.txt: No such file or directory (os error 2)"
IMAGE = "unable to locate image at `/home/dev/none.png`: No such file or directory (os error 2)"
NO_FILE = "image path `/home/dev/project` is not a file"
REFUSED = "exec_command failed: CreateProcess { message: \"Rejected(\\\"rejected by user\\\")\" }"
UNSTARTED = "exec_command failed: CreateProcess { message: \"Rejected(\\\"Failed to create unified exec process: No such file or directory (os error 2)\\\")\" }"
# What a command or a server may print though it worked.
MISLEADING = ["unsupported call: not really\n", "Script failed, they said\n", "rejected: 3 rows\n", "aborted by user stories: none\n", "apply_patch verification failed? no\n", "{\"error\": null}\n", "Exit code: 9\n"]
# A pixel.
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def uuid7(at, number):
    return f"{at >> 16:08x}-{at & 0xffff:04x}-7000-8000-{number:012x}"


class Thread:
    """A rollout as it grows."""

    def __init__(self, number, source="exec", parent=None, thread_source="user", rng=None, at=None):
        self.rng = rng or random.Random(number)
        self.at, self.lines, self.turns, self.ordinal, self.sequence = at or EPOCH + number * 60_000, [], {}, 0, 0
        self.number, self.calls, self.cells, self.items, self.total = number, 0, 0, 0, 0
        self.id = uuid7(self.at, number)
        self.root = parent.root if parent else self
        meta = {"account_scoped": True, "session_id": self.root.id, "id": self.id, "timestamp": self.stamp(), "cwd": "/home/dev/project", "runtime_workspace_roots": ["/home/dev/project"],
                "originator": "codex_exec", "cli_version": "0.171.0", "source": source, "thread_source": thread_source, "model_provider": "mock",
                "base_instructions": {"text": "You are Codex.", "provenance": {"type": "model", "model": "gpt-6.2-sol"}}, "history_mode": "paginated", "context_window": {"window_id": uuid7(self.at, 0)}}
        if parent:
            meta |= {"parent_thread_id": parent.id}
        self.line("session_meta", meta)

    def stamp(self):
        seconds, millis = divmod(self.at - EPOCH, 1000)
        minutes, second = divmod(25 * 60 + 36 + seconds, 60)
        hours, minute = divmod(minutes, 60)
        return f"2026-11-22T{12 + hours:02d}:{minute:02d}:{second:02d}.{millis:03d}Z"

    def line(self, kind, payload, metadata=None):
        self.at += self.rng.randint(2, 40)
        self.lines.append(json.dumps({"timestamp": self.stamp(), "ordinal": self.ordinal, "type": kind, "payload": payload, **({"metadata": metadata} if metadata else {})}))
        self.ordinal += 1

    def event(self, **payload):
        self.line("event_msg", payload)

    def answered(self, **payload):
        """A response item."""
        self.sequence += 1
        passthrough = {"turn_id": self.turn} | ({"create_time": self.at / 1000} if payload["type"].endswith("output") else {"content_item_kinds": ["unknown"]} if payload["type"] == "message" else {})
        metadata = {"history_sequence": self.sequence, "sampled_through_sequence": max(self.sequence - 1, 0), "client_authored": False, "model_search_state": "unused"}
        self.line("response_item", {**payload, "internal_chat_message_metadata_passthrough": passthrough}, metadata)

    def item(self, item, started=None):
        now = self.at
        self.event(type="item_completed", thread_id=self.id, turn_id=self.turn, item=item, started_at_ms=started or now, completed_at_ms=now)

    def begin(self, trigger="exec"):
        """A turn."""
        self.turn = uuid7(self.at, len(self.turns) + 1)
        self.root_turn = self.turn if self.root is self else self.root.turn
        self.truth = {"status": None, "responses": 0, "tools": {}, "open": []}
        self.turns[self.turn] = self.truth
        self.began = self.at
        attribution = {"turn_id": self.turn, "turn_trigger": trigger, "parent_turn_id": None if self.root is self else self.root.turn, "initiating_agent_path": None if self.root is self else "/root", "root_turn_id": self.root_turn}
        self.event(type="task_started", turn_attribution=attribution, turn_id=self.turn, root_turn_id=self.root_turn, started_at=self.at // 1000, model_context_window=475000, collaboration_mode_kind="default")
        mode = {"mode": "default", "settings": {"model": "gpt-6.2-sol", "reasoning_effort": None, "developer_instructions": None}}
        self.line("turn_context", {"turn_id": self.turn, "root_turn_id": self.root_turn, "disabled_plugin_ids": [], "cwd": "/home/dev/project", "approval_policy": "never", "approvals_reviewer": "user", "permission_profile": {"type": "disabled"},
                                   "model": "gpt-6.2-sol", "comp_hash": "3000", "collaboration_mode": mode, "multi_agent_version": "v2", "realtime_active": False, "summary": "none", "sandbox_policy": {"type": "danger-full-access"}})
        if self.root is self:
            self.item({"type": "UserMessage", "id": uuid7(self.at, 9), "content": [{"type": "text", "text": "do it", "text_elements": []}]})

    def respond(self, *items):
        """One response of the model: what it says, then its usage."""
        for item in items:
            self.answered(**item)
        self.truth["responses"] += 1
        self.total += 1
        usage = {"input_tokens": 1000, "cached_input_tokens": 100, "cache_write_input_tokens": 0, "output_tokens": 50, "reasoning_output_tokens": 7, "total_tokens": 1050}
        times = lambda n: {key: n * value for key, value in usage.items()}
        self.line("token_usage_record", {"thread_id": self.id, "turn_id": self.turn, "session_id": self.root.id, "root_turn_id": self.root_turn, "response_id": f"resp_{self.number}_{self.total}",
                                         "usage": usage, "turn_token_usage": times(self.truth["responses"]), "thread_token_usage": times(self.total)})

    def message(self, text, phase="final_answer"):
        self.items += 1
        self.item({"type": "AgentMessage", "id": f"msg_{self.items}", "content": [{"type": "Text", "text": text}], "phase": phase})
        return {"type": "message", "id": f"msg_{self.items}", "role": "assistant", "content": [{"type": "output_text", "text": text}], "phase": phase}

    def asked(self, name, text, ok, custom=True, namespace=None):
        """A call of the model's, not yet in a response."""
        call = f"call_{self.calls}"
        self.calls += 1
        self.truth["tools"][call] = {"ok": ok, "in": None}
        if custom:
            return call, {"type": "custom_tool_call", "id": f"ct_{call}", "status": "completed", "call_id": call, "name": name, "input": text}
        return call, {"type": "function_call", "id": f"fc_{call}", "name": name, **({"namespace": namespace} if namespace else {}), "arguments": text, "call_id": call}

    def call(self, name, text, ok, custom=True, namespace=None):
        call, item = self.asked(name, text, ok, custom, namespace)
        # the model may think and say something first
        before = []
        if self.rng.random() < 0.2:
            before.append({"type": "reasoning", "id": f"rs_{call}", "summary": [{"type": "summary_text", "text": "think first"}], "content": None, "encrypted_content": "opaque"})
        if self.rng.random() < 0.2:
            before.append(self.message("Let me see.", "commentary"))
        self.respond(*before, item)
        return call

    def output(self, call, output, name=None, custom=True):
        self.answered(type="custom_tool_call_output" if custom else "function_call_output", id=f"out_{call}_{self.sequence}", call_id=call, output=output, **({"name": name} if name else {}))
        self.counts()

    def counts(self):
        """Sent again and again, also when nothing was used since."""
        usage = {"input_tokens": 1000, "cached_input_tokens": 100, "cache_write_input_tokens": 0, "output_tokens": 50, "reasoning_output_tokens": 7, "total_tokens": 1050}
        self.event(type="token_count", info={"total_token_usage": {key: self.total * value for key, value in usage.items()}, "last_token_usage": usage, "last_usage_includes_reasoning": True, "model_context_window": 475000}, rate_limits=None)

    def script(self, call, result, *texts, custom=True, images=()):
        texts = [f"Script {result}\nWall time 0.1 seconds\nOutput:\n", *texts]
        parts = [{"type": "input_text", "text": text} for text in texts] + [{"type": "input_image", "image_url": url} for url in images]
        self.output(call, parts if len(parts) > 1 else texts[0], custom=custom)

    def nested_id(self):
        self.items += 1
        return f"exec-00000000-0000-4000-8000-{self.number:06x}{self.items:06x}"

    def nested(self, parent, kind, ok, takes=50, **item):
        """A call that a script makes and Codex notes."""
        call = self.nested_id()
        started = self.at + 1
        self.at += takes
        self.item({"type": kind, "id": call, **item}, started)
        self.truth["tools"][call] = {"ok": ok, "in": parent}
        return call

    def command(self, parent, code=0, printed="hi\n", status=None, takes=50):
        ran = status is None
        process = {"process_id": str(self.rng.randint(1000, 99999))} if ran else {}
        return self.nested(parent, "CommandExecution", code == 0 and ran, takes, **process, command=["/bin/bash", "-lc", f"true {self.items}"], cwd="file:///home/dev/project", parsed_cmd=[{"type": "unknown", "cmd": "true"}],
                           source="unified_exec_startup", status=status or ("completed" if code == 0 else "failed"), aggregated_output=printed, exit_code=code if ran else -1, duration={"secs": 0, "nanos": 50_000_000})

    def end(self, status="completed"):
        if status == "completed":
            self.respond(self.message("done"))
            self.counts()
        if status == "failed":
            self.truth["responses"] += 1  # the request that was refused
        self.truth["status"] = status
        whole = {"turn_id": self.turn, "started_at": self.began // 1000, "completed_at": self.at // 1000, "duration_ms": self.at - self.began}
        if status == "interrupted":
            self.event(type="turn_aborted", root_turn_id=self.root_turn, reason="interrupted", **whole)
        else:
            error = {"error": {"message": "usage limit reached", "codex_error_info": "usage_limit_exceeded"}} if status == "failed" else {}
            self.event(type="task_complete", root_turn_id=self.root_turn, last_agent_message="done" if status == "completed" else None, time_to_first_token_ms=12, **whole, **error)


# What a script may ask for: the call inside, and what is thrown when it fails.
def inside_command(t, exec_):
    t.command(exec_, printed=t.rng.choice(["hi\n", *MISLEADING]))


def inside_failing_command(t, exec_):
    t.command(exec_, code=t.rng.choice([1, 2, 127, 137]), printed=t.rng.choice(["oops\n", "all is well\n"]))


def inside_patch(t, exec_):
    t.nested(exec_, "FileChange", True, changes={"/home/dev/project/note.txt": {"type": "add", "content": "one\n"}}, status="completed", stdout="Success. Updated the following files:\nA note.txt\n", stderr="")


def inside_image(t, exec_):
    t.nested(exec_, "ImageView", True, path="file:///home/dev/project/img.png")


def inside_mcp(t, exec_):
    said = t.rng.choice(["3", *MISLEADING])
    t.nested(exec_, "McpToolCall", True, server="demo", tool="add", arguments={"a": 1}, status="completed", result={"content": [{"type": "text", "text": said}], "structuredContent": {"result": 3}, "isError": False}, duration={"secs": 0, "nanos": 1})


def inside_failing_mcp(t, exec_):
    t.nested(exec_, "McpToolCall", False, server="demo", tool="boom", arguments={"why": "to see"}, status="failed", result={"content": [{"type": "text", "text": "Error executing tool boom"}], "isError": True}, duration={"secs": 0, "nanos": 1})


def inside_unstarted(t, exec_):
    call = t.command(exec_, status="failed", printed="Failed to create unified exec process: No such file or directory (os error 2)")
    t.truth["tools"][call]["ok"] = False
    return UNSTARTED


def silent(thrown):
    """Fails inside Codex, which notes nothing."""
    return lambda t, exec_: thrown


WORKS = [inside_command, inside_command, inside_failing_command, inside_patch, inside_image, inside_mcp, inside_failing_mcp]
THROWS = [inside_unstarted, *map(silent, [REFUSED, PATCH, IMAGE, NO_FILE, "update_plan is a TODO/checklist tool and is not allowed in Plan mode", "unknown MCP server 'nobody' for the selected environment", "failed to parse function arguments: missing field `cmd`", "Error: boom\n    at exec_main.mjs:1:7", "TypeError: tools.nope is not a function", "SyntaxError: Unexpected token ';'"])]


def work(t, where, most=3):
    """Some calls of a script; returns what was thrown and caught."""
    caught = []
    for _ in range(t.rng.randint(0, most)):
        thrown = t.rng.choice(WORKS + THROWS[:6])(t, where)
        caught += [f"caught: {thrown}"] if thrown else [t.rng.choice(["fine", *MISLEADING])]
    return caught


def script(t):
    """A script that works, whatever fails inside it and is caught."""
    exec_ = t.call("exec", "text('…')", True)
    said = work(t, exec_)
    images = [PIXEL] if t.rng.random() < 0.1 else []
    t.script(exec_, "completed", *said, images=images)
    for _ in range(t.rng.choice([0, 0, 0, 1, 2])):
        t.output(exec_, t.rng.choice(["half way", "Script failed, says a progress line"]), name="exec")


def thrown(t):
    """A script that dies."""
    exec_ = t.call("exec", "await tools.x({})", False)
    said = work(t, exec_, 2)
    reason = None
    while reason is None:
        reason = t.rng.choice(THROWS)(t, exec_)
    t.script(exec_, "failed", *said, f"Script error:\n{reason}")


def parallel(t):
    """Scripts of one response, one after the other."""
    asked = [t.asked("exec", f"text({k})", True) for k in range(t.rng.randint(2, 3))]
    t.respond(*(item for _, item in asked))
    for exec_, _ in asked:
        said = work(t, exec_, 1)
        t.script(exec_, "completed", *said)


def yielded(t):
    """A script that goes on after its first answer, until a wait sees its end."""
    t.cells += 1
    exec_ = t.call("exec", "// @exec: {\"yield_time_ms\": 300}", True)
    work(t, exec_, 1)
    t.script(exec_, f"running with cell ID {t.cells}")
    for _ in range(t.rng.randint(0, 1)):
        wait = t.call("wait", json.dumps({"cell_id": str(t.cells)}), True, custom=False)
        work(t, wait, 1)
        t.script(wait, f"running with cell ID {t.cells}", custom=False)
    end = t.rng.choice(["completed", "completed", "failed", "terminated"])
    wait = t.call("wait", json.dumps({"cell_id": str(t.cells), **({"terminate": True} if end == "terminated" else {})}), end != "failed", custom=False)
    said = work(t, wait, 1) if end != "terminated" else []
    t.script(wait, end, *said, *(["Script error:\nError: late"] if end == "failed" else []), custom=False)


def no_script(t):
    """A call that never became a script."""
    exec_ = t.call("exec", "", False)
    t.output(exec_, "exec expects raw JavaScript source text (non-empty). Provide JS only.")


def no_cell(t):
    wait = t.call("wait", "{\"cell_id\": \"99\"}", False, custom=False)
    t.script(wait, "failed", "Script error:\nexec cell 99 not found", custom=False)


# Calls of the model's own: name, namespace, arguments, output, whether it worked.
DIRECT = [
    ("update_plan", None, "{\"plan\": []}", "Plan updated", True),
    ("update_plan", None, "{\"plan\": 1}", "failed to parse function arguments: invalid type", False),
    ("request_user_input", None, "{\"questions\": []}", "{\"answers\":{\"colour\":{\"answers\":[\"Red\"]}}}", True),
    ("request_user_input", None, "{\"questions\": []}", "request_user_input is unavailable in Default mode", False),
    ("request_user_input_async", None, "{\"questions\": []}", "questions must not be empty", False),
    ("send_message_to_user_async", None, "{\"message\": \"half way\"}", "{\"accepted\":true}", True),
    ("sleep", "clock", "{\"duration_ms\": 300}", "Wall time: 0.3 seconds\nSleep completed.", True),
    ("sleep", "clock", "{\"duration_ms\": 0}", "duration_ms must be between 1 and 43200000", False),
    ("list_agents", "collaboration", "{}", "{\"agents\":[]}", True),
    ("followup_task", "collaboration", "{\"target\": \"/root/a\"}", "", True),
    ("followup_task", "collaboration", "{\"target\": \"/root/x\"}", "live agent path `/root/x` not found", False),
    ("interrupt_agent", "collaboration", "{\"target\": \"/root/a\"}", "{\"previous_status\":\"running\"}", True),
    ("spawn_agent", "collaboration", "{}", "failed to parse function arguments: missing field `task_name`", False),
    ("create_goal", None, "{\"objective\": \"paint\"}", "{\"goal\":{\"status\":\"active\"}}", True),
    ("create_goal", None, "{\"objective\": \"again\"}", "cannot create a new goal because this thread has an unfinished goal; complete the existing goal first", False),
    ("view_image", None, "{\"path\": \"x\"}", [{"type": "input_image", "image_url": PIXEL}], True),
    ("view_image", None, "{\"path\": \"x\"}", NO_FILE, False),
    ("exec_command", None, "{\"cmd\": \"ls\"}", "Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 0\nOriginal token count: 1\nOutput:\nrejected", True),
    ("exec_command", None, "{\"cmd\": \"ls\"}", "Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 3\nOriginal token count: 1\nOutput:\nfine", False),
    ("exec_command", None, "{\"command\": \"ls\"}", "failed to parse function arguments: missing field `cmd` at line 1 column 17", False),
    ("exec_command", None, "{\"cmd\": \"rm x\"}", "Command blocked by PreToolUse hook: no. Command: rm x", False),
    ("exec_command", None, "{\"cmd\": \"rm x\"}", REFUSED, False),
    ("write_stdin", None, "{\"session_id\": 4711}", "write_stdin failed: Unknown process id 4711", False),
    ("none_such", "mcp__demo", "{}", "unsupported call: mcp__demonone_such", False),
    ("nonsense", None, "{}", "unsupported call: nonsense", False),
]


def direct(choice=None):
    def act(t):
        name, namespace, arguments, output, ok = choice or t.rng.choice(DIRECT)
        call = t.call(name, arguments, ok, custom=False, namespace=namespace)
        if name == "send_message_to_user_async":
            t.item({"type": "AgentMessage", "id": call, "content": [{"type": "Text", "text": "half way"}], "phase": "final_answer", "delivery": "async"})
        t.output(call, output, custom=False)
    return act


def direct_patch(ok):
    def act(t):
        call = t.call("apply_patch", "*** Begin Patch", ok)
        t.output(call, "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess. Updated the following files:\nA x\n" if ok else PATCH)
    return act


def search(t):
    t.truth["tools"][f"ws_{t.sequence}"] = {"ok": True, "in": None}
    t.respond({"type": "web_search_call", "id": f"ws_{t.sequence}", "status": "completed", "action": {"type": "search", "query": "weather"}})


def compaction(t):
    started = t.at
    t.respond({"type": "message", "id": "msg_s", "role": "assistant", "content": [{"type": "output_text", "text": "SUMMARY"}], "phase": "final_answer"})
    t.line("compacted", {"message": "Here is the summary:\nSUMMARY", "replacement_history": []})
    t.counts()
    t.item({"type": "ContextCompaction", "id": uuid7(t.at, 7)}, started)


def outlived(t):
    """A command that a script leaves running; killed behind the turn's end, which is nobody's failure."""
    exec_ = t.call("exec", "text(await tools.exec_command({cmd: 'sleep 9', yield_time_ms: 250}))", True)
    started = t.at + 1
    t.at += 300
    t.script(exec_, "completed", "{\"session_id\": 9}")
    t.end()
    late = t.nested_id()
    t.truth["tools"][late] = {"ok": True, "in": None}
    t.truth["open"].append(late)
    t.item({"type": "CommandExecution", "id": late, "process_id": "9", "command": ["/bin/bash", "-lc", "sleep 9"], "cwd": "file:///home/dev/project", "parsed_cmd": [{"type": "unknown", "cmd": "sleep 9"}], "source": "unified_exec_startup",
            "status": "failed", "aggregated_output": "", "exit_code": -1, "duration": {"secs": 0, "nanos": 1}}, started)


def aborted(t):
    exec_ = t.call("exec", "await tools.exec_command({cmd: 'sleep 60'})", False)
    work(t, exec_, 1)
    t.output(exec_, "aborted by user after 2.5s")
    t.end("interrupted")


def failed(t):
    script(t)
    t.end("failed")


def subagent(t):
    """A subagent with a rollout of its own, which begins with the task."""
    call = t.call("spawn_agent", "{\"task_name\": \"helper\", \"message\": \"look\"}", True, custom=False, namespace="collaboration")
    source = {"subagent": {"thread_spawn": {"parent_thread_id": t.id, "depth": 1, "agent_path": "/root/helper", "agent_nickname": "Gauss", "agent_role": None}}}
    t.agents += 1
    agent = Thread(t.number * 8 + 2000 + t.agents, source, t, "subagent", t.rng, t.at + 5)
    t.item({"type": "SubAgentActivity", "model": "gpt-6.2-sol", "reasoning_effort": "low", "id": call, "kind": "started", "agent_thread_id": agent.id, "agent_path": "/root/helper"})
    t.output(call, "{\"task_name\":\"/root/helper\"}", custom=False)
    agent.begin()
    for _ in range(t.rng.randint(1, 2)):
        t.rng.choice([script, thrown, direct()])(agent)
    agent.end(t.rng.choice(["completed", "completed", "interrupted"]))
    t.at = max(t.at, agent.at)
    t.family.append(agent)


ACTS = [script, script, script, thrown, thrown, parallel, yielded, yielded, no_script, no_cell, direct(), direct(), direct(), direct_patch(True), direct_patch(False), search, compaction]
ENDS = [Thread.end, Thread.end, Thread.end, outlived, aborted, failed]


def alone(act, ends=False):
    def build(t):
        t.begin()
        act(t)
        if not ends:
            t.end()
    return build


def mixed(t):
    for _ in range(t.rng.randint(1, 3)):
        t.begin()
        for act in t.rng.choices(ACTS, k=t.rng.randint(2, 8)):
            act(t)
        if t.rng.random() < 0.25 and t.agents < 2:
            subagent(t)
        t.rng.choice(ENDS)(t)


def internal(t):
    t.begin()
    script(t)
    t.end()
    t.turns = {}


ALONE = [("script", script), ("thrown", thrown), ("parallel", parallel), ("yielded", yielded), ("no-script", no_script), ("no-cell", no_cell), ("patch", direct_patch(True)), ("patch-fails", direct_patch(False)), ("search", search),
         ("compaction", compaction), ("subagent", subagent)] + [(f"direct-{k}-{choice[0]}", direct(choice)) for k, choice in enumerate(DIRECT)]
ALONE += [(f"throws-{k}", lambda t, choice=choice: dies_of(t, choice)) for k, choice in enumerate(THROWS)] + [(f"catches-{k}", lambda t, choice=choice: catches(t, choice)) for k, choice in enumerate(THROWS)]
# Codex's own threads, by what they are; no prompt tells.
INTERNAL = [({"subagent": {"other": "guardian"}}, "subagent"), ({"subagent": "memory_consolidation"}, "subagent"), ({"subagent": "compact"}, "subagent"), ({"subagent": {"other": "guardian"}}, "subagent")]


def dies_of(t, choice):
    exec_ = t.call("exec", "await tools.x({})", False)
    t.script(exec_, "failed", f"Script error:\n{choice(t, exec_)}")


def catches(t, choice):
    exec_ = t.call("exec", "try { await tools.x({}) } catch (e) { text(e) }", True)
    t.script(exec_, "completed", f"caught: {choice(t, exec_)}")


def main():
    out, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    out.mkdir(parents=True, exist_ok=True)
    cases = [(name, alone(act), ()) for name, act in ALONE] + [(name, alone(act, ends=True), ()) for name, act in (("outlived", outlived), ("aborted", aborted), ("failed", failed))]
    cases += [(f"internal-{k}", internal, source) for k, source in enumerate(INTERNAL)] + [(f"mixed-{k}", mixed, ()) for k in range(MIXED)]
    truth, first = {}, None
    for number, (name, build, source) in enumerate(cases):
        thread = Thread(number, source[0] if source else "exec", first if source else None, source[1] if source else "user", random.Random(seed * 1000 + number))
        thread.family, thread.agents = [thread], 0
        first = first or thread
        build(thread)
        for member in thread.family:
            truth[member.id] = {"name": name, "turns": member.turns}
            (out / f"rollout-2026-11-22T12-25-36-{member.id}.jsonl").write_text("\n".join(member.lines) + "\n")
    (out / "truth.json").write_text(json.dumps(truth, indent=1))


main()
