// What tests/page/run does with `arize-codex open` in the browser; leaves with 1 when anything is wrong.
//
//   open.mjs ADDRESS TURNS [PICTURES]     TURNS: how many turns the home was filled with
import { createRequire } from "node:module";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(join(process.env.WORK, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [, , address, turns, pictures] = process.argv;
let wrong = 0;
const check = (what, good, note = "") => {
  console.log(`${good ? "ok  " : "FAIL"} open: ${what} ${note}`);
  wrong += good ? 0 : 1;
};
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

async function open(path, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.troubles = [];
  page.on("pageerror", error => page.troubles.push(error.message));
  page.on("console", message => message.type() === "error" && page.troubles.push(message.text()));
  page.on("request", request => request.url().startsWith(new URL(address).origin) || request.url().startsWith("data:") || page.troubles.push("asks for " + request.url()));
  await page.goto(address + path);
  return page;
}
const drawn = page => page.waitForFunction(() => performance.getEntriesByName("drawn").length && document.querySelector(".turn"));

async function violations(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", { expression: "axe.run().then(r => JSON.stringify(r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target + ' ' + n.failureSummary).join(' | '))))", awaitPromise: true });
  return JSON.parse(result.value);
}

for (const [scheme, viewport] of [["light", null], ["dark", null], ["light", { width: 390, height: 780 }]]) {
  const label = scheme + (viewport ? " phone" : "");
  const page = await open("", { colorScheme: scheme, ...(viewport ? { viewport, hasTouch: true } : {}) });
  await drawn(page);
  const found = await violations(page);
  check(`${label} passes axe-core`, !found.length, found.join("\n"));
  check(`${label} fits its window`, await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  check(`${label} runs nothing and asks nobody else`, !(await page.evaluate("window.ran")) && !page.troubles.length, page.troubles.join("\n"));
  const size = await page.evaluate(() => { const text = document.querySelector("#chart text"); return text && text.getBoundingClientRect().height; });
  check(`${label} has a chart whose words can be read`, size >= 9, `${size}`);
  if (pictures) await page.screenshot({ path: join(pictures, `open-${label.replace(" ", "-")}.png`) });
  await page.context().close();
}

const page = await open("", {});
await drawn(page);
check("every turn is counted", (await page.locator("#figures dd").first().textContent()).replace(/\D/g, "") === turns);
await page.keyboard.press("/");
await page.keyboard.type("#17#");
await page.waitForFunction(() => document.querySelectorAll(".turn").length === 1);
check("search finds one turn by its prompt", (await page.locator(".turn .prompt").textContent()).includes("number #17#"));
check("a hostile prompt stays text", (await page.locator(".turn .prompt").textContent()).includes("<img src=x"));
await page.locator("#clear").click();
await page.waitForFunction(() => document.querySelectorAll(".turn").length > 1);
await page.locator("[name=failed]").check();
await page.waitForFunction(() => [...document.querySelectorAll(".turn")].every(t => t.querySelector(".bad")));
check("the filter shows failures alone", (await page.locator(".turn").count()) > 0);
await page.locator("#clear").click();
await page.locator("[data-by=model]").click();
await page.waitForSelector(".group");
check("costs are drawn by model", (await page.locator(".group").count()) > 0);
const csv = async selector => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(selector).click()]);
  return readFileSync(await download.path(), "utf8").trim().split("\n");
};
const table = await csv("#turns-table");
check("the turns are saved as CSV", table.length === Number(turns) + 1 && table[0].startsWith("thread,turn,"), table.length + " lines");
check("the costs are saved as CSV", (await csv("#costs-table"))[0].startsWith("name,turns,"));
const link = await page.locator("a.turn").first().getAttribute("href");
await page.locator("a.turn").first().click();
await page.waitForSelector("[role=treeitem]");
check("a turn opens as a waterfall under an address of its own", page.url() === address + link);
const again = await open(link, {});
await again.waitForSelector("[role=treeitem]");
check("its address can be opened again", true);
await again.locator("nav a:has-text('conversation')").click();
await again.waitForSelector(".conversation li");
await again.goBack();
await again.locator("nav a:has-text('all sessions')").click();
await again.waitForSelector(".turn");
check("a turn's page leads to its conversation and to all sessions", true);
await page.goBack();
await drawn(page);
await page.locator("a:has-text('conversation')").first().click();
await page.waitForSelector(".conversation li");
const saved = async selector => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(selector).click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
};
const whole = await saved("a[href^='export/']");
check("a session is saved as one page", /^codex-session-.*\.html$/.test(whole.name) && whole.text.startsWith("<!doctype html>") && !whole.text.includes("<img src=x"), whole.name);
const found = await violations(page);
check("a conversation passes axe-core", !found.length, found.join("\n"));
// A turn that runs, told by hooks while the page looks.
const payload = more => JSON.stringify({ session_id: "01a208b7-4665-7351-8821-05e2a116e8e7", turn_id: "01a208b7-467d-7581-acaf-06e37ecc6ebd", cwd: "/home/dev/shop", model: "gpt-5.5", transcript_path: null, permission_mode: "default", ...more });
const hook = (role, event, more) => spawnSync(process.env.PROGRAM, ["hook", role], { input: payload({ hook_event_name: event, ...more }), env: { HOME: process.env.OPEN_HOME } });
const list = await open("", {});
await drawn(list);
hook("session", "UserPromptSubmit", { prompt: "watch me <b>run</b>" });
await list.waitForSelector(".turn:has-text('watch me <b>run</b>')");
check("a turn that begins appears by itself", (await list.locator(".turn:has-text('watch me') .wait").textContent()).startsWith("running"));
await list.locator("a.turn:has-text('watch me')").focus();
await list.evaluate(() => { window.drawnAnew = false; new MutationObserver(() => { window.drawnAnew = true; }).observe(document.getElementById("list"), { childList: true }); });
await list.waitForFunction(() => window.drawnAnew);
check("the keyboard stays on a turn while the list moves", await list.evaluate(() => document.activeElement.matches("a.turn") && document.activeElement.textContent.includes("watch me")));
await list.locator("a.turn:has-text('watch me')").click();
await list.waitForSelector("[role=treeitem]");
const call = { tool_name: "Bash", tool_input: { command: "sleep 9 # <img src=x onerror=window.ran=1>" }, tool_use_id: "call_1" };
hook("tool", "PreToolUse", call);
await list.waitForSelector("[role=treeitem]:has-text('Bash')");
check("its page moves as a call begins", true);
await list.locator("[role=treeitem]:has-text('Bash')").click();
await list.waitForSelector("#details .command");
hook("tool", "PostToolUse", { ...call, tool_response: "slept well" });
await list.waitForFunction(() => /slept well/.test(document.getElementById("details").textContent));
check("the details of a chosen call follow it", true);
check("what is chosen stays chosen while it moves", (await list.locator(".row.on").textContent()).includes("Bash"));
const moving = await violations(list);
check("the page of a running turn passes axe-core", !moving.length, moving.join("\n"));
hook("stop", "Stop", { last_assistant_message: "all done" });
await list.waitForFunction(() => /completed/.test(document.getElementById("subtitle").textContent));
check("its page tells its end", true);
check("nothing of it has run", !(await list.evaluate("window.ran")) && !list.troubles.filter(t => !/404/.test(t)).length, list.troubles.join("\n"));
const stranger = await open("", {});
const refused = await stranger.evaluate(() => fetch("/turns").then(r => r.status));
check("without the token there is nothing", refused === 404);
await browser.close();
process.exit(wrong ? 1 : 0);
