// The adapters and the README's pages pass tsc --strict with the kits' own types.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";

import { base } from "../server.mjs";
import { makeFolder } from "./snippets.mjs";

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

test("tsc --strict", () => {
  const { folder } = makeFolder(base);
  try {
    const files = readdirSync(folder).filter((name) => /\.tsx?$/.test(name));
    const wrong = 'import { siwx } from "./appkit";\nsiwx({ challenge: 1 });\n';
    writeFileSync(join(folder, "wrong.ts"), wrong);
    const args = [tsc, "--strict", "--noEmit", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--jsx", "react-jsx"];
    const { stdout } = spawnSync(process.execPath, [...args, ...files, "wrong.ts"], { cwd: folder, encoding: "utf8" });
    const faults = stdout.split("\n").filter((line) => /^\S/.test(line));
    assert.equal(faults.length, 1, stdout);
    assert.match(faults[0], /^wrong\.ts\(2,8\): error/);
    assert.ok(files.length >= 10, files.join());
  } finally {
    rmSync(folder, { recursive: true });
  }
});
