(() => {
  const { el, grouped, section, box, text, copy, request, result, messages } = content;
  const byId = id => document.getElementById(id);
  const { head } = turn;
  const rows = byId("rows"), spacer = byId("spacer"), axis = byId("axis"), details = byId("details");
  const search = byId("search"), phone = matchMedia("(max-width: 860px)");
  const MOST_PRINTED = 2000;
  const KINDS = { LLM: "Model", TOOL: "Tools", AGENT: "Agents", CHAIN: "Other", ERROR: "Errors" };
  const closed = new Set(), kinds = new Set();
  const counted = count => { const list = new Int32Array(count); for (let n = 0; n < count; n++) list[n] = n; return list; };
  let shown, matches = null, selected = -1, query = "", texts = null, from = 0, to = head.total, inTime = counted(head.count), order = inTime, longest = null, described = "", painted = "", ready = !turn.whole;

  function short(n) {
    for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (n >= unit * (name === "k" ? 10 : 1)) return (n / unit).toFixed(n >= 100 * unit ? 0 : 1) + name;
    return String(n);
  }
  function lasted(ms) {
    if (ms < 1) return ms === 0 ? "0 ms" : "<1 ms";
    if (ms < 1000) return Math.round(ms) + " ms";
    if (ms < 60000) return (ms / 1000).toFixed(1) + " s";
    const seconds = Math.round(ms / 1000);
    if (seconds < 3600) return Math.floor(seconds / 60) + "m " + String(seconds % 60).padStart(2, "0") + "s";
    return Math.floor(seconds / 3600) + "h " + String(Math.floor(seconds / 60) % 60).padStart(2, "0") + "m";
  }
  const when = ms => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const rowHeight = () => phone.matches ? 36 : 28;

  // Which rows there are: folded, filtered or searched for.
  function refresh() {
    matches = null;
    if (query) gather();
    const searching = query && !Array.isArray(texts);
    if (ready && !searching && (query || kinds.size)) match(query.toLowerCase());
    let keep = null;
    if (matches) {
      keep = new Set();
      for (let n of matches) while (n >= 0 && !keep.has(n)) { keep.add(n); n = turn.parent(n); }
    }
    shown = order;
    if (keep || closed.size) {
      const found = [];
      for (let at = 0; at < order.length; at++) {
        const n = order[at];
        if (!keep || keep.has(n)) found.push(n);
        if (!keep && closed.has(n)) at += turn.below(n);
      }
      shown = found;
    }
    const all = grouped(head.count) + (head.count === 1 ? " span" : " spans");
    byId("count").textContent = searching ? "searching…" : matches ? grouped(matches.size) + " of " + grouped(head.count) : all;
    spacer.style.height = shown.length * rowHeight() + "px";
    draw();
  }
  function match(wanted) {
    matches = new Set();
    for (let n = 0; n < head.count; n++) {
      const kind = turn.kind(n), isKind = !kinds.size || kinds.has(kind in KINDS ? kind : "CHAIN") || (kinds.has("ERROR") && turn.failed(n));
      if (isKind && (!wanted || texts[n].includes(wanted))) matches.add(n);
    }
  }
  // Reads everything once, for a search; sooner than the first word is typed.
  function gather() {
    if (texts || !ready) return;
    const asked = texts = turn.texts();
    asked.then(found => { if (texts === asked) { texts = found; if (query) refresh(); } }, () => { texts = null; });
  }

  // The tree with the longest of siblings first.
  function byDuration() {
    const below = new Map();
    for (let n = 0; n < head.count; n++) { const p = turn.parent(n); if (below.has(p)) below.get(p).push(n); else below.set(p, [n]); }
    const found = [], stack = (below.get(-1) || []).slice().reverse();
    while (stack.length) {
      const n = stack.pop();
      found.push(n);
      stack.push(...(below.get(n) || []).sort((a, b) => turn.length(a) - turn.length(b) || b - a));
    }
    return found;
  }
  function sort() {
    if (!ready) return;
    order = order === inTime ? longest ||= byDuration() : inTime;
    byId("sort").setAttribute("aria-pressed", String(order !== inTime));
    rows.scrollTop = 0;
    refresh();
  }

  let pending = 0, printing = false;
  function draw() {
    pending ||= requestAnimationFrame(paint);
  }
  function paint() {
    cancelAnimationFrame(pending);
    pending = 0;
    const height = rowHeight(), first = printing ? 0 : Math.max(0, Math.floor(rows.scrollTop / height) - 4);
    const last = Math.min(shown.length, printing ? MOST_PRINTED : Math.ceil((rows.scrollTop + rows.clientHeight) / height) + 4);
    const list = [];
    for (let at = first; at < last; at++) if (shown[at] < turn.known()) list.push(row(shown[at], at, height));
    spacer.replaceChildren(...list);
    painted = size();
    const on = shown.indexOf(selected);
    if (on >= first && on < last) rows.setAttribute("aria-activedescendant", "span-" + selected);
    else rows.removeAttribute("aria-activedescendant");
    paintAxis();
  }
  function row(n, at, height) {
    const span = turn.span(n), bad = span.x !== undefined, folded = closed.has(n) && !matches;
    const scale = ms => (ms - from) / (to - from) * 100;
    const left = Math.max(-1, scale(span.s)), right = Math.min(101, scale(span.s + span.l));
    const bar = el("span", { class: "bar " + (bad ? "bad" : "k-" + span.k) });
    bar.style.left = left + "%";
    bar.style.width = Math.max(0, right - left) + "%";
    if (span.w && span.l > 0) {
      const wait = el("i");
      wait.style.width = Math.min(100, span.w / span.l * 100) + "%";
      bar.append(wait);
    }
    const twist = el("span", { class: "twist", "aria-hidden": "true" }, span.t ? (folded ? "▶" : "▼") : "");
    const name = el("span", { class: "name" }, twist, el("span", { class: "dot k-" + (bad ? "ERROR" : span.k) }), el("span", { class: "title" }, marked(span.n)), el("span", { class: "about" }, span.d ? marked(span.b) : ""));
    name.style.paddingLeft = 10 + Math.min(span.d, 12) * (phone.matches ? 12 : 18) + "px";
    const node = el("div", {
      class: "row" + (n === selected ? " on" : "") + (bad ? " bad" : "") + (span.d === 0 ? " root" : ""), id: "span-" + n, role: "treeitem",
      "aria-level": span.d + 1, "aria-selected": n === selected ? "true" : "false", "aria-setsize": shown.length, "aria-posinset": at + 1,
      "aria-expanded": span.t ? String(!folded) : null,
      on: { click: event => { if (event.target === twist && span.t) { fold(n); } else select(n, true); }, dblclick: () => span.t && fold(n) },
    }, name, el("span", { class: "lane" }, bar), el("span", { class: "took" }, lasted(span.l)), bad ? el("span", { class: "unseen" }, "failed") : null);
    node.style.top = at * height + "px";
    return node;
  }
  function marked(text) {
    const at = query ? text.toLowerCase().indexOf(query.toLowerCase()) : -1;
    return at < 0 ? [text] : [text.slice(0, at), el("mark", null, text.slice(at, at + query.length)), text.slice(at + query.length)];
  }
  function paintAxis() {
    const wide = axis.clientWidth, span = to - from, ticks = Math.max(1, Math.floor(wide / 70));
    let step = Math.pow(10, Math.floor(Math.log10(span / ticks)));
    step *= [1, 2, 5, 10].find(f => f * step >= span / ticks) || 10;
    if (span / ticks > 15000) step = [15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 604800].map(s => s * 1000).find(s => s >= span / ticks) || step;
    const marks = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      if ((at - from) / span * wide > wide - 40) break;
      const mark = el("span", null, at === 0 ? "0" : lasted(at).replace(".0 s", " s").replace(" 00s", ""));
      mark.style.left = (at - from) / span * 100 + "%";
      marks.push(mark);
    }
    axis.replaceChildren(...marks);
  }

  function fold(n) {
    if (!ready) return;
    if (closed.has(n)) closed.delete(n); else closed.add(n);
    refresh();
  }
  function select(n, open) {
    selected = n;
    const at = shown.indexOf(n), height = rowHeight();
    if (at >= 0) {
      const top = at * height;
      if (top < rows.scrollTop) rows.scrollTop = top;
      else if (top + height > rows.scrollTop + rows.clientHeight) rows.scrollTop = top + height - rows.clientHeight;
    }
    if (!phone.matches || open) describe();
    draw();
  }

  // The panel at the side.
  function panel(...children) {
    const close = el("button", { class: "close", type: "button", on: { click: leave } }, "Close");
    details.replaceChildren(close, ...children.flat(Infinity).filter(Boolean));
    details.scrollTop = 0;
    details.classList.add("open");
  }
  function leave() {
    details.classList.remove("open");
    rows.focus();
  }
  function facts(list) {
    return el("dl", { class: "facts" }, list.filter(([, value]) => value !== undefined && value !== "").map(([name, value]) => [el("dt", null, name), el("dd", null, String(value))]));
  }
  function describe() {
    if (selected < 0) return overview();
    const n = selected, held = turn.details(n);
    if (!(held instanceof Promise)) return show(n, held);
    panel(heading(turn.span(n)));
    held.then(found => { if (selected === n) show(n, found); }, () => {});
  }
  const heading = span => el("h2", null, el("span", { class: "dot k-" + span.k }), span.n);
  function show(n, found) {
    const { i, a } = found;
    described = JSON.stringify(found);
    const span = turn.span(n), trace = head.traces[turn.trace(n)];
    const said = messages(a, "input"), answered = messages(a, "output");
    const tokens = a["llm.token_count.prompt"];
    const count = key => a["llm.token_count." + key] === undefined ? undefined : grouped(a["llm.token_count." + key]);
    const decision = a["codex.permission.decision"];
    const used = new Set(["tool.parameters", "input.value", "output.value", "metadata"]);
    const rest = Object.entries(a).filter(([key]) => !used.has(key) && !key.startsWith("llm.input_messages") && !key.startsWith("llm.output_messages"));
    const input = a["input.value"], output = a["output.value"];
    panel(
      heading(span),
      facts([
        ["Kind", span.k], ["Began", when(trace.start + span.s)], ["After", lasted(span.s)], ["Took", lasted(span.l)],
        ["Model", a["llm.model_name"]], ["Tokens in", tokens === undefined ? undefined : count("prompt") + " (" + (count("prompt_details.cache_read") || 0) + " cached)"],
        ["Tokens out", tokens === undefined ? undefined : count("completion") + " (" + (count("completion_details.reasoning") || 0) + " reasoning)"],
        ["Exit code", a["codex.tool.exit_code"]], ["Permission", decision === "none" ? undefined : decision && decision + (span.w ? " after " + lasted(span.w) : "")],
      ]),
      span.x === undefined ? null : el("div", { class: "box fault" }, span.x || "failed"),
      span.k === "TOOL" && (input ?? a["tool.parameters"]) !== undefined ? request(input ?? a["tool.parameters"]) : null,
      said.length ? section("Messages to the model", ...said) : input !== undefined && span.k !== "TOOL" ? section("Input", box(...text(input, a["input.mime_type"]))) : null,
      answered.length ? section("Answer", ...answered) : null,
      output !== undefined && !answered.length ? (span.k === "TOOL" ? result(output, a["output.mime_type"]) : section("Output", box(...text(output, a["output.mime_type"], "output")))) : null,
      span.t ? nested(n) : null,
      el("details", null, el("summary", null, "All attributes"), el("table", { class: "attributes" }, el("tbody", null,
        [["trace id", trace.id], ["span id", i], ...rest, ...(a.metadata ? [["metadata", a.metadata]] : [])].map(([key, value]) => el("tr", null, el("td", null, key), el("td", null, typeof value === "string" ? value : JSON.stringify(value))))))),
    );
  }

  // The calls that this one made.
  function nested(n) {
    const below = [];
    for (let at = n + 1; at <= n + turn.below(n) && below.length <= 200; at++) if (turn.parent(at) === n) below.push(at);
    const line = at => {
      const call = turn.span(at), go = el("button", { class: "link", type: "button", on: { click: () => select(at, true) } }, call.n + "  " + call.b);
      return el("tr", null, el("td", null, go, call.x === undefined ? null : el("span", { class: "fault" }, " failed")), el("td", null, lasted(call.l)));
    };
    return table("Below it", ["Call", "Took"], below.slice(0, 200).map(line));
  }
  function table(title, heads, body) {
    return body.length ? section(title, el("table", null, el("thead", null, el("tr", null, heads.map(h => el("th", { scope: "col" }, h)))), el("tbody", null, body))) : [];
  }
  function overview() {
    selected = -1;
    const { tools, models, prompt, answer } = head.sums, longest = Math.max(1, ...tools.map(t => t.time));
    const cells = values => el("tr", null, values.map(v => el("td", null, v)));
    const toolRow = t => {
      const share = el("div", { class: "share k-TOOL" });
      share.style.width = t.time / longest * 100 + "%";
      return cells([el("div", null, t.name, share), grouped(t.calls), t.failed ? el("span", { class: "fault" }, grouped(t.failed)) : "0", lasted(t.time), lasted(t.time / t.calls)]);
    };
    const modelRow = m => cells([m.name, grouped(m.calls), lasted(m.time), short(m.input), short(m.cached), short(m.output), short(m.reasoning)]);
    panel(
      el("h2", null, "Overview"),
      typeof prompt === "string" ? section("Prompt", box(...text(prompt))) : null,
      typeof answer === "string" ? section("Answer", box(...text(answer))) : null,
      head.traces.length > 1 ? section("Turns", el("table", null, el("thead", null, el("tr", null, ["Turn", "State", "Took"].map(h => el("th", { scope: "col" }, h)))), el("tbody", null, head.traces.map(t => cells([t.name + "  " + t.prompt, t.status, lasted(t.took)]))))) : null,
      table("Tools", ["Tool", "Calls", "Failed", "Time", "Mean"], tools.map(toolRow)),
      table("Models", ["Model", "Spans", "Time", "In", "Cached", "Out", "Reasoning"], models.map(modelRow)),
    );
    if (phone.matches && !overview.asked) details.classList.remove("open");
    draw();
  }

  // Keyboard, pointer and size.
  function move(by) {
    const at = Math.max(0, Math.min(shown.length - 1, (shown.indexOf(selected) < 0 ? (by > 0 ? -1 : 0) : shown.indexOf(selected)) + by));
    if (!shown.length) return;
    if (shown[at] < turn.known()) select(shown[at], false); else turn.whole.then(() => move(by));
  }
  function zoom(n) {
    const span = n < 0 ? null : turn.span(n);
    [from, to] = span ? [span.s, span.s + Math.max(span.l, 0.01)] : [0, head.total];
    byId("unzoom").hidden = n < 0;
    draw();
  }
  rows.addEventListener("keydown", event => {
    const span = selected < 0 ? null : turn.span(selected), page = Math.max(1, Math.floor(rows.clientHeight / rowHeight()) - 1);
    const act = {
      ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(page), PageUp: () => move(-page),
      Home: () => move(-shown.length), End: () => move(shown.length),
      ArrowLeft: () => { if (!span) return; if (span.t && !closed.has(selected) && !matches) fold(selected); else if (span.p >= 0) select(span.p, false); },
      ArrowRight: () => { if (!span || !span.t) return; if (closed.has(selected)) fold(selected); else move(1); },
      Enter: () => { if (span) { select(selected, true); if (phone.matches) details.focus(); } }, " ": () => span && span.t && fold(selected),
      z: () => span && zoom(selected), s: sort, Escape: () => { zoom(-1); overview(); },
    }[event.key];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
  });
  document.addEventListener("keydown", event => {
    if (event.key === "/" && document.activeElement !== search) { event.preventDefault(); search.focus(); search.select(); }
    if (event.key === "Escape" && details.classList.contains("open") && phone.matches) leave();
  });
  let typing = 0;
  search.addEventListener("focus", gather);
  search.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => { query = search.value.trim(); rows.scrollTop = 0; refresh(); }, 90); });
  search.addEventListener("keydown", event => {
    if (event.key === "Escape") { search.value = query = ""; refresh(); rows.focus(); }
    if (event.key === "Enter" && matches && matches.size) { rows.focus(); const next = shown.find(n => matches.has(n) && n > selected); select(next === undefined ? [...matches][0] : next, true); }
  });
  rows.addEventListener("scroll", draw, { passive: true });
  const size = () => rows.clientWidth + "×" + rows.clientHeight;
  new ResizeObserver(() => { if (size() !== painted) { spacer.style.height = shown.length * rowHeight() + "px"; draw(); } }).observe(rows);
  byId("expand").addEventListener("click", () => { closed.clear(); refresh(); });
  byId("collapse").addEventListener("click", () => {
    if (!ready) return;
    for (let n = 0; n < head.count; n++) if (turn.below(n) && (turn.depth(n) > 0 || head.traces.length > 1)) closed.add(n);
    refresh();
  });
  byId("sort").addEventListener("click", sort);
  // Paper has no rows out of sight.
  const print = on => { printing = on; paint(); };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  byId("unzoom").addEventListener("click", () => zoom(-1));
  byId("overview-button").addEventListener("click", () => { overview.asked = true; overview(); if (phone.matches) details.focus(); });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = name => document.documentElement.setAttribute("data-theme", name);
  theme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => theme(document.documentElement.getAttribute("data-theme") === "dark" ? "light" : "dark"));

  // A price that is not known is no zero.
  function cost() {
    const { cost, unknown } = head.sums;
    if (cost === null) return unknown ? "unknown" : null;
    return (unknown ? "≥ $" : "$") + (cost >= 0.1 || cost === 0 ? cost.toFixed(2) : cost.toFixed(4));
  }
  // Where the time went: a bar, and the same in words.
  function spent() {
    const whole = head.traces.reduce((n, t) => n + t.took, 0);
    const parts = ["model", "tools", "approvals", "hooks", "compaction"].map(name => [name, head.sums.spent[name] || 0]).filter(([, ms]) => ms > 0);
    byId("spent").hidden = !parts.length || !whole;
    byId("spent").replaceChildren(el("div", { class: "parts", "aria-hidden": "true" }, parts.map(([name, ms]) => {
      const part = el("i", { class: "t-" + name });
      part.style.width = Math.min(100, ms / whole * 100) + "%";
      return part;
    })), el("p", null, parts.map(([name, ms]) => el("span", null, el("i", { class: "dot t-" + name, "aria-hidden": "true" }), name + " " + lasted(ms)))));
  }
  // The lines above the waterfall.
  function header() {
    document.title = head.title;
    byId("title").textContent = head.title;
    const link = head.traces.length === 1 ? head.traces[0].link : null;
    byId("subtitle").textContent = head.subtitle;
    byId("home").hidden = !head.session;
    if (head.session) byId("conversation").href = head.session;
    byId("backend").hidden = !link;
    if (link) byId("backend").href = link;
    const { calls, failed, models } = head.sums, tokens = (name, key) => [name, short(models.reduce((n, m) => n + m[key], 0))];
    const figures = [["Time", lasted(head.traces.reduce((n, t) => n + t.took, 0))], ["Tool calls", grouped(calls)], tokens("Tokens in", "input"), tokens("Cached", "cached"), tokens("Tokens out", "output"), tokens("Reasoning", "reasoning"), ["Cost", cost()], failed ? ["Failed", grouped(failed), "bad"] : null];
    byId("figures").replaceChildren(...figures.filter(f => f && f[1] !== null).map(([name, value, style]) => el("div", { class: style }, el("dt", null, name), el("dd", null, value))));
    spent();
    byId("kinds").replaceChildren(...Object.keys(KINDS).filter(kind => head.sums.kinds.includes(kind)).map(kind => {
      const chip = el("button", { type: "button", "aria-pressed": String(kinds.has(kind)) }, el("span", { class: "dot k-" + kind }), KINDS[kind]);
      chip.addEventListener("click", () => { if (!kinds.delete(kind)) kinds.add(kind); chip.setAttribute("aria-pressed", String(kinds.has(kind))); refresh(); });
      return chip;
    }));
  }

  // A turn that runs is drawn anew as it moves; what is chosen and folded stays so.
  async function take(next) {
    const chosen = selected < 0 ? null : turn.id(selected), folded = new Set([...closed].map(turn.id)), wasWhole = from === 0 && to === head.total;
    const sorted = order !== inTime;
    turn.renew(next);
    texts = query ? await turn.texts() : null;
    longest = null;
    inTime = counted(head.count);
    order = sorted ? longest = byDuration() : inTime;
    closed.clear();
    selected = -1;
    for (let n = 0; n < head.count; n++) {
      if (folded.has(turn.id(n))) closed.add(n);
      if (turn.id(n) === chosen) selected = n;
    }
    if (wasWhole) to = head.total;
    header();
    if (chosen === null || selected < 0) overview(); else renew(selected);
    refresh();
  }
  // Shows what has become of the chosen call, unless it is as it was.
  async function renew(n) {
    const found = await turn.details(n), top = details.scrollTop;
    if (selected !== n || found.i === "" || JSON.stringify(found) === described) return;
    show(n, found);
    details.scrollTop = top;
  }
  function follow(address) {
    const changes = new EventSource("../changes");
    let busy = false;
    changes.addEventListener("message", async () => {
      if (busy) return;
      busy = true;
      const answer = await fetch(address, { credentials: "omit" }).catch(() => null);
      // Between its end and its place in the archive a turn is nowhere for a moment.
      if (answer && answer.ok) await take(await answer.json()).catch(() => {});
      if (!head.live) changes.close();
      busy = false;
    });
  }
  header();
  if (head.live) follow(head.live);
  overview();
  refresh();
  paint();
  performance.mark("drawn");
  if (turn.whole) turn.whole.then(() => { ready = true; refresh(); performance.mark("whole"); });
  else performance.mark("whole");
})();
