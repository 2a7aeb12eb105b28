#!/usr/bin/env python3
"""Renews src/otel/prices/table.json, the built-in price table, from LiteLLM's table as its PyPI package carries it.

    python3 -m pip download --no-deps --dest /tmp/prices litellm genai-prices
    python3 tests/prices/renew.py /tmp/prices/litellm-*.whl            # writes the table
    python3 tests/prices/renew.py --check /tmp/prices/litellm-*.whl    # only says what differs; exit code 1
    python3 tests/prices/renew.py --compare /tmp/prices/genai_prices-*.whl   # a second source, which needs pydantic

Only facts are taken: the prices, in LiteLLM's own names, of the OpenAI models Codex can be set to. A price that
changed stays under `before`, with the first day on which it no longer held, so that older turns keep their price.
"""

import datetime
import json
import pathlib
import re
import sys
import tempfile
import zipfile

TABLE = pathlib.Path(__file__).resolve().parents[2] / "src/otel/prices/table.json"
INSIDE = "litellm/model_prices_and_context_window_backup.json"
WANTED = re.compile(r"^(gpt-5|gpt-6|o3|o4-mini|gpt-4\.1|codex)")
UNWANTED = re.compile(r"search|deep-research|audio|image|realtime|chat")
SNAPSHOT = re.compile(r"-\d{4}-\d\d-\d\d$")
KINDS = ["input_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost", "output_cost_per_token"]
STEPS = ["", "_above_272k_tokens"]
TIERS = ["", "_flex", "_priority", "_ultrafast"]
KEYS = [kind + step + tier for step in STEPS for tier in TIERS for kind in KINDS]


def source(path):
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as wheel:
            version = re.search(r"litellm-([0-9.]+)-", pathlib.Path(path).name).group(1)
            return json.loads(wheel.read(INSIDE)), f"litellm {version}"
    return json.loads(pathlib.Path(path).read_text()), pathlib.Path(path).name


def prices(entry):
    return {key: entry[key] for key in KEYS if entry.get(key) is not None}


def wanted(table):
    models = {}
    for name, entry in table.items():
        if not isinstance(entry, dict) or entry.get("litellm_provider") != "openai":
            continue
        if entry.get("mode") not in ("chat", "responses") or not WANTED.search(name) or UNWANTED.search(name):
            continue
        models[name] = prices(entry)
    # A dated snapshot is listed only where its price is another than that of the name without the date.
    plain = lambda name: models.get(SNAPSHOT.sub("", name))
    return {n: p for n, p in sorted(models.items()) if not SNAPSHOT.search(n) or plain(n) != p}


def renewed(old, new, label, today):
    out = {"_about": {"source": label, "date": today, "unit": "USD a token"}}
    for name, now in new.items():
        was = dict(old.get(name, {}))
        before = was.pop("before", [])
        if was and was != now:
            before = before + [{"until": today, **was}]
        out[name] = {**now, **({"before": before} if before else {})}
    return out


def compare(wheel):
    """Says where genai-prices knows another standard price."""
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(wheel).extractall(folder)
        sys.path.insert(0, folder)
        from genai_prices.data import providers
        models = next(p for p in providers if p.id == "openai").models
        names = dict(zip(KINDS, ["input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok"]))
        found = 0
        for name, entry in json.loads(TABLE.read_text()).items():
            model = next((m for m in models if m.match.is_match(name)), None)
            if model is None or name.startswith("_"):
                continue
            latest = model.prices[-1].prices if isinstance(model.prices, list) else model.prices
            for key, theirs in names.items():
                value = getattr(latest, theirs, None)
                steps = [getattr(value, "base", value), *[t.price for t in getattr(value, "tiers", [])]]
                for step, theirs_now in zip(STEPS, steps):
                    ours = entry.get(key + step)
                    if ours is not None and theirs_now is not None and abs(ours * 1e6 - float(theirs_now)) > 1e-9:
                        print(f"{name} {key}{step}: {ours * 1e6:g} here, {theirs_now} in genai-prices")
                        found += 1
        return found


def main(args):
    if args[:1] == ["--compare"]:
        return 1 if compare(args[1]) else 0
    check = args[:1] == ["--check"]
    table, label = source(args[-1])
    old = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    new = wanted(table)
    if check:
        names = sorted(n for n in {*old, *new} if not n.startswith("_"))
        differ = [n for n in names if {k: v for k, v in old.get(n, {}).items() if k != "before"} != new.get(n, {})]
        print("\n".join(f"{n} differs from {label}" for n in differ) or f"the table is that of {label}")
        return 1 if differ else 0
    today = datetime.date.today().isoformat()
    lines = [f"  {json.dumps(n)}: {json.dumps(e)}" for n, e in renewed(old, new, label, today).items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
