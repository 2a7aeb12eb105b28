#!/usr/bin/env python3
"""Make recordings again, for instance after the lab changed or for a new release.

    record_again.py RELEASES [RELEASE/SCENARIO ...]     default: every recording there is

RELEASES is a folder with codex-RELEASE/node_modules/.bin/codex for each release
(npm i --prefix RELEASES/codex-0.169.0 @openai/codex@0.169.0). One after the other: a
terminal session takes half a minute. Expectations are bound and checked at the end.
"""
import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "..", "fixtures")

releases = sys.argv[1]
wanted = sys.argv[2:] or sorted("/".join(path.split("/")[-3:-1]).removeprefix("codex-") for path in glob.glob(FIXTURES + "/codex-*/*/events.jsonl"))
made = []
for name in wanted:
    release, scenario = name.split("/")
    codex = f"{releases}/codex-{release}/node_modules/.bin/codex"
    older = f"{releases}/codex-0.142.5/node_modules/.bin/codex"
    if not os.path.exists(codex):
        print(name, "skipped: no", os.path.basename(os.path.dirname(os.path.dirname(os.path.dirname(codex)))))
        continue
    folder = f"{FIXTURES}/codex-{release}/{scenario}"
    subprocess.run([sys.executable, f"{HERE}/record.py", codex, f"{HERE}/scenarios/{scenario}.json", folder, "--older", older])
    made.append(folder)
if made:
    sys.exit(subprocess.run([sys.executable, f"{HERE}/expect.py"] + made).returncode)
