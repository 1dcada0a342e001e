// The page begins here.
import { app } from "./app/state.js";
import { Page } from "./app/page.js";
import { clearSinks } from "./channels/sink.js";
import { adoptStyles } from "./ui/adopted.js";
import { startShortcuts } from "./ui/keys.js";
import { html, render } from "./ui/preact.js";
import { startTheme } from "./ui/theme.js";

startTheme();
startShortcuts();
adoptStyles();
clearSinks();
app.start();
render(html`<${Page} />`, document.getElementById("app"));
