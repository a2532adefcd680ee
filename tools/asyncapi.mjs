// Checks an AsyncAPI 3.0.0 document against the official JSON schema, and that each of its references leads somewhere.
//
// Usage: node tools/asyncapi.mjs docs/asyncapi.json      (schema and validator: `make tools`, or ASYNCAPI_DIR)

import { createRequire } from "node:module";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";

const [file] = process.argv.slice(2);
const home = process.env.ASYNCAPI_DIR || ".tools/asyncapi";

function fail(text, mend) {
  console.error(`asyncapi: ${text}\n  mend: ${mend}`);
  process.exit(1);
}

if (!file) fail("no document is named", "node tools/asyncapi.mjs docs/asyncapi.json");
if (!existsSync(file)) fail(`${file} does not exist`, "make docs");
if (!existsSync(join(home, "node_modules"))) fail(`${home} has no validator`, "make tools");

const require = createRequire(join(realpathSync(resolve(home)), "here.js"));
const document = JSON.parse(readFileSync(file, "utf8"));
const schema = require("@asyncapi/specs/schemas/3.0.0.json");
const Ajv = require("ajv");

// It carries a copy of the meta-schema under the name of the one that the validator brings along.
delete schema.definitions["http://json-schema.org/draft-07/schema"];

const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
const found = validate(document) ? [] : validate.errors.map((error) => `${error.instancePath || "/"} ${error.message}`);

// The schema takes any string for a reference.
function follow(value, path) {
  if (value === null || typeof value !== "object") return;
  const target = value.$ref;
  if (typeof target === "string") {
    const parts = target.startsWith("#/") ? target.slice(2).split("/") : [undefined];
    const step = (at, part) => at?.[part?.replaceAll("~1", "/").replaceAll("~0", "~")];
    if (parts.reduce(step, document) === undefined) found.push(`${path}/$ref leads nowhere: ${target}`);
  }
  for (const [key, inner] of Object.entries(value)) follow(inner, `${path}/${key}`);
}
follow(document, "");

if (found.length > 0) {
  const lines = found.slice(0, 20).map((line) => `  | ${line}`);
  fail(`${file} is not AsyncAPI 3.0.0\n${lines.join("\n")}`, "change cli/src/docs/asyncapi.rs, then run `make docs`");
}
