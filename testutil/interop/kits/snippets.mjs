// The pages of the client's README and of this folder, and the adapters that they use, side by side as a front end has them.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const readme = readFileSync(join(here, "../../../serverauth/web/client/README.md"), "utf8");

/** The README's code: {heading, language, text} each. */
function snippets() {
  const found = [];
  for (const section of readme.split(/^## /m)) {
    const [heading] = section.split("\n", 1);
    for (const [, language, text] of section.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
      found.push({ heading, language, text });
    }
  }
  return found;
}

/**
 * Makes the folder, and returns it with the files that are pages. A page of the README has the name of its section; the one of
 * HTML, and what is bundled from the others, is in the folder site. The settings are for the server.
 */
export function makeFolder(base) {
  const folder = mkdtempSync(join(tmpdir(), "kits-"));
  symlinkSync(join(here, "node_modules"), join(folder, "node_modules"));
  cpSync(join(here, "../../../examples/webwallet/kits"), folder, { recursive: true });
  cpSync(join(here, "pages"), folder, { recursive: true });
  mkdirSync(join(folder, "site"));
  const pages = readdirSync(join(here, "pages")).filter((name) => !name.endsWith(".d.ts"));
  for (const { heading, language, text } of snippets().filter((one) => one.language !== "yaml")) {
    const own = text.replaceAll("https://auth.example.com", base).replaceAll("YOUR_PROJECT_ID", "0".repeat(32));
    if (language === "html") {
      writeFileSync(join(folder, "site/module.html"), own);
      continue;
    }
    pages.push(`page-${heading.toLowerCase().replaceAll(" ", "-")}.${language}`);
    writeFileSync(join(folder, pages.at(-1)), own);
  }
  return { folder, pages: pages.map((name) => join(folder, name)) };
}
