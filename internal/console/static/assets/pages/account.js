// The technician's own account: password and sign-out.
import { post } from "../api/http.js";
import { app } from "../app/state.js";
import { notify } from "../ui/notices.js";
import { Fault, html, useState } from "../ui/preact.js";

/** The page of the account. */
export function Account() {
  const { technician, roles, has_password, server } = app.me;
  return html`<div class="card">
    <h1>${technician.display_name || technician.name}</h1>
    <dl class="facts">
      <dt>Name</dt><dd>${technician.name}</dd><dt>Roles</dt><dd>${roles.join(", ") || "none"}</dd>
      <dt>Server</dt><dd>${server.domain}, ${server.name} ${server.version}</dd>
    </dl>
    <div class="buttons"><button onClick=${() => app.signOut()}>Sign out</button></div>
    ${has_password ? html`<${Password} />` : html`<p><small>This account has no password: it signs in by links.</small></p>`}
  </div>`;
}

function Password() {
  const [error, setError] = useState(null);
  const submit = async (e) => {
    e.preventDefault();
    const form = e.target;
    const { old, fresh, repeated } = Object.fromEntries(new FormData(form));
    if (fresh !== repeated) return setError(new Error("The new passwords differ."));
    await post("password", { old, new: fresh }).then(() => {
      setError(null);
      form.reset();
      notify("The password is changed; other sign-ins of this account have ended.");
    }, setError);
  };
  return html`<h2>Change the password</h2><form onSubmit=${submit}>
    <label>Present password<input name="old" type="password" autocomplete="current-password" required /></label>
    <label>New password<input name="fresh" type="password" autocomplete="new-password" required /></label>
    <label>New password again<input name="repeated" type="password" autocomplete="new-password" required /></label>
    <${Fault} error=${error} />
    <div class="buttons"><button class="primary">Change it</button></div>
  </form>`;
}
