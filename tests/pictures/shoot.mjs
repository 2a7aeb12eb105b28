// Takes the pictures of a terminal, a page and a trace in Phoenix: HOME OUT URL.
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(join(process.env.WORK, "package.json"))("playwright-core");
const [, , home, out, trace] = process.argv;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
async function open(url, width, height) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: "light" });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}
const terminal = await open(`file://${home}/terminal.html`, 1400, 900);
await terminal.locator("figure").screenshot({ path: join(out, "terminal.png") });

const page = await open(`file://${home}/page.html`, 1360, 760);
await page.locator("[role=treeitem]").nth(3).click();
await page.mouse.move(600, 740);
await page.waitForTimeout(200);
await page.screenshot({ path: join(out, "page.png") });

const phoenix = await open(trace, 1500, 900);
await phoenix.getByText("Turn 1").first().waitFor({ timeout: 60000 });
await phoenix.waitForTimeout(4000);
await phoenix.screenshot({ path: join(out, "phoenix.png") });
await browser.close();
