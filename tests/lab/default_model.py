#!/usr/bin/env python3
"""Write the scenarios of classic tools for a model in code mode, as the default model is.

    default_model.py SCENARIO...       scenarios/default-SCENARIO.json and expect/default-SCENARIO.json

The model asks for the same things, each by a script of its own; what is expected follows from that alone: the script is a
call that works unless what it asks for is refused, cut off or failed inside Codex, and the call inside it is as before.
Subagents are asked for directly, as they are in code mode too.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
# What a script shows of each tool's result.
SHOWN = {"exec_command": "text({}.output);", "write_stdin": "text({}.output);", "view_image": "image({});", "apply_patch": "text({});"}
OTHERS = ("collaboration", "multi_agent_v1", "clock")


def script(item):
    """The item as code mode has it."""
    if "custom" in item:
        name, argument = item["custom"], json.dumps(item["input"])
    elif "call" in item and item.get("namespace", "") not in OTHERS and not item["call"].startswith("request_"):
        name = "__".join(part for part in (item.get("namespace"), item["call"]) if part)
        argument = json.dumps(item["args"])
    else:
        return item
    # a script that runs on answers after ten seconds, unless it says otherwise
    patience = item.get("args", {}).get("yield_time_ms", 0)
    head = '// @exec: {"yield_time_ms": %d}\n' % (patience + 10_000) if patience >= 10_000 else ""
    show = SHOWN.get(name, "text({});").format("r")
    return {"custom": "exec", "input": f"{head}const r = await tools.{name}({argument}); {show}"}


def of_model(model):
    agents = model if isinstance(model, dict) else {"/root": model}
    searched = lambda items: any("raw" in item for item in items)
    made = {agent: [[script(item) for item in items] for items in replies if not searched(items)] for agent, replies in agents.items()}
    return made if isinstance(model, dict) else made["/root"]


def of_tools(tools):
    made = []
    for tool in tools:
        if tool["name"] == "tool_search":
            continue
        if tool.get("namespace", "") in OTHERS or tool["name"] in ("web_search", "wait"):
            made.append(tool)
            continue
        # what a command exits with, or a server answers, is a result; all else that fails is thrown
        thrown = tool["ok"] is False and tool.get("exit_code") is None and not tool.get("namespace")
        words = tool["call_id"]
        made.append({"call_id": words, "name": "exec", "hook": None, "ok": False if thrown else tool["ok"] if tool["ok"] is None else True})
        inside = {"in": words, **tool, "call_id": words if words.startswith("?") else "?"}
        if tool["name"] != "exec_command":
            inside.pop("exit_code", None)
        made.append(inside)
    return made


def of_turns(turns):
    return [{**turn, "tools": of_tools(turn["tools"])} if "tools" in turn else turn for turn in turns]


def main():
    for name in sys.argv[1:]:
        scenario = json.loads((HERE / f"scenarios/{name}.json").read_text())
        stated = json.loads((HERE / f"expect/{name}.json").read_text())
        # one model, the newest form
        newest = scenario.pop("releases", {}).get("0.171.0", {})
        scenario = {**scenario, **newest, "default_model": True}
        scenario["model"] = of_model(scenario["model"])
        newest = stated.pop("releases", {}).get("0.171.0", {})
        stated |= newest
        stated["turns"] = of_turns(stated["turns"])
        stated["shows"] += "; in code mode"
        for folder, what in (("scenarios", scenario), ("expect", stated)):
            (HERE / folder / f"default-{name}.json").write_text(json.dumps(what, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
