// Bundles the pages, serves them on an origin of their own, and opens them in a browser that reaches nothing but this machine.

import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";

import { build } from "esbuild";

import { launch } from "../browser/chromium.mjs";
import { base } from "../server.mjs";
import { makeFolder } from "./snippets.mjs";

const port = Number(process.env.PICOAUTH_PAGE_PORT);

/** The site that the README's settings name. */
export const site = `http://localhost:${port}`;

let browser, server, made;

before(async () => {
  made = makeFolder(base);
  const options = {
    absWorkingDir: made.folder, bundle: true, splitting: true, format: "esm", jsx: "automatic", logLevel: "error",
    define: {
      "process.env.NODE_ENV": '"production"', global: "globalThis",
      PICOAUTH_URL: JSON.stringify(base), FORGETFUL_URL: JSON.stringify(process.env.PICOAUTH_FORGETFUL_URL),
    },
  };
  await build({ ...options, entryPoints: made.pages, outdir: join(made.folder, "site") });
  // RainbowKit wants wagmi 2; the adapter is for the newest too.
  const wagmi3 = { in: made.pages.find((name) => name.endsWith("/page-wagmi.ts")), out: "page-wagmi-3" };
  await build({ ...options, splitting: false, alias: { wagmi: "wagmi-3" }, entryPoints: [wagmi3], outdir: join(made.folder, "site") });
  server = createServer(serve).listen(port, "127.0.0.1");
  browser = await launch("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1");
});

after(async () => {
  await browser?.close();
  server?.close();
  made && rmSync(made.folder, { recursive: true });
});

const types = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html" };

function serve(request, reply) {
  const { pathname } = new URL(request.url, site);
  try {
    const content = readFileSync(join(made.folder, "site", pathname.replaceAll("..", "")));
    reply.writeHead(200, { "Content-Type": types[extname(pathname)] }).end(content);
  } catch {
    const [, name] = pathname.match(/^\/([a-z0-9-]+)$/) ?? [];
    const html = `<!doctype html><link rel="stylesheet" href="/${name}.css"><div id="root"></div><button id="sign-in">Sign in</button><script type="module" src="/${name}.js"></script>`;
    reply.writeHead(name ? 200 : 404, { "Content-Type": "text/html" }).end(name && html);
  }
}

/** Runs a test in a fresh profile, at one of the pages. wallets puts wallets into it. */
export function pageTest(name, { at, wallets = async () => {} }, run) {
  test(name, { timeout: 240_000 }, async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB" });
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      const log = [];
      page.on("console", (line) => log.push(line.text()));
      page.on("pageerror", (error) => log.push(String(error)));
      const injected = await wallets(page);
      await page.goto(at);
      await run(page, injected).catch((error) => {
        throw new Error(`${error.message}\nthe console:\n${log.join("\n")}`, { cause: error });
      });
    } finally {
      await context.close();
    }
  });
}
