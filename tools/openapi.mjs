// Checks an OpenAPI 3.1 document with Redocly's linter: its structure, its references and paths, its operation ids, its
// parameters, and each schema.
//
// Usage: node tools/openapi.mjs docs/openapi.json      (linter: `make tools`, or OPENAPI_DIR)

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [file] = process.argv.slice(2);
const home = process.env.OPENAPI_DIR || ".tools/openapi";

function fail(text, mend) {
  console.error(`openapi: ${text}\n  mend: ${mend}`);
  process.exit(1);
}

if (!file) fail("no document is named", "node tools/openapi.mjs docs/openapi.json");
if (!existsSync(file)) fail(`${file} does not exist`, "make docs");
if (!existsSync(join(home, "node_modules"))) fail(`${home} has no linter`, "make tools");

const require = createRequire(join(realpathSync(resolve(home)), "here.js"));
const { createConfig, lintFromString } = await import(pathToFileURL(require.resolve("@redocly/openapi-core")));

// Errors are the response `default` of each operation: the gateway has one form for all of them.
const rules = { "operation-4xx-response": "off" };
const config = await createConfig({ extends: ["recommended-strict"], rules });
const source = readFileSync(file, "utf8");
const problems = await lintFromString({ source, absoluteRef: resolve(file), config });
const found = problems.map((problem) => `${problem.location[0]?.pointer ?? "/"} ${problem.message}`);
if (!/^3\.1\./.test(JSON.parse(source).openapi)) found.push("#/openapi is not 3.1");

if (found.length > 0) {
  const lines = found.slice(0, 20).map((line) => `  | ${line}`);
  fail(`${file} is not a good OpenAPI document\n${lines.join("\n")}`, "change gateway/openapi, then run `make docs`");
}
