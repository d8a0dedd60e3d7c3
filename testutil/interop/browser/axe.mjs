// What axe says of a page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Every fault of what is on the screen, as text. */
export async function audit(page, view) {
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await page.evaluate(`${axe}; undefined`); // by the debugger's protocol, which the page's policy does not bind
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
    const faults = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`));
    assert.deepEqual(faults, [], `${view} at ${width}`);
  }
}
