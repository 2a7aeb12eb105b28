// What tests/page/time measures in the browser: medians of several runs.
//
//   time.mjs FILE ADDRESS TURN SERVER RUNS     FILE: the page of the large turn; ADDRESS: where the list is served; TURN:
//                                              where the large turn is; SERVER: the process that serves the list
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.WORK, "package.json"));
const { chromium } = require("playwright-core");
const [, , file, address, turn, server, runs] = process.argv;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const sorted = list => list.slice().sort((a, b) => a - b);
const at = (list, share) => sorted(list)[Math.min(list.length - 1, Math.floor(list.length * share))];
const say = (what, list, limit) => console.log(`| ${what} | ${limit ?? ""} | ${Math.round(at(list, 0.5))} | ${Math.round(at(list, 0))} | ${Math.round(at(list, 0.95))} |`);

// Notes the end of the first frame that has a row: what a person sees first.
function watch(row) {
  const look = () => {
    if (!document.querySelector(row)) return requestAnimationFrame(look);
    const painted = new MessageChannel();
    painted.port1.onmessage = () => { window.painted = performance.now(); };
    painted.port2.postMessage(0);
  };
  requestAnimationFrame(look);
}
async function open(url, row) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 820 } });
  const page = await context.newPage();
  await page.addInitScript(watch, row);
  await page.goto(url);
  await page.waitForFunction(() => window.painted);
  return page;
}
const mark = (page, name) => page.evaluate(name => performance.getEntriesByName(name)[0]?.startTime, name);

async function opening(what, url, row, limit, last) {
  const first = [], painted = [], whole = [];
  for (let run = 0; run < runs; run++) {
    const page = await open(url, row);
    first.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN));
    painted.push(await page.evaluate(() => window.painted));
    if (last) {
      await page.waitForFunction(last => performance.getEntriesByName(last).length, last);
      whole.push(await mark(page, last));
    }
    await page.context().close();
  }
  say(`${what}: first contentful paint`, first, limit);
  say(`${what}: rows are painted`, painted, limit);
  if (last) say(`${what}: all rows are known`, whole);
}

async function scrolling(url) {
  const page = await open(url, "[role=treeitem]");
  await page.waitForFunction(() => performance.getEntriesByName("whole").length);
  const frames = await page.evaluate(async () => {
    const list = document.getElementById("rows"), frames = [];
    await new Promise(requestAnimationFrame);
    let last = performance.now();
    for (let n = 0; n < 200; n++) {
      list.scrollTop += 2500;
      await new Promise(requestAnimationFrame);
      frames.push(performance.now() - last);
      last = performance.now();
    }
    return frames;
  });
  say("a frame while 20,000 rows are scrolled through", frames, "17");
  await page.context().close();
}

// From the press of each key to the end of the frame that shows other rows.
async function typing() {
  const page = await open(address, ".turn");
  await page.waitForFunction(() => performance.getEntriesByName("drawn").length);
  await page.evaluate(() => {
    window.taken = [];
    let pressed = 0;
    document.getElementById("q").addEventListener("keydown", event => { pressed = event.timeStamp; }, true);
    new MutationObserver(() => requestAnimationFrame(() => {
      const painted = new MessageChannel(), from = pressed;
      pressed = 0;
      painted.port1.onmessage = () => from && window.taken.push(performance.now() - from);
      painted.port2.postMessage(0);
    })).observe(document.getElementById("list"), { childList: true });
  });
  await page.locator("#q").focus();
  for (const word of ["number #17", "many #4321#", "parser"]) {
    for (const key of word) {
      const before = await page.evaluate(() => window.taken.length);
      await page.keyboard.press(key);
      await page.waitForFunction(before => window.taken.length > before, before);
    }
    await page.locator("#q").fill("");
    await page.waitForTimeout(200);
  }
  say("`open`: rows change after a key in the search", await page.evaluate(() => window.taken), "100");
  await page.context().close();
}

console.log(`medians of ${runs} runs in ms; load ${loadavg()[0].toFixed(1)}; ${browser.browserType().name()} ${browser.version()}\n`);
console.log("| what | at most | median | fastest | 19 of 20 |\n|---|---:|---:|---:|---:|");
await opening("a file of 20,000 spans", "file://" + file, "[role=treeitem]", "500", "whole");
await opening("20,000 spans, served", turn, "[role=treeitem]", "500", "whole");
await scrolling("file://" + file);
await opening("`open`, 2,000 sessions of 10,000 turns", address, ".turn", "300");
await typing();
const status = readFileSync(`/proc/${server}/status`, "utf8");
console.log(`\nThe server's memory at its peak: ${(/VmHWM:\s+(\d+)/.exec(status)[1] / 1024).toFixed(1)} MiB`);
await browser.close();
