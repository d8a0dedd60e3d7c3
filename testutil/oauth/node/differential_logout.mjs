// Wrong requests to end a session (OpenID Connect RP-Initiated Logout), of a browser that nobody is signed in at.

const asked = (name, parameters, want, theirs, why) => ({
  name, want, theirs, why,
  run: async (session) => {
    const url = new URL(session.metadata.end_session_endpoint);
    url.search = new URLSearchParams(parameters);
    const reply = await fetch(url, { redirect: "manual" });
    const location = reply.headers.get("location");
    return location && new URL(location, url).origin !== new URL(session.issuer).origin ? `redirect ${new URL(location).origin}` : "page";
  },
});

export const logoutCases = () => [
  asked("to where nobody vouches for", { client_id: "public", post_logout_redirect_uri: "https://evil.example/" }, "page"),
  asked("to where a sign-in may lead, and no logout", { client_id: "public", post_logout_redirect_uri: "https://app.example.com/callback" }, "page"),
  asked("to somewhere, of nobody", { post_logout_redirect_uri: "https://app.example.com/bye" }, "page"),
  asked("with an unknown client", { client_id: "nobody", post_logout_redirect_uri: "https://app.example.com/bye" }, "page"),
  asked("to somewhere twice", [["client_id", "public"], ["post_logout_redirect_uri", "https://app.example.com/bye"], ["post_logout_redirect_uri", "https://evil.example/"]], "page"),
  asked("to a longer path", { client_id: "public", post_logout_redirect_uri: "https://app.example.com/bye/x" }, "page"),
  asked("to a user of the right host", { client_id: "public", post_logout_redirect_uri: "https://app.example.com@evil.example/bye" }, "page"),
  asked("to where another client's may lead", { client_id: "native", post_logout_redirect_uri: "https://app.example.com/bye" }, "page"),
  asked("to a script", { client_id: "public", post_logout_redirect_uri: "javascript:alert(1)" }, "page"),
  asked("with a hint that is no token", { id_token_hint: "nobody.made.this", post_logout_redirect_uri: "https://app.example.com/bye" }, "page"),
];
