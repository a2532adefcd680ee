// An OpenID provider of another make: node-oidc-provider. Whoever names an account with `login_hint` is that account.
//
//   node server.mjs LIBRARY PORT KEY ACCOUNTS   prints its port; PORT 0 is any, KEY the name of its signing key,
//                                               ACCOUNTS a JSON file of claims by account, read for each token
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [library, port, kid, accounts] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(join(library, "node_modules/oidc-provider/lib/index.js")));

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };

const server = createServer();
await new Promise((listening) => server.listen(Number(port), "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: ["comptoir", "another"].map((client_id) => ({
    client_id,
    client_secret: "secret",
    redirect_uris: ["http://127.0.0.1/signed-in"],
    application_type: "native",
    token_endpoint_auth_method: "client_secret_basic",
  })),
  jwks: { keys: [key] },
  cookies: { keys: ["a key of a test"] },
  scopes: ["openid", "email", "profile", "groups"],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "locale"], groups: ["groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => false },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, ...JSON.parse(readFileSync(accounts, "utf8"))[accountId] }),
  }),
});

async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId: params.login_hint, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { login: { accountId: params.login_hint }, consent });
}

const answer = provider.callback();
server.on("request", (request, response) => {
  if (!request.url.startsWith("/interaction/")) return answer(request, response);
  interact(request, response).catch((error) => response.writeHead(500).end(String(error)));
});
console.log(server.address().port);
