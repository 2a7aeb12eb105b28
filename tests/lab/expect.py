#!/usr/bin/env python3
"""Bind the expectations that were stated by hand to the ids of a recording, and check them.

    expect.py [FOLDER ...]          write expected.json in each (default: every recording), then check it

expect/SCENARIO.json says what the model was told to do and what a person saw, without ids:

    {"shows": "one line", "turns": [TURN, ...], "releases": {"0.142.5": {"turns": [...]}}, "internal": 2}

TURN: {"thread": "t1" (threads in order of creation) or an agent's path, "turn": 1 (the thread's first turn),
       "status": "completed|failed|interrupted", "prompts": [...], "answer": "..." or null,
       "calls": [0, 1, [9000, 0, 100, 0]],   the model calls that completed: n of the agent (prompt 1000+n,
                                             cached 100+n, completion 50+n, reasoning 7) or the scripted usage
                                             as prompt, cached, completion, reasoning
       "tools": [TOOL, ...], "compactions": 0, "error": "words in the error message",
       "kind": "compaction|review|user_shell",   a turn without a prompt to the model: /compact, codex review
       "tokens_known": false, "tools_known": false,   nothing that Codex leaves tells them
       "parent": {"thread": "t1", "turn": 1, "call_id": "call_0_0"}}   for a subagent: the call that gave it this task
                                             (the bound form adds "root", and "agents" at the parent)
TOOL: {"in": "call_0_0",  in code mode: the `exec` whose script makes this call, or "?words in its script", or null for one of an
                           earlier turn
       "call_id": "call_0_0" or "?words in its arguments", "name": the model's name for it, "namespace",
       "hook": the name Codex's hooks have for it (null: no hook comes), "ok": true (null: either may be said), "exit_code": 0,
       "permission": {"asked": true, "decision": "approved|approved always|denied|aborted" (null: open)}}

"releases" replaces fields of the whole expectation for one release. "internal" counts the notify calls of
threads that must not become a turn (task titles), "recaps" those of /recap. "objective" is the goal that a turn without a
prompt works towards: its input.

The check reads the rollouts and the hook calls and compares turn ids, ends, prompts, answers, call ids, exit
codes, permission requests, compactions and every token sum (token_usage_record, else differences of the
token_count totals). It cannot know what is right; it only catches an expectation that its recording contradicts.
"""
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TITLES = (0, 155, 0)  # task titles came with this release or shortly before
TITLE_ONCE = (0, 171, 0)  # since then a thread gets its title once, not with each turn
FIXTURES = os.path.join(HERE, "..", "..", "fixtures")


def read(path):
    if path.endswith(".zst"):
        text = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout.decode()
    else:
        text = open(path).read()
    made = []
    for line in text.split("\n"):
        try:
            made.append(json.loads(line))
        except ValueError:
            pass
    return made


class Recording:
    def __init__(self, folder):
        self.folder = folder
        self.release = re.search(r"codex-([0-9.]+)", folder).group(1)
        self.scenario = os.path.basename(folder)
        self.events = [json.loads(line) for line in open(folder + "/events.jsonl")]
        self.rollouts, self.paths = {}, {}
        for path in sorted(glob.glob(folder + "/rollout-*") + glob.glob(folder + "/*/rollout-*")):
            lines = read(path)
            if lines and lines[0]["type"] == "session_meta":
                meta = lines[0]["payload"]
                self.rollouts.setdefault(meta["id"], []).extend(lines)  # a thread that went back goes on in another file
                spawn = (meta.get("source") or {}) if isinstance(meta.get("source"), dict) else {}
                spawn = (spawn.get("subagent") or {})
                spawn = spawn.get("thread_spawn") or {} if isinstance(spawn, dict) else {}
                for key in ("agent_path", "agent_nickname", "agent_role"):
                    if spawn.get(key):
                        self.paths.setdefault(spawn[key], meta["id"])
        hooked = {self.thread_of(e) for e in self.events if e["event"] != "notify"}
        self.threads = sorted(set(self.rollouts) | (hooked - {None})) or sorted({e["payload"]["thread-id"] for e in self.events})
        # the guardian (automatic approval review) is no work of the session's and becomes no turn
        self.guardians = [t for t in self.threads if t in self.rollouts and self.rollouts[t][0]["payload"].get("source") == {"subagent": {"other": "guardian"}}]
        # so is the thread that consolidates memories: no rollout, and Codex's own folder as its place
        memories = {self.thread_of(e) for e in self.events if re.search(r"/\.codex/memories\w*$", e["payload"].get("cwd") or "")}
        # and one that asks the model something aside: a fork without a rollout
        aside = {self.thread_of(e) for e in self.events if e["payload"].get("source") == "fork" and e["payload"].get("transcript_path") is None}
        self.guardians += [t for t in self.threads if t in memories | aside and t not in self.rollouts]
        self.threads = [t for t in self.threads if t not in self.guardians]
        # a review thread's turn also starts in its parent's rollout, so it is claimed first
        review = [t for t in self.threads if t in self.rollouts and self.rollouts[t][0]["payload"].get("source") == {"subagent": "review"}]
        seen, self.turns = set(), {}
        for thread in review + [t for t in self.threads if t not in review]:
            ids = {line["payload"]["turn_id"] for line in self.rollouts.get(thread, [])
                   if line["type"] == "event_msg" and line["payload"].get("type") in ("task_started", "task_complete", "turn_aborted")}
            ids |= {e["payload"]["turn_id"] for e in self.events if e["event"] != "notify" and e["payload"].get("turn_id") and self.thread_of(e) == thread}
            if thread not in self.rollouts and thread not in hooked:
                ids |= {e["payload"]["turn-id"] for e in self.events if e["payload"].get("thread-id") == thread}
            self.turns[thread] = sorted(ids - seen)
            seen |= ids

    def thread_of(self, event):
        """The thread that a hook call speaks of: a review's calls carry its parent's session_id and no agent_id."""
        payload = event["payload"]
        # rollout-TIME-THREAD.jsonl, or rollout-TIME-THREAD_SEGMENT.jsonl after a step back
        path = re.search(r"rollout-.{19}-([0-9a-f-]{36})", payload.get("transcript_path") or "")
        return payload.get("agent_id") or (path and path.group(1)) or payload["session_id"]

    def thread(self, name):
        if re.fullmatch(r"t\d+", name):
            return self.threads[int(name[1:]) - 1]
        return self.paths[name]

    def own(self, thread, turn):
        """The lines of a turn in its own thread's rollout, without replayed history."""
        lines, inside, made = self.rollouts.get(thread, []), False, []
        for line in lines:
            payload = line["payload"]
            if line["type"] == "event_msg" and payload.get("type") == "task_started":
                inside = payload["turn_id"] == turn
            if inside:
                made.append(line)
        return made or [line for line in lines if turn in json.dumps(line)]

    def calls(self, thread, turn):
        """call id → (name, arguments) of the calls that a turn's own lines hold"""
        made = {}
        # releases before 0.146 keep no id on the call itself
        ended = [line["payload"]["call_id"] for line in self.own(thread, turn) if line["payload"].get("type") == "web_search_end"]
        for line in self.own(thread, turn):
            payload = line["payload"]
            if line["type"] != "response_item":
                continue
            kind = payload.get("type")
            if kind in ("function_call", "custom_tool_call", "local_shell_call"):
                made[payload["call_id"]] = (payload.get("name"), payload.get("arguments") or payload.get("input") or "")
            elif kind == "tool_search_call":
                made[payload["call_id"]] = ("tool_search", json.dumps(payload.get("arguments")))
            elif kind == "web_search_call":
                made[payload.get("id") or ended.pop(0)] = ("web_search", json.dumps(payload.get("action")))
        if thread not in self.rollouts:
            for event in self.events:
                payload = event["payload"]
                if event["event"] == "PreToolUse" and payload["turn_id"] == turn:
                    made[payload["tool_use_id"]] = (None, json.dumps(payload["tool_input"]))
        return made


    def nested(self, thread, turn):
        """call id → (name, arguments) of the calls that scripts made (code mode): only hooks and items tell of them"""
        made = {}
        for line in self.own(thread, turn):
            item = line["payload"].get("item") or {}
            if line["payload"].get("type") == "item_completed" and self.turn_of(thread, item.get("id", ""), line["payload"].get("turn_id")) == turn and item.get("id", "").startswith("exec-"):
                made[item["id"]] = (None, json.dumps(item, ensure_ascii=False))
        for event in self.events:
            payload = event["payload"]
            if event["event"] == "PreToolUse" and self.turn_of(thread, payload["tool_use_id"], payload["turn_id"]) == turn and payload["tool_use_id"].startswith("exec-"):
                made[payload["tool_use_id"]] = (None, json.dumps(payload["tool_input"], ensure_ascii=False))
        return made

    def turn_of(self, thread, call, turn):
        """The turn in whose time a call of a script began: a script goes on in the next turn, under the id of its own."""
        inside, began = None, 0
        for line in self.rollouts.get(thread, []):
            payload = line["payload"]
            if line["type"] == "event_msg" and payload.get("type") == "task_started":
                inside, began = payload["turn_id"], payload["started_at"] * 1000
            if payload.get("type") == "item_completed" and payload["item"].get("id") == call:
                return inside if inside != turn and payload["started_at_ms"] >= began else turn
        return turn


def tokens(calls):
    made = {"prompt": 0, "completion": 0, "cache_read": 0, "reasoning": 0}
    for call in calls:
        usage = [1000 + call, 100 + call, 50 + call, 7] if isinstance(call, int) else call
        for key, value in zip(("prompt", "cache_read", "completion", "reasoning"), usage):
            made[key] += value
    return made


def find_call(recording, thread, turn, words, taken, nested=False):
    held = recording.nested(thread, turn) if nested else recording.calls(thread, turn)
    if not words.startswith("?"):
        return words
    if not held and words.startswith("?"):
        return None
    for call_id, (_, arguments) in held.items():
        if words[1:] in arguments and call_id not in taken:
            return call_id
    raise SystemExit(f"{recording.folder}: no call holds {words[1:]!r}: {held}")


def bind(recording, stated):
    stated = {**stated, **stated.get("releases", {}).get(recording.release, {})}
    hooks = stated.get("hooks", tuple(map(int, recording.release.split("."))) >= (0, 142, 0))
    turns = []
    for said in stated["turns"]:
        thread = recording.thread(said["thread"])
        turn = recording.turns[thread][said["turn"] - 1]
        taken, made = set(), []
        for tool in said.get("tools", []):
            call_id = find_call(recording, thread, turn, tool["call_id"], taken, "in" in tool)
            taken.add(call_id)
            inside = {"in": tool["in"] and find_call(recording, thread, turn, tool["in"], ())} if "in" in tool else {}
            made.append({**tool, **inside, "call_id": call_id, "hook": tool.get("hook") if hooks else None})
        bound = {"thread": thread, "turn_id": turn, "status": said["status"], "prompts": said["prompts"], "answer": said.get("answer"),
                 "responses": len(said["calls"]), "tokens": tokens(said["calls"]), "tools": made,
                 "agents": [],
                 "compactions": said.get("compactions", 0)}
        for key in ("error", "kind", "note", "objective", "tokens_known", "tools_known"):
            if key in said:
                bound[key] = said[key]
        if "parent" in said:
            of = said["parent"]
            parent = recording.thread(of["thread"])
            parent_turn = recording.turns[parent][of["turn"] - 1]
            bound["parent"] = {"thread": parent, "turn_id": parent_turn, "call_id": of["call_id"] and find_call(recording, parent, parent_turn, of["call_id"], ())}
        turns.append(bound)
    by_id = {t["turn_id"]: t for t in turns}
    for turn in turns:
        if "parent" in turn:
            root = by_id[turn["parent"]["turn_id"]]
            root["agents"].append({"thread": turn["thread"], "turn_id": turn["turn_id"], "call_id": turn["parent"]["call_id"]})
            while "parent" in root:
                root = by_id[root["parent"]["turn_id"]]
            turn["root"] = {"thread": root["thread"], "turn_id": root["turn_id"]}
    order = tuple(map(int, recording.release.split(".")))
    internal = stated.get("internal", 0) if order >= TITLES else 0
    if order >= TITLE_ONCE:
        internal = min(internal, len({t["thread"] for t in turns if "parent" not in t}))
    internal += stated.get("recaps", 0)
    return {"shows": stated["shows"], "release": recording.release, "hooks": hooks, "internal_notifies": internal,
            "silent_threads": recording.guardians, "turns": turns}


def usage_of(recording, thread, turn):
    """the exact records and the difference of the totals, as prompt, cached, completion, reasoning"""
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    records = [[line["payload"]["usage"][n] for n in names] for line in recording.rollouts.get(thread, [])
               if line["type"] == "token_usage_record" and line["payload"]["turn_id"] == turn and line["payload"]["thread_id"] == thread]
    # the totals fall back to zero when the context window overflowed, so growth is added up step by step
    difference, seen, inside = [0] * 4, [0] * 4, False
    for line in recording.rollouts.get(thread, []):
        payload = line["payload"]
        if line["type"] == "event_msg" and payload.get("type") == "task_started":
            inside = payload["turn_id"] == turn
        if line["type"] == "event_msg" and payload.get("type") == "token_count" and payload.get("info"):
            total = [payload["info"]["total_token_usage"][n] for n in names]
            if inside and all(b >= a for a, b in zip(seen, total)):
                difference = [d + b - a for d, a, b in zip(difference, seen, total)]
            seen = total
    return records, difference


def check(recording, expected):
    wrong = []

    def differs(turn, what, said, found):
        if said != found:
            wrong.append(f"{turn['turn_id'][-4:]} {what}: said {said!r}, recording has {found!r}")

    stated = {(t["thread"], t["turn_id"]) for t in expected["turns"]}
    for thread, ids in recording.turns.items():
        for turn_id in ids:
            if (thread, turn_id) not in stated:
                wrong.append(f"turn {turn_id} of {thread} is not stated")
    for turn in expected["turns"]:
        thread, turn_id = turn["thread"], turn["turn_id"]
        lines = recording.own(thread, turn_id)
        kinds = [line["payload"].get("type") for line in lines if line["type"] == "event_msg"]
        if lines:
            end = next((line["payload"] for line in lines if line["payload"].get("type") in ("task_complete", "turn_aborted")), None)
            said_kind = turn.get("kind")
            status = "interrupted" if end is None or end["type"] == "turn_aborted" else "failed" if end.get("error") or end.get("last_agent_message") is None and said_kind is None else "completed"
            differs(turn, "status", turn["status"], status)
            text = json.dumps([line["payload"] for line in lines], ensure_ascii=False)
            for prompt in turn["prompts"]:
                if json.dumps(prompt, ensure_ascii=False)[1:-1] not in text:
                    wrong.append(f"{turn_id[-4:]} prompt {prompt!r} is not in the rollout")
            if turn["answer"] and json.dumps(turn["answer"], ensure_ascii=False)[1:-1] not in text:
                wrong.append(f"{turn_id[-4:]} answer is not in the rollout")
            if turn["status"] == "completed" and end and turn.get("kind") != "review":
                differs(turn, "answer", turn["answer"], end.get("last_agent_message"))
            if "error" in turn and turn["error"] not in text.replace('\\"', '"').replace('\\\\', '\\'):
                wrong.append(f"{turn_id[-4:]} error {turn['error']!r} is not in the rollout")
            records, difference = usage_of(recording, thread, turn_id)
            said = [turn["tokens"][k] for k in ("prompt", "cache_read", "completion", "reasoning")]
            if records:
                differs(turn, "responses", turn["responses"], len(records))
                differs(turn, "tokens", said, [sum(column) for column in zip(*records)])
            else:
                differs(turn, "token totals", said, difference)
            held = recording.calls(thread, turn_id)
            differs(turn, "calls", sorted(t["call_id"] for t in turn["tools"] if "in" not in t), sorted(held))
            differs(turn, "nested calls", sorted(t["call_id"] for t in turn["tools"] if "in" in t), sorted(recording.nested(thread, turn_id)))
            for tool in turn["tools"]:
                if tool["call_id"] in held:
                    differs(turn, "name of " + tool["call_id"], tool["name"], held[tool["call_id"]][0])
                codes = re.findall(r'"call_id": "' + re.escape(tool["call_id"]) + r'", "output": "[^"]*?(?:exited with code |Exit code: )(-?\d+)', text)
                if codes and "exit_code" in tool:
                    differs(turn, "exit code of " + tool["call_id"], tool["exit_code"], int(codes[-1]))
            compacted = sum(line["type"] == "compacted" for line in lines)
            differs(turn, "compactions", turn["compactions"], compacted)
        calls = [e for e in recording.events if e["payload"].get("turn_id") == turn_id]
        asked = sum(e["event"] == "PermissionRequest" for e in calls)
        if expected["hooks"]:
            differs(turn, "permission requests", sum(t.get("permission", {}).get("asked", False) for t in turn["tools"]), asked)
            turn_of = lambda p: recording.turn_of(thread, p["tool_use_id"], p["turn_id"])
            hooked = {e["payload"]["tool_use_id"]: e["payload"]["tool_name"] for e in recording.events if e["event"] == "PreToolUse" and turn_of(e["payload"]) == turn_id}
            differs(turn, "hooked tools", {t["call_id"]: t["hook"] for t in turn["tools"] if t["hook"]}, hooked)
            prompts = [e["payload"]["prompt"] for e in calls if e["event"] == "UserPromptSubmit"]
            if prompts:
                differs(turn, "prompts", turn["prompts"], prompts)
            stops = [e["payload"]["last_assistant_message"] for e in calls if e["event"] in ("Stop", "SubagentStop")]
            if stops and turn["status"] == "completed":
                differs(turn, "answer", turn["answer"], stops[-1])
    known = set(recording.threads + recording.guardians)
    internal = sum(e["event"] == "notify" and e["payload"]["thread-id"] not in known for e in recording.events)
    differs({"turn_id": "all"}, "internal notifies", expected["internal_notifies"], internal)
    return wrong


def main():
    folders = sys.argv[1:] or sorted(os.path.dirname(path) for path in glob.glob(FIXTURES + "/codex-*/*/events.jsonl"))
    bad = 0
    for folder in folders:
        recording = Recording(os.path.realpath(folder))
        source = f"{HERE}/expect/{recording.scenario}.json"
        name = f"codex-{recording.release}/{recording.scenario}"
        if not os.path.exists(source):
            print(name, "has no expectation")
            bad += 1
            continue
        try:
            expected = bind(recording, json.load(open(source)))
        except (SystemExit, LookupError) as error:
            print(name, "cannot be bound:", repr(error))
            bad += 1
            continue
        with open(folder + "/expected.json", "w") as out:
            json.dump(expected, out, indent=1, ensure_ascii=False)
            out.write("\n")
        wrong = check(recording, expected)
        bad += bool(wrong)
        print(name, "ok" if not wrong else "\n  " + "\n  ".join(wrong))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
