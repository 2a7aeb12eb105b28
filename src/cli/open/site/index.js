"use strict";
(() => {
  const byId = id => document.getElementById(id);
  const filters = byId("filters"), list = byId("list"), more = byId("more"), chart = byId("chart"), session = byId("session");
  const PAGE = 60, SVG = "http://www.w3.org/2000/svg";
  let shown = 0, by = "day", asked = 0, open = null, first = JSON.parse(byId("first").textContent);

  // Everything a user, a tool or a model wrote goes through here, as text.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
    for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  function svg(tag, attributes, text) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const grouped = n => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
  function short(n) {
    for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (n >= unit * (name === "k" ? 10 : 1)) return (n / unit).toFixed(n >= 100 * unit ? 0 : 1) + name;
    return String(n);
  }
  function lasted(ms) {
    if (ms < 1000) return Math.round(ms) + " ms";
    if (ms < 60000) return (ms / 1000).toFixed(1) + " s";
    const seconds = Math.round(ms / 1000);
    if (seconds < 3600) return Math.floor(seconds / 60) + "m " + String(seconds % 60).padStart(2, "0") + "s";
    return Math.floor(seconds / 3600) + "h " + String(Math.floor(seconds / 60) % 60).padStart(2, "0") + "m";
  }
  // A price that is not known is no zero.
  function dollars(usd, partial) {
    if (usd === null || usd === undefined) return partial ? "cost unknown" : "";
    const text = "$" + (usd >= 100 ? usd.toFixed(0) : usd >= 0.995 ? usd.toFixed(2) : usd.toPrecision(2).replace(/e.*/, ""));
    return (partial ? "≥ " : "") + (usd === 0 ? "$0" : usd < 0.0001 ? "<$0.0001" : text);
  }
  const days = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const clocks = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const day = ms => days.format(ms), clock = ms => clocks.format(ms);

  async function get(path) {
    const response = await fetch(path, { credentials: "omit" });
    if (!response.ok) throw new Error(path + " is not there");
    return response.json();
  }
  function parameters(extra) {
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(filters)) if (value.trim()) wanted.set(name, value.trim());
    byId("clear").hidden = ![...wanted.keys()].length;
    for (const [name, value] of Object.entries(extra)) wanted.set(name, value);
    return wanted;
  }

  // The list and the sums above it; answers that a later question has overtaken are dropped.
  async function load(offset) {
    byId("costs-table").href = "costs.csv?" + parameters({ by });
    byId("turns-table").href = "turns.csv?" + parameters({});
    const question = ++asked;
    const wanted = offset ? { limit: PAGE, offset } : { limit: Math.max(PAGE, shown), offset, by };
    const answer = first || await get("turns?" + parameters(wanted));
    first = null;
    if (question === asked) take(answer);
  }
  function take({ total, offset, turns, groups }) {
    shown = offset + turns.length;
    figures(total);
    if (!offset) open = null;
    const found = sessionsOf(turns);
    if (offset) list.append(...found); else keepingFocus(() => list.replaceChildren(...found));
    if (groups) drawCosts(groups);
    more.hidden = shown >= total.turns;
    byId("status").textContent = total.turns ? "" : "No turn is selected.";
    performance.mark("drawn");
  }
  function figures(total) {
    const values = [["Turns", grouped(total.turns)], ["Failed", total.failed ? grouped(total.failed) : null, "bad"], ["Cost", total.cost_is_partial && !total.cost ? "unknown" : dollars(total.cost, total.cost_is_partial)], ["Tokens in", short(total.prompt_tokens)], ["Tokens out", short(total.completion_tokens)], ["Time", lasted(total.duration_ms)]];
    byId("figures").replaceChildren(...values.filter(v => v[1]).map(([name, value, style]) => el("div", null, el("dt", null, name), el("dd", { class: style }, value))));
  }
  // Turns that move must not take the keyboard away from the one it is on.
  function keepingFocus(change) {
    const held = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    change();
    if (held) [...list.querySelectorAll("a")].find(link => link.getAttribute("href") === held)?.focus({ preventScroll: true });
  }
  // New sessions; turns of the one that is last already are put below it.
  function sessionsOf(turns) {
    const found = [];
    for (const turn of turns) {
      if (!open || open.thread !== turn.thread) {
        open = { thread: turn.thread, list: el("ol") };
        found.push(el("section", { class: "session" },
          el("h2", null, turn.directory || "session", el("span", null, day(turn.started_at_ms)), turn.branch ? el("span", null, turn.branch) : null, el("a", { href: "#session=" + turn.thread }, "conversation")),
          open.list));
      }
      open.list.append(el("li", null, line(turn)));
    }
    return found;
  }
  function line(turn) {
    const state = { failed: ["bad", "failed"], interrupted: ["wait", "stopped"], running: ["wait", "running"] }[turn.status];
    const tools = turn.tool_calls ? turn.tool_calls + (turn.tool_calls === 1 ? " tool" : " tools") : "";
    const tokens = turn.prompt_tokens === null ? "" : short(turn.prompt_tokens) + " → " + short(turn.completion_tokens || 0);
    const cells = [
      el("span", { class: "when" }, clock(turn.started_at_ms)),
      el("span", { class: "prompt" }, state ? el("span", { class: state[0] }, state[1] + "  ") : null, turn.prompt || turn.name),
      el("span", { class: "tools" }, tools, turn.failed_tool_calls ? el("span", { class: "bad" }, " " + turn.failed_tool_calls + "✗") : null),
      el("span", { class: "tokens numbers" }, tokens), el("span", { class: "cost numbers" }, dollars(turn.cost, turn.cost_is_partial)), el("span", { class: "took numbers" }, lasted(turn.duration_ms)),
    ];
    // Of a turn that the history alone knows there is no page.
    return turn.delivery === null && turn.status !== "running" ? el("div", { class: "turn", title: "no longer kept whole" }, cells) : el("a", { class: "turn", href: "turn/" + turn.turn + "." + turn.thread }, cells);
  }

  function drawCosts(groups) {
    byId("costs").hidden = !groups.length;
    const most = Math.max(...groups.map(g => g.sum.cost), 0);
    const words = g => g.name + ": " + (g.sum.cost_is_partial && !g.sum.cost ? "cost unknown" : dollars(g.sum.cost, g.sum.cost_is_partial)) + ", " + grouped(g.sum.turns) + (g.sum.turns === 1 ? " turn" : " turns");
    chart.setAttribute("aria-label", groups.slice(-12).map(words).join("; "));
    if (by !== "day") {
      chart.replaceChildren(...groups.slice(0, 12).map(g => {
        const bar = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" });
        bar.append(svg("rect", { x: 0, y: 0, height: 10, width: most ? Math.max(0.4, g.sum.cost / most * 100) : 0.4 }));
        return el("div", { class: "group" }, el("span", { class: "name" }, g.name || "unknown"), bar, el("span", { class: "sum" }, words(g).slice(g.name.length + 2).split(",")[0]));
      }));
      return;
    }
    // As wide as the box, so that the words are as large as elsewhere.
    const wide = Math.min(innerWidth, 1280) - 80, days = groups.slice(-Math.floor(wide / 16)), width = wide / Math.max(days.length, 14);
    const picture = svg("svg", { viewBox: `0 0 ${wide} 120`, preserveAspectRatio: "xMinYMin meet" }), every = Math.ceil(days.length * 80 / wide);
    days.forEach((g, n) => {
      const height = most ? g.sum.cost / most * 84 : 0, x = n * width + width * 0.12;
      const bar = svg("rect", { x, y: 100 - height, width: width * 0.76, height: Math.max(height, 1), rx: 2 });
      bar.append(svg("title", {}, words(g)));
      picture.append(bar);
      if (n % every === 0) picture.append(svg("text", { x, y: 115 }, g.name.slice(5)));
    });
    if (most) picture.append(svg("text", { x: 0, y: 12 }, "up to " + dollars(most, false)));
    chart.replaceChildren(picture);
  }

  async function conversation(thread) {
    const answer = await get("session/" + encodeURIComponent(thread)).catch(() => null);
    const turns = answer ? answer.turns : [];
    session.replaceChildren(
      el("p", null, el("a", { href: "#" }, "← all sessions"), "  ", el("a", { href: "export/" + encodeURIComponent(thread), download: "" }, "the session as one page, to pass on")),
      turns.length ? el("ol", { class: "conversation" }, turns.map(turn => el("li", null,
        el("h2", null, turn.name, " ", el("span", null, [day(turn.started_at_ms), clock(turn.started_at_ms), lasted(turn.duration_ms), turn.tool_calls ? turn.tool_calls + " tools" : "", turn.status === "completed" ? "" : turn.status].filter(Boolean).join(" · ")), " ", el("a", { href: "turn/" + turn.turn + "." + thread }, "trace")),
        turn.prompt ? el("pre", null, turn.prompt) : null, turn.answer ? el("pre", { class: "answer" }, turn.answer) : null))) : el("p", null, "This session is no longer kept whole."));
  }
  function go() {
    const thread = /^#session=(.+)$/.exec(location.hash);
    for (const part of [byId("costs"), list, filters]) part.hidden = !!thread;
    session.hidden = !thread;
    if (thread) { first = null; more.hidden = true; conversation(decodeURIComponent(thread[1])); } else load(0);
  }

  // One question at a time: what was typed meanwhile is asked for next.
  let asking = false, again = false;
  async function ask() {
    shown = 0;
    again = asking;
    if (asking) return;
    asking = true;
    await load(0).catch(() => {});
    asking = false;
    if (again) ask();
  }
  filters.addEventListener("input", ask);
  filters.addEventListener("submit", event => event.preventDefault());
  byId("clear").addEventListener("click", () => { filters.reset(); ask(); });
  // Whoever comes near the end of the list need not ask for more.
  more.addEventListener("click", () => load(shown));
  new IntersectionObserver(seen => { if (seen.some(one => one.isIntersecting) && !more.hidden) load(shown); }, { rootMargin: "600px" }).observe(more);
  for (const tab of document.querySelectorAll("[data-by]")) tab.addEventListener("click", () => {
    by = tab.dataset.by;
    for (const other of document.querySelectorAll("[data-by]")) other.setAttribute("aria-pressed", String(other === tab));
    load(0);
  });
  document.addEventListener("keydown", event => {
    if (event.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) { event.preventDefault(); byId("q").focus(); byId("q").select(); }
    if (event.key === "Escape" && location.hash) location.hash = "";
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = name => document.documentElement.setAttribute("data-theme", name);
  theme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => theme(document.documentElement.getAttribute("data-theme") === "dark" ? "light" : "dark"));
  addEventListener("hashchange", go);

  // Turns that come or move are shown while the page is looked at.
  let changes = null;
  function watch() {
    if (changes) changes.close();
    changes = document.hidden ? null : new EventSource("changes");
    if (changes) changes.onmessage = go;
  }
  document.addEventListener("visibilitychange", () => { watch(); if (!document.hidden) go(); });
  watch();
  go();
})();
