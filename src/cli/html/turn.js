// The spans of the page: what the rows need in columns, at first of the rows in sight alone, then of all; the rest by
// the hundred, read when a span is opened or searched for.
const turn = (() => {
  const KINDS = { L: "LLM", T: "TOOL", A: "AGENT", C: "CHAIN", S: "SPAN" };
  const AT_ONCE = 8, ASKED_FOR = 256;
  const head = JSON.parse(taken(document.getElementById("data")));
  let columns, parents, below, chunks = null;
  const read = new Map();

  function taken(element) {
    const text = element.textContent;
    element.remove();
    return text;
  }
  // JSON, or a large part of it compressed.
  function opened(element) {
    const text = element.textContent;
    if (element.type === "application/json") return JSON.parse(text);
    const binary = atob(text), bytes = new Uint8Array(binary.length);
    for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  // Parents and how many spans are below one follow from the depths.
  function take(next) {
    columns = next;
    const count = columns.d.length, path = [];
    parents = new Int32Array(count);
    below = new Int32Array(count);
    for (let n = 0; n <= count; n++) {
      const depth = n < count ? columns.d[n] : 0;
      while (path.length > depth) { const done = path.pop(); below[done] = n - done - 1; }
      if (n === count) break;
      parents[n] = depth ? path[depth - 1] : -1;
      path.push(n);
    }
  }
  const kind = n => KINDS[columns.k[n]];
  const trace = n => head.traces.findLastIndex(t => t.first <= n);
  function span(n) {
    return { n: columns.names[columns.n[n]], b: columns.b[n], k: kind(n), d: columns.d[n], s: columns.s[n], l: columns.l[n], p: parents[n], t: below[n], w: columns.w[n], x: columns.x[n] };
  }

  // A part of the page that holds the details of some spans, or of a turn that runs what the server tells.
  function places() {
    if (!chunks) chunks = [...document.querySelectorAll("script.details")].map(element => ({ first: +element.dataset.first, element }));
    return chunks;
  }
  async function fetched(first, count) {
    const answer = await fetch(head.details + "?from=" + first + "&count=" + count, { credentials: "omit" });
    return answer.ok ? answer.json() : [];
  }
  function remember(first, list) {
    read.set(first, list);
    if (read.size > AT_ONCE) read.delete(read.keys().next().value);
    return list;
  }
  const startOf = n => head.details ? n - n % ASKED_FOR : places().findLast(c => c.first <= n)?.first ?? 0;
  // The id and the attributes of a span when they are at hand, a promise of them when they are not.
  function details(n) {
    const first = startOf(n), isIt = one => one && (!columns.i.length || columns.i[n] === one.i), found = list => isIt(list[n - first]) ? list[n - first] : { i: "", a: {} };
    if (read.has(first)) return found(read.get(first));
    const made = head.details ? fetched(first, ASKED_FOR) : (place => place ? opened(place.element) : [])(places().find(c => c.first === first));
    return made instanceof Promise ? made.then(list => found(remember(first, list))) : found(remember(first, made));
  }
  // What can be searched, in lower case, a text for each span.
  async function texts() {
    const all = new Array(columns.d.length).fill("");
    const add = (first, list) => list.forEach((one, at) => {
      const n = first + at;
      all[n] = (columns.names[columns.n[n]] + "\n" + columns.b[n] + "\n" + (columns.x[n] || "") + "\n" + Object.values(one.a).join("\n")).toLowerCase();
    });
    if (head.details) add(0, await fetched(0, all.length));
    else await Promise.all(places().map(async ({ first, element }) => add(first, await opened(element))));
    return all;
  }

  take(head.rows);
  // Resolved when all rows are there; at once where there are few.
  const whole = columns.d.length === head.count ? null : new Promise(done => document.addEventListener("DOMContentLoaded", async () => {
    take(await opened(document.getElementById("rows-data")));
    done();
  }));
  return {
    head, whole, span, kind, trace, details, texts,
    known: () => columns.d.length, parent: n => parents[n], below: n => below[n], length: n => columns.l[n], depth: n => columns.d[n], failed: n => columns.x[n] !== undefined, id: n => columns.i[n],
    // What a running turn has become.
    renew(next) {
      Object.assign(head, next);
      read.clear();
      take(next.rows);
    },
  };
})();
