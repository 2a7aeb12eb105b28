#!/usr/bin/env python3
"""Write fixtures/README.md from the expected.json of every recording."""
import glob
import json
import os
import re

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures")

HEAD = """# Recordings of the real Codex CLI

Each folder `codex-RELEASE/SCENARIO/` holds what one run of the real executable left behind, against a scripted model
(see `tests/lab/`): `events.jsonl`, every hook and notify call in order of arrival with the bytes that each rollout had
at that moment, the rollouts, and `expected.json`, what a trace of it must say. In the rollouts the long
fixed prompts, lists of tools and settings are cut short (session_meta, world_state, turn_context, tool_search_output,
developer messages); other lines are as Codex wrote them, in the twelve recordings of 22 November but for spacing. `transcript_bytes` counts the uncut file. A rollout
in `archived_sessions/` or with the ending `.zst` lay there so.

`expected.json` is stated by hand in `tests/lab/expect/SCENARIO.json`, from what the scripted model was told to do and
what a person saw, and bound to the recording's ids by `tests/lab/expect.py`, which also checks that the recording does
not contradict it. Turns are in no particular order; `parent` and `agents` say which call gave a subagent its task (a
review has no such call). `tokens` are what the model was scripted to use: prompt (cached included), completion
(reasoning included), cache_read, reasoning. `responses` counts the model calls whose usage Codex was told. `hook` is
the name that Codex's hooks have for a tool, null where no hook comes. `ok: null` leaves the verdict open; `tokens_known` or
`tools_known: false` marks what nothing that Codex leaves tells. A turn of `kind` compaction, review or user_shell has no prompt of a person's. `internal_notifies` and `silent_threads` must become no turn.

To record again or anew: `tests/lab/record.py CODEX tests/lab/scenarios/NAME.json fixtures/codex-RELEASE/NAME`, then
`tests/lab/expect.py fixtures/codex-RELEASE/NAME` and `tests/lab/readme.py`. The default usage of an agent's model call
n (from 0) is 1000+n prompt, 100+n cached, 50+n completion, 7 reasoning.
"""


def order(release):
    return tuple(map(int, release.split(".")))


def number(n):
    return f"{n:,}"


def describe(turn, names):
    tools = []
    for tool in turn["tools"]:
        text = tool["name"]
        if "exit_code" in tool and tool["exit_code"]:
            text += f" exit {tool['exit_code']}"
        elif tool["ok"] is False:
            text += " failed"
        if "permission" in tool:
            text += " (" + (tool["permission"]["decision"] or "asked") + ")"
        tools.append(text)
    tokens = turn["tokens"]
    parts = [f"{names[turn['thread']]}: {turn['status']}" + (f" {turn['kind']}" if "kind" in turn else "")]
    if turn["prompts"]:
        parts.append(" + ".join("“" + p.replace("\n", " ")[:40] + "”" for p in turn["prompts"]) + (f" → “{turn['answer'].replace(chr(10), ' ')[:40]}”" if turn["answer"] else ""))
    parts.append(f"{turn['responses']} responses, {number(tokens['prompt'])} / {number(tokens['completion'])} / {number(tokens['cache_read'])} / {number(tokens['reasoning'])}")
    if tools:
        parts.append(", ".join(tools))
    if turn["agents"]:
        parts.append(f"{len(turn['agents'])} subagent turn" + "s" * (len(turn["agents"]) > 1))
    if turn["compactions"]:
        parts.append(f"{turn['compactions']} compaction")
    return "; ".join(parts).replace("|", "\\|")


def main():
    rows, scenarios = [], {}
    for path in glob.glob(FIXTURES + "/codex-*/*/expected.json"):
        release, scenario = re.search(r"codex-([0-9.]+)/([^/]+)/", path).groups()
        scenarios.setdefault(scenario, []).append((order(release), release, json.load(open(path))))
    for scenario in sorted(scenarios):
        variants = {}
        for _, release, expected in sorted(scenarios[scenario], key=lambda found: found[0]):
            names = {}
            for turn in sorted(expected["turns"], key=lambda t: t["turn_id"]):
                names.setdefault(turn["thread"], f"thread {len(names) + 1}" if len({t["thread"] for t in expected["turns"]}) > 1 else "turn")
            text = "<br>".join(describe(turn, names) for turn in expected["turns"])
            variants.setdefault((expected["shows"], text), []).append(release)
        for (shows, text), releases in variants.items():
            rows.append(f"| {scenario} | {', '.join(releases)} | {shows} | {text} |")
    count = sum(len(found) for found in scenarios.values())
    with open(FIXTURES + "/README.md", "w") as out:
        out.write(HEAD + f"\n{count} recordings of {len(scenarios)} scenarios. Tokens are prompt / completion / cache_read / reasoning.\n\n")
        out.write("| scenario | releases | shows | expected turns |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")


main()
