"use strict";
// Shows what a user, a model or a tool wrote: as text, never as HTML.
const content = (() => {
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
      else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  const grouped = n => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
  const section = (title, ...parts) => [el("h3", null, title), ...parts];
  const box = (...parts) => el("div", { class: "box" }, ...parts);

  // Where the browser gives no clipboard, as to a page from a file, a selection is copied.
  function copy(text, what) {
    const button = el("button", { class: "copy", type: "button", "aria-label": "Copy " + what }, "Copy");
    button.addEventListener("click", async () => {
      let done = true;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const area = el("textarea", { "aria-hidden": "true", class: "unseen" });
        area.value = text;
        document.body.append(area);
        area.select();
        done = document.execCommand("copy");
        area.remove();
        button.focus();
      }
      button.textContent = done ? "Copied" : "Not copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    return button;
  }

  function text(value, mime, what) {
    let whole = String(value);
    if (mime === "application/json" || /^[[{]/.test(whole)) {
      try { whole = JSON.stringify(JSON.parse(whole), null, 2); } catch { /* as it is */ }
    }
    const pre = el("pre"), lines = whole.split("\n"), limit = 60;
    const cut = lines.length > limit || whole.length > 12000;
    pre.textContent = cut ? lines.slice(0, limit).join("\n").slice(0, 12000) : whole;
    const button = whole ? copy(whole, what || "text") : null;
    if (!cut) return [button, pre];
    const more = el("button", { class: "more", type: "button" }, "Show all " + grouped(lines.length) + " lines, " + grouped(whole.length) + " characters");
    more.addEventListener("click", () => { pre.textContent = whole; more.remove(); });
    return [button, pre, more];
  }

  const isImage = url => /^data:image\/(png|jpeg|gif|webp);base64,/.test(url);
  const image = url => el("img", { src: url, alt: "image", loading: "lazy" });
  // The images anywhere in a JSON value.
  function images(value, found = [], depth = 0) {
    if (typeof value === "string") { if (isImage(value)) found.push(value); }
    else if (value && typeof value === "object" && depth < 6) for (const one of Object.values(value)) images(one, found, depth + 1);
    return found;
  }
  function parsed(value) {
    if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return null;
    try { return JSON.parse(value); } catch { return null; }
  }

  // A patch as apply_patch reads it, wherever it stands in the arguments: alone, in a field, in a command.
  function patchIn(value) {
    const find = part => {
      if (typeof part === "string") return part.includes("*** Begin Patch") ? part : null;
      if (!part || typeof part !== "object") return null;
      for (const one of Object.values(part)) { const found = find(one); if (found) return found; }
      return null;
    };
    const found = find(parsed(value) ?? value);
    if (!found) return null;
    const rest = found.slice(found.indexOf("*** Begin Patch")), end = rest.indexOf("*** End Patch");
    return end < 0 ? rest : rest.slice(0, end);
  }
  function filesOf(patch) {
    const files = [];
    for (const line of patch.split("\n")) {
      const head = /^\*\*\* (Add|Update|Delete) File: (.*)$/.exec(line), file = files[files.length - 1];
      if (head) files.push({ what: head[1], name: head[2], moved: null, lines: [], added: 0, removed: 0 });
      else if (file && line.startsWith("*** Move to: ")) file.moved = line.slice(13);
      else if (file && !line.startsWith("*** ")) {
        file.lines.push(line);
        if (line[0] === "+") file.added++;
        if (line[0] === "-") file.removed++;
      }
    }
    return files;
  }
  function diffLines(lines) {
    const kinds = { "+": "added", "-": "removed", "@": "hunk" };
    return lines.map(line => el("span", { class: "line " + (kinds[line[0]] || "") }, line || " "));
  }
  function diff(file) {
    while (file.lines.length && file.lines[file.lines.length - 1] === "") file.lines.pop();
    const limit = 400, pre = el("pre", { class: "diff" }, diffLines(file.lines.slice(0, limit)));
    const counts = el("span", { class: "counts" }, el("span", { class: "plus" }, "+" + grouped(file.added)), " ", el("span", { class: "minus" }, "−" + grouped(file.removed)));
    const name = { Add: "new ", Update: "", Delete: "deleted " }[file.what] + file.name + (file.moved ? " → " + file.moved : "");
    const more = file.lines.length > limit ? el("button", { class: "more", type: "button" }, "Show all " + grouped(file.lines.length) + " lines") : null;
    if (more) more.addEventListener("click", () => { pre.replaceChildren(...diffLines(file.lines)); more.remove(); });
    return el("details", { class: "file", open: true }, el("summary", null, el("code", null, name), counts), file.lines.length ? pre : null, more);
  }

  // What a tool was asked for: a patch by its files, a command as one, anything else as its arguments.
  function request(value) {
    const patch = patchIn(value), files = patch ? filesOf(patch) : [];
    if (files.length) return section(files.length === 1 ? "Change" : "Changes in " + files.length + " files", el("div", { class: "box files" }, copy(patch.trimEnd() + "\n*** End Patch", "patch"), files.map(diff)));
    const given = parsed(value), asked = given && (given.cmd ?? given.command);
    if (typeof asked !== "string" && !Array.isArray(asked)) return section("Arguments", box(...text(value, null, "arguments")));
    const shell = Array.isArray(asked) && asked.length === 3 && /^-[a-z]*c$/.test(asked[1]);
    const command = Array.isArray(asked) ? (shell ? String(asked[2]) : asked.join(" ")) : asked;
    const rest = Object.entries(given).filter(([key]) => key !== "cmd" && key !== "command");
    const pre = el("pre", { class: "command" });
    pre.textContent = command;
    return section("Command", box(copy(command, "command"), pre, rest.length ? el("dl", { class: "facts" }, rest.map(([key, one]) => [el("dt", null, key), el("dd", null, typeof one === "string" ? one : JSON.stringify(one))])) : null));
  }

  // Before a command's output Codex writes lines of its own, which say what the span says already.
  const OWN_LINES = /^(?:(?:Chunk ID|Exit code|Wall time|Process exited with code|Process running with session ID|Original token count|Total output lines)[^\n]*\n)+(?:Output:(?:\n|$))?/;
  function result(value, mime) {
    const given = parsed(value), wrapped = given && typeof given.output === "string" && given.metadata ? given : null;
    const printed = wrapped ? wrapped.output : String(value), own = OWN_LINES.exec(printed);
    const rest = own ? printed.slice(own[0].length) : printed;
    const lines = [own ? own[0].trimEnd() : "", wrapped ? JSON.stringify(wrapped.metadata) : ""].filter(Boolean).join("\n");
    const pictures = images(given).slice(0, 20);
    const shown = pictures.length ? pictures.map(image) : rest.trim() ? text(rest, own ? "text/plain" : mime, "output") : [el("p", { class: "nothing" }, "no output")];
    return section("Output", box(...shown), lines ? el("details", { class: "own" }, el("summary", null, "Codex's own lines"), box(...text(lines, "text/plain", "Codex's own lines"))) : null);
  }

  function messages(a, side) {
    const found = [];
    for (const [key, value] of Object.entries(a)) {
      const match = /^llm\.(input|output)_messages\.(\d+)\.message\.(.+)$/.exec(key);
      if (match && match[1] === side) ((found[+match[2]] ||= {})[match[3]] = value);
    }
    return found.filter(Boolean).map(m => {
      const parts = [];
      if (m.content !== undefined) parts.push(...text(m.content, null, "message"));
      for (let n = 0; m[`contents.${n}.message_content.type`] !== undefined; n++) {
        const at = `contents.${n}.message_content.`, url = m[at + "image.image.url"];
        if (m[at + "type"] === "reasoning") parts.push(el("div", { class: "role" }, "reasoning"));
        if (url && isImage(url)) parts.push(image(url));
        else if (url || m[at + "text"] !== undefined) parts.push(...text(url || m[at + "text"], null, "message"));
      }
      for (let n = 0; m[`tool_calls.${n}.tool_call.id`] !== undefined; n++) {
        const at = `tool_calls.${n}.tool_call.`;
        parts.push(el("div", { class: "role" }, "calls " + m[at + "function.name"]), ...text(m[at + "function.arguments"], null, "arguments"));
      }
      return box(el("div", { class: "role" }, (m.role || "?") + (m.tool_call_id ? " · " + m.tool_call_id : "")), ...parts);
    });
  }

  return { el, grouped, section, box, text, copy, request, result, messages };
})();
