#!/usr/bin/env python3
"""Make recordings again, for instance after the lab changed, or of every scenario on a new release.

    record_again.py RELEASES [RELEASE/SCENARIO ...]     default: every recording there is
    record_again.py RELEASES --new RELEASE [SCENARIO ...]
                                                        every scenario of the newest release recorded so far, on this one
    record_again.py --changes RELEASE                   only prints what differs from the releases before

RELEASES is a folder with codex-RELEASE/node_modules/.bin/codex for each release
(npm i --prefix RELEASES/codex-0.171.0 @openai/codex@0.171.0). One after the other: a
terminal session takes half a minute. Expectations are bound and checked at the end.

What --new and --changes print: hook events, keys of payloads, kinds of lines, their keys and the values of keys that are
choices. "+" was never seen on any release before, "-" is on the release before, in the same scenarios, and gone.
"""
import glob
import json
import os
import re
import subprocess
import sys

import shapes

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.realpath(os.path.join(HERE, "..", "..", "fixtures"))
# Keys of payloads whose values are Codex's own choices.
CHOICES = {"source", "trigger", "reason", "permission_mode", "kind", "status", "tool_name", "agent_type", "type", "client"}


def order(release):
    return [int(part) for part in re.findall(r"\d+", release)]


def recorded(release):
    return sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(f"{FIXTURES}/codex-{release}/*/events.jsonl"))


def releases():
    found = {os.path.basename(folder).removeprefix("codex-") for folder in glob.glob(FIXTURES + "/codex-*") if glob.glob(folder + "/*/events.jsonl")}
    return sorted(found, key=order)


def calls(release, scenarios):
    """What hooks and notify were handed: event → key → the values of a choice, or the JSON types."""
    found = {}
    for scenario in scenarios:
        path = f"{FIXTURES}/codex-{release}/{scenario}/events.jsonl"
        for line in open(path) if os.path.exists(path) else ():
            event = json.loads(line)
            keys = found.setdefault(event["event"], {})
            for key, value in event["payload"].items():
                told = value if key in CHOICES and isinstance(value, str) else shapes.KIND_OF[type(value)]
                keys.setdefault(key, set()).add(told)
    return found


def lines(release, scenarios):
    files = [path for scenario in scenarios for path in glob.glob(f"{FIXTURES}/codex-{release}/{scenario}/**/rollout-*.jsonl", recursive=True)]
    return shapes.catalogue(files)


def facts(release, scenarios):
    """Everything that is compared, one short text each."""
    made = set()
    for event, keys in calls(release, scenarios).items():
        made.add(f"event {event}")
        for key, values in keys.items():
            made.add(f"event {event} {key}")
            made |= {f"event {event} {key} = {value}" for value in values}
    for kind, entry in lines(release, scenarios).items():
        made.add(f"line {kind}")
        made |= {f"line {kind} {key}" for key in entry["keys"]}
        made |= {f"line {kind} {key} = {value}" for key, values in entry["values"].items() for value in values}
    return made


def print_changes(release):
    before = [known for known in releases() if order(known) < order(release)]
    scenarios = recorded(release)
    new = facts(release, scenarios)
    ever = set().union(*(facts(known, recorded(known)) for known in before))
    last = facts(before[-1], scenarios) if before else set()
    of_last = facts(release, [name for name in scenarios if name in recorded(before[-1])]) if before else set()
    whole = lambda changes: sorted(c for c in changes if not any(c != other and c.startswith(other + " ") for other in changes))
    for change in whole(new - ever):
        print("+", change)
    for change in whole(last - of_last):
        print("-", change)
    print(f"{release}: {len(scenarios)} scenarios, beside {', '.join(before)}")


def record(folder, wanted):
    made = []
    older = f"{folder}/codex-0.142.5/node_modules/.bin/codex"
    for name in wanted:
        release, scenario = name.split("/")
        codex = f"{folder}/codex-{release}/node_modules/.bin/codex"
        if not os.path.exists(codex):
            print(name, "skipped: no", os.path.basename(os.path.dirname(os.path.dirname(os.path.dirname(codex)))))
            continue
        out = f"{FIXTURES}/codex-{release}/{scenario}"
        subprocess.run([sys.executable, f"{HERE}/record.py", codex, f"{HERE}/scenarios/{scenario}.json", out, "--older", older])
        made.append(out)
    return subprocess.run([sys.executable, f"{HERE}/expect.py"] + made).returncode if made else 0


def main():
    if sys.argv[1] == "--changes":
        print_changes(sys.argv[2])
        return 0
    if sys.argv[2:3] == ["--new"]:
        release = sys.argv[3]
        newest = [known for known in releases() if order(known) < order(release)][-1]
        failed = record(sys.argv[1], [f"{release}/{scenario}" for scenario in sys.argv[4:] or recorded(newest)])
        print_changes(release)
        return failed
    return record(sys.argv[1], sys.argv[2:] or [f"{release}/{scenario}" for release in releases() for scenario in recorded(release)])


if __name__ == "__main__":
    sys.exit(main())
