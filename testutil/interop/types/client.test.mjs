// client.d.ts describes client.js: a program that uses all of it passes tsc --strict, and each export is in both.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const client = join(here, "../../../serverauth/web/client");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

test("a program in TypeScript", () => {
  const dir = mkdtempSync(join(tmpdir(), "types-"));
  try {
    cpSync(client, join(dir, "node_modules/picoauth-client"), { recursive: true });
    cpSync(join(here, "program.ts"), join(dir, "program.ts"));
    const args = [tsc, "--strict", "--noEmit", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022", "--lib", "es2022,dom", "program.ts"];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: dir, encoding: "utf8" });
    assert.equal(status, 0, stdout);
    writeFileSync(join(dir, "program.ts"), `import { createClient } from "picoauth-client";\ncreateClient({ storage: "disk" });\n`);
    assert.notEqual(spawnSync(process.execPath, args, { cwd: dir }).status, 0, "a wrong option passes");
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("the same exports", () => {
  const names = (file, pattern) => [...readFileSync(join(client, file), "utf8").matchAll(pattern)].map(([, name]) => name).sort();
  assert.deepEqual(names("client.js", /^export (?:class|function) (\w+)/gm), names("client.d.ts", /^export declare (?:class|function) (\w+)/gm));
});

test("npm pack takes the module, its types and its page", () => {
  const { stdout } = spawnSync("npm", ["pack", "--dry-run", "--json", client], { encoding: "utf8" });
  const [{ files }] = JSON.parse(stdout);
  assert.deepEqual(files.map(({ path }) => path).sort(), ["README.md", "client.d.ts", "client.js", "package.json"]);
});
