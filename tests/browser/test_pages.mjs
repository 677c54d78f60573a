/* The pages in a browser: test_pages.mjs BERTD PACKAGES [PICTURES]
 *
 * BERTD serves them, with a model that deploy/run fetches. PACKAGES is the folder that tests/run installs package.json
 * in. Headless Chromium clicks, types and looks. With a folder for PICTURES, it takes those of docs/images instead.
 * Skipped (77) without the model, the packages or Chromium. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", "--disable-lcd-text"];
const PATIENCE_MS = 60000;
const KEY = "sesame";
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

if (process.argv.includes("--help") || process.argv.includes("-h")) {
  console.log("test_pages.mjs BERTD PACKAGES [PICTURES]: the pages of BERTD in headless Chromium");
  process.exit(0);
}
const [bertd, packages, pictures] = process.argv.slice(2);
const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
const model = process.env.BERTD_TEST_MODEL || join(cache, "bertd/models/all-MiniLM-L6-v2");
for (const needed of [join(model, "model.safetensors"), join(packages, "node_modules/playwright-core"), CHROMIUM]) {
  if (existsSync(needed)) continue;
  console.log(`skipped: there is no ${needed}`);
  process.exit(77);
}
const require = createRequire(join(resolve(packages), "/"));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

/* A bertd with these options more, on a free port: {url, stop}. */
function start(...options) {
  const child = spawn(bertd, ["--model-id", model, "--served-model-name", "all-MiniLM-L6-v2", "--port", "0", "--boards",
                              "2", "--drain-seconds", "0", "--json-output", ...options],
                      { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((done) => child.on("exit", done));
  let log = "";
  return new Promise((done, fail) => {
    ended.then((code) => fail(new Error(`bertd ended with ${code}:\n${log}`)));
    child.stderr.on("data", (bytes) => {
      log += bytes;
      const found = /"message":"listening".*?"port":(\d+)/.exec(log);
      const stop = async () => {
        child.kill("SIGTERM");
        assert.equal(await ended, 0, log);
      };
      if (found) done({ url: `http://127.0.0.1:${found[1]}`, stop });
    });
  });
}

const post = (url, body) =>
  fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/* A proxy that serves `url` below /embeddings/of/ours: {url, stop}. */
async function below(url) {
  const proxy = createServer((asked, answer) => {
    const path = /^\/embeddings\/of\/ours(\/.*)$/.exec(asked.url);
    if (!path) return answer.writeHead(404).end();
    const passed = request(url + path[1], { method: asked.method, headers: asked.headers }, (given) => {
      answer.writeHead(given.statusCode, given.headers);
      given.pipe(answer);
    });
    asked.pipe(passed);
  });
  await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
  const stop = () => new Promise((done) => { proxy.close(done); proxy.closeAllConnections(); });
  return { url: `http://127.0.0.1:${proxy.address().port}/embeddings/of/ours`, stop };
}

/* A page of its own at `path`, which `act` uses; nothing may be wrong on its console or go elsewhere. `refused`: some
 * answers of 401 are expected there. */
async function visit(browser, url, path, options, act, refused = false) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    const expected = refused && /status of 401/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !expected) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("data:")) complaints.push(`asks ${request.url()}`);
  });
  await page.goto(url + path);
  await act(page);
  assert.deepEqual(complaints, []);
  await context.close();
}

/* What axe finds wrong. By the protocol of the debugger, so past the page's policy. */
async function checkAccess(page, leftOut = []) {
  await page.evaluate(readFileSync(axe, "utf8") + "; null");
  const found = await page.evaluate(
    ([tags, exclude]) => axe.run({ exclude }, { runOnly: { type: "tag", values: tags } }), [RULES, leftOut]);
  assert.deepEqual(found.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200))]), []);
  assert.ok(found.passes.length > 10);
}

const text = (page, selector, pattern) =>
  page.waitForFunction(([s, p]) => new RegExp(p).test(document.querySelector(s)?.textContent ?? ""), [selector, pattern]);

/* In /docs. */
async function tryEmbed(page) {
  await page.click("#operations-Embeddings-embed .opblock-summary-control");
  await page.click("#operations-Embeddings-embed .try-out__btn");
  await page.click("#operations-Embeddings-embed .execute");
  await text(page, "#operations-Embeddings-embed .live-responses-table tbody .response-col_status", "^200");
}

const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);

const tests = {
  async "the dashboard follows the server"({ browser, server }) {
    await visit(browser, server.url, "/dashboard", {}, async (page) => {
      await text(page, "#state", "^2 of 2 boards in service$");
      await text(page, "#model", "^all-MiniLM-L6-v2$");
      assert.equal(await page.locator("#boards li").count(), 2);
      let busy = true;
      const load = (async () => {
        while (busy) await (await post(`${server.url}/embed`, { inputs: ["some words", "some more words"] })).text();
      })();
      await text(page, "#texts", "^[1-9]");
      await text(page, "#tokens", "^[1-9]");
      await text(page, "#median", "m?s$");
      await text(page, "#p95", "m?s$");
      await text(page, "#queues tr:first-child", "interactive.*m?s");
      await page.waitForFunction(() => document.querySelector('[data-board="emu0"] progress').value > 0);
      assert.match(await page.getAttribute("#texts-chart polyline", "points"), /\d,\d.* \d/);
      busy = false;
      await load;
      await checkAccess(page);
    });
  },

  async "two texts are compared"({ browser, server }) {
    await visit(browser, server.url, "/dashboard", {}, async (page) => {
      await page.fill("#first", "A cat sits on the mat.");
      await page.fill("#second", "A kitten is lying on a rug.");
      await page.click("text=Compare");
      await text(page, "#similarity", "^Similarity 0\\.[4-7]");
      assert.deepEqual(await page.locator("#first-tokens li").allTextContents(),
                       ["[CLS]", "A", "cat", "sits", "on", "the", "mat", ".", "[SEP]"]);
      assert.equal(await page.locator("#second-tokens .special").count(), 2);
      await page.fill("#second", "A cat sits on the mat.");
      await page.click("text=Compare");
      await text(page, "#similarity", "^Similarity 1\\.0000");
      await page.fill("#second", "<img src=x onerror=alert(1)>");
      await page.click("text=Compare");
      await text(page, "#second-tokens", "<.*img");
      await page.fill("#second", "word ".repeat(400));
      await page.click("text=Compare");
      await text(page, "#timing", "too long and was cut");
      await checkAccess(page);
    });
  },

  async "a board that dies turns red, and green again"({ browser, server }) {
    await visit(browser, server.url, "/dashboard", {}, async (page) => {
      const board = page.locator('[data-board="emu1"]');
      await text(page, "#state", "^2 of 2");
      const color = () => board.locator(".badge").evaluate((badge) => getComputedStyle(badge).backgroundColor);
      const green = await color();
      assert.equal((await post(`${server.url}/admin/faults`, { board: 1, kind: "load", count: 12 })).status, 200);
      await text(page, "#state", "^1 of 2 boards in service$");
      await board.and(page.locator("[data-out]")).waitFor();
      assert.notEqual(await color(), green);
      assert.match(await board.locator(".error").textContent(), /injected fault/);
      await text(page, "#announcement", "^emu1 is out of service: .*injected fault");
      await checkAccess(page);
      await text(page, "#state", "^2 of 2 boards in service$");
      await text(page, "#announcement", "^emu1 is back in service$");
      assert.equal(await color(), green);
    });
  },

  async "a phone, in the dark"({ browser, server }) {
    const phone = { viewport: { width: 360, height: 740 }, colorScheme: "dark", hasTouch: true, isMobile: true };
    await visit(browser, server.url, "/dashboard", phone, async (page) => {
      await text(page, "#state", "^2 of 2");
      assert.ok(await fits(page));
      const [ground, ink] = await page.evaluate(() => {
        const style = getComputedStyle(document.body);
        return [style.backgroundColor, style.color].map((c) => Number(/\d+/.exec(c)[0]));
      });
      assert.ok(ground < 64 && ink > 192, `${ground} ${ink}`);
      await page.tap("text=Compare");
      await text(page, "#similarity", "^Similarity 0\\.");
      assert.ok(await fits(page));
      await checkAccess(page);
    });
  },

  async "by the keyboard alone"({ browser, server }) {
    await visit(browser, server.url, "/dashboard", {}, async (page) => {
      const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className);
      await text(page, "#state", "^2 of 2");
      await page.keyboard.press("Tab");
      assert.equal(await focused(), "skip");
      assert.ok(await page.locator(".skip").evaluate((link) => link.getBoundingClientRect().top >= 0));
      await page.keyboard.press("Tab");
      assert.equal(await focused(), "pause");
      await page.keyboard.press("Space");
      await text(page, "#pause", "^Go on$");
      assert.equal(await page.getAttribute("#pause", "aria-pressed"), "true");
      assert.notEqual(await page.locator("#pause").evaluate((b) => getComputedStyle(b).outlineStyle), "none");
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Enter"); // over what is between
      await page.keyboard.press("Tab");
      assert.equal(await focused(), "first");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("good morning");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("good evening");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await text(page, "#similarity", "^Similarity 0\\.");
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Compare");
    });
  },

  async "the key of a server that has one"({ browser, locked }) {
    await visit(browser, locked.url, "/dashboard", {}, async (page) => {
      await page.locator("#key-form").waitFor();
      await text(page, "#note", "asks for an API key");
      await checkAccess(page);
      await page.fill("#key", "wrong");
      await page.keyboard.press("Enter");
      await text(page, "#note", "not the server's");
      await page.fill("#key", KEY);
      await page.click("#key-form button");
      await text(page, "#state", "^2 of 2 boards in service$");
      assert.ok(await page.locator("#key-form").isHidden());
      await page.click("text=Compare");
      await text(page, "#similarity", "^Similarity 0\\.");
      await page.reload();
      await text(page, "#state", "^2 of 2 boards in service$");
    }, true);
  },

  async "below a path of a proxy"({ browser, server }) {
    const proxy = await below(server.url);
    await visit(browser, proxy.url, "/dashboard", {}, async (page) => {
      await text(page, "#state", "^2 of 2");
      await page.click("text=Compare");
      await text(page, "#similarity", "^Similarity 0\\.");
      await page.click('footer a[href="docs"]');
      await tryEmbed(page);
    });
    await proxy.stop();
  },

  async "the description of the API"({ browser, server }) {
    await visit(browser, server.url, "/docs", {}, async (page) => {
      await page.locator("#operations-Embeddings-embed").waitFor();
      assert.ok(await page.locator(".opblock").count() > 20);
      await tryEmbed(page);
    });
  },
};

/* A minute of load that comes and goes, at whose end a board is away. */
async function takePictures({ browser, server }) {
  const wide = { viewport: { width: 900, height: 900 }, deviceScaleFactor: 0.75 };
  await visit(browser, server.url, "/dashboard", wide, async (page) => {
    let n = 0;
    const load = setInterval(async () => {
      const inputs = Array.from({ length: 1 + (n % 10) }, (_, i) => "some words of a text ".repeat(1 + i));
      if (n++ % 7 < 3 + 3 * Math.sin(n / 150)) await (await post(`${server.url}/embed`, { inputs })).text();
    }, 25);
    await page.waitForTimeout(PATIENCE_MS);
    await page.click("text=Compare");
    await text(page, "#similarity", "^Similarity");
    await post(`${server.url}/admin/faults`, { board: 1, kind: "load", count: 12 });
    await text(page, "#state", "^1 of 2 boards");
    await page.waitForTimeout(2000);
    await page.screenshot({ path: join(pictures, "dashboard.png"), fullPage: true });
    await page.setViewportSize({ width: 360, height: 800 });
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.emulateMedia({ colorScheme: "dark" });
    await page.screenshot({ path: join(pictures, "dashboard-phone.png") });
    clearInterval(load);
  });
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS }); // with a profile of its own
const server = await start("--enable-fault-injection");
const locked = await start("--api-key", KEY);
let failures = 0;
for (const [name, test] of Object.entries(pictures ? { "pictures are taken": takePictures } : tests)) {
  try {
    await test({ browser, server, locked });
    console.log(`ok: ${name}`);
  } catch (error) {
    failures++;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}
await browser.close();
await server.stop();
await locked.stop();
process.exit(failures ? 1 : 0);
