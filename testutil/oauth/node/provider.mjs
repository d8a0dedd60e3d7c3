// oidc-provider, set up as our server is: PKCE with S256 for everybody, codes and refresh tokens that serve once, resources as audience.
import { createServer } from "node:http";
import { Provider, errors } from "oidc-provider";

/** Starts the provider with these clients. Whoever comes to its page signs in and allows what is asked. */
export async function startProvider({ clients, resource, scopes, secret, key: { d, ...publicKey } }) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://localhost:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: clients.map((client) => theirs(client, secret, publicKey)),
    scopes: ["openid", "offline_access", "profile", ...scopes],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    cookies: { keys: ["a key of the test"] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo(_, indicator) {
          if (indicator !== resource) {
            throw new errors.InvalidTarget();
          }
          return { scope: scopes.join(" "), accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } };
        },
      },
    },
  });
  provider.on("server_error", (_, error) => console.error(error));
  const handle = provider.callback();
  server.on("request", (request, response) => {
    if (request.url.startsWith("/interaction/")) {
      allowAll(provider, request, response).catch((error) => response.writeHead(500).end(String(error)));
      return;
    }
    handle(request, response);
  });
  return { issuer, close: () => { server.closeAllConnections(); server.close(); } };
}

const theirs = ({ id, redirect_uris, secret, grants, native, post_logout_redirect_uris, auth_method }, text, key) => ({
  client_id: id,
  redirect_uris: redirect_uris ?? [],
  response_types: (grants ?? ["authorization_code"]).includes("authorization_code") ? ["code"] : [],
  grant_types: grants ?? ["authorization_code", "refresh_token"],
  application_type: native ? "native" : "web",
  ...(post_logout_redirect_uris ? { post_logout_redirect_uris } : {}),
  ...(auth_method === "private_key_jwt" ? { token_endpoint_auth_method: auth_method, jwks: { keys: [key] } } : secret ? { client_secret: text } : { token_endpoint_auth_method: "none" }),
});

async function allowAll(provider, request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    await provider.interactionFinished(request, response, { login: { accountId: "somebody" } });
    return;
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(prompt.details.missingOIDCScope?.join(" ") ?? "");
  for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(" "));
  }
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}
