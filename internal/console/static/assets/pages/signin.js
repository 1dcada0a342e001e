// Sign-in by name and password, or by a link for one use.
import { post } from "../api/http.js";
import { app } from "../app/state.js";
import { confirm } from "../ui/dialog.js";
import { Fault, html, useEffect, useState } from "../ui/preact.js";

/** @param {{token?: string}} p token of a link */
export function SignIn({ token }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(Boolean(token));
  useEffect(() => {
    if (token) byLink(token).catch(setError).finally(() => setBusy(false));
  }, [token]);
  const submit = async (e) => {
    e.preventDefault();
    setBusy(true);
    const { name, password } = Object.fromEntries(new FormData(e.target));
    await post("signin", { name, password }).then(enter, setError);
    setBusy(false);
  };
  return html`<div class="card signin">
    <h1>Sign in</h1>
    <form onSubmit=${submit}>
      <label>Name<input name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus /></label>
      <label>Password<input name="password" type="password" autocomplete="current-password" required /></label>
      <${Fault} error=${error} />
      <div class="buttons"><button class="primary" disabled=${busy}>${busy ? "Signing in …" : "Sign in"}</button></div>
    </form>
    <p><small>Or open a link that your management server or <code>signalbox technician link</code> gave you.</small></p>
  </div>`;
}

// A link is not used up while somebody else is signed in here: the technician decides.
async function byLink(token) {
  try {
    enter(await post("signin/link", { token, replace: false }));
  } catch (e) {
    if (e.code !== "signed_in_as_another") throw e;
    if (await confirm("Change who is signed in?", e.message, "Sign in by the link")) enter(await post("signin/link", { token, replace: true }));
    else location.replace("#/endpoints");
  }
}

function enter(me) {
  app.setMe(me);
  if (app.route.page === "signin") location.replace("#/endpoints");
}
