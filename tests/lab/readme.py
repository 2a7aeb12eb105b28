#!/usr/bin/env python3
"""Write fixtures/README.md from the expected.json of every recording.

    readme.py            write it
    readme.py --check    fail if it is not as it would be written, or a cell of the matrix is empty without a reason
                         (not-recorded.tsv), or a reason is needed by no cell
"""
import fnmatch
import glob
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "..", "fixtures")
COLUMNS = ["0.171-default", "0.171-gpt-5.5", "0.169", "older"]
# What is recorded of the default model under a name of its own.
LIKE = {"background": "background-command", "parallel": "parallel-tools", "refused": "exec-cannot-ask", "retried": "error-500-retried", "stdin": "write-stdin"}

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


def family(scenario):
    """What a scenario is about, whatever the model."""
    name = scenario.removeprefix("default-")
    return LIKE.get(name, name).removesuffix("-classic")


def is_default(scenario):
    """No model is configured, or one that is in code mode too."""
    stated = json.load(open(f"{HERE}/scenarios/{scenario}.json"))
    return bool(stated.get("default_model")) or "gpt-6" in json.dumps(stated["runs"])


def cells():
    """family → column → the recordings"""
    made = {}
    for path in glob.glob(HERE + "/scenarios/*.json"):
        scenario = os.path.basename(path)[:-5]
        columns = made.setdefault(family(scenario), {column: [] for column in COLUMNS})
        for found in glob.glob(f"{FIXTURES}/codex-*/{scenario}/expected.json"):
            release = re.search(r"codex-([0-9.]+)/", found).group(1)
            newest, before = order(release) >= (0, 171), (0, 169) <= order(release) < (0, 171)
            column = ("0.171-default" if is_default(scenario) else "0.171-gpt-5.5") if newest else "0.169" if before else "older"
            columns[column].append((order(release), release, scenario))
    return made


def reasons():
    lines = [line.split("\t") for line in open(HERE + "/not-recorded.tsv").read().splitlines() if not line.startswith("#")]
    return [(name, column, reason) for name, column, reason in lines if reason.strip()]


def matrix():
    """The table, and what is wrong with it."""
    rows, wrong, needed, known = [], [], set(), reasons()
    for name, columns in sorted(cells().items()):
        row, notes = [name], []
        for column in COLUMNS:
            found = sorted(columns[column])
            reason = next((r for r in known if fnmatch.fnmatch(name, r[0]) and fnmatch.fnmatch(column, r[1])), None)
            if found:
                releases = ", ".join(dict.fromkeys(release.removesuffix(".0") for _, release, _ in found))
                row.append(releases if column == "older" else "yes")
            elif reason:
                needed.add(reason)
                notes.append(reason[2])
                row.append("–")
            else:
                wrong.append(f"{name} is not recorded on {column}, and not-recorded.tsv does not say why")
                row.append("?")
        rows.append("| " + " | ".join(row + ["; ".join(dict.fromkeys(notes))]) + " |")
    wrong += [f"not-recorded.tsv: no cell needs {reason[:2]}" for reason in known if reason not in needed]
    head = "| recorded | 0.171, default model | 0.171, gpt-5.5 | 0.169 | older | why not |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n", wrong


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
    table, wrong = matrix()
    text = HEAD + "\n# What is recorded where\n\n" + table
    text += f"\n# What each recording shows\n\n{count} recordings of {len(scenarios)} scenarios. Tokens are prompt / completion / cache_read / reasoning.\n\n"
    text += "| scenario | releases | shows | expected turns |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    if sys.argv[1:] != ["--check"]:
        with open(FIXTURES + "/README.md", "w") as out:
            out.write(text)
    elif open(FIXTURES + "/README.md").read() != text:
        wrong.append("fixtures/README.md is not what readme.py writes")
    print("\n".join(wrong))
    sys.exit(bool(wrong))


main()
