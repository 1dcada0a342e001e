// Shows /openapi.json as a page. Everything is written as text, never as HTML.
"use strict";

const methods = ["get", "post", "patch", "delete"];

function el(name, attrs, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attrs || {})) node.setAttribute(key, value);
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
  return node;
}

const refName = (schema) => schema && schema.$ref ? schema.$ref.split("/").pop() : "";

function typeOf(schema) {
  if (!schema) return "";
  const name = refName(schema);
  if (name) return el("a", { href: "#schema-" + name }, name);
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "any JSON";
  if (schema.items) return el("span", {}, "array of ", typeOf(schema.items));
  return schema.format ? `${type} (${schema.format})` : type;
}

function limits(schema) {
  const words = [];
  if (schema.enum) words.push("one of " + schema.enum.join(", "));
  if (schema.default !== undefined) words.push("default " + JSON.stringify(schema.default));
  const bounds = { minimum: "at least", maximum: "at most", minLength: "characters from", maxLength: "characters up to", maxItems: "items up to", pattern: "pattern" };
  for (const [key, word] of Object.entries(bounds)) if (schema[key] !== undefined) words.push(`${word} ${schema[key]}`);
  if (schema.examples) words.push("for example " + schema.examples.map((e) => JSON.stringify(e)).join(", "));
  return words.join("; ");
}

function table(heads, rows) {
  if (!rows.length) return null;
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((h) => el("th", {}, h)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell))))));
}

const json = (value) => el("pre", {}, JSON.stringify(value, null, 2));

function parameters(list) {
  return table(["Parameter", "In", "Type", "Meaning"], (list || []).map((p) => [
    el("code", {}, p.name), p.in + (p.required ? ", required" : ""), typeOf(p.schema),
    [p.description || p.schema.description || "", el("div", { class: "quiet" }, limits(p.schema))],
  ]));
}

// pieces says what a stream is made of.
function pieces(m) {
  if (m["x-data"]) return el("span", {}, "a stream, each data ", typeOf(m["x-data"]));
  const lines = m["x-lines"];
  return lines ? el("span", {}, "the first line ", typeOf(lines.first), ", each other ", typeOf(lines.others)) : null;
}

function content(media) {
  return Object.entries(media || {}).map(([type, m]) => el("div", {}, el("code", {}, type), " ", pieces(m) || typeOf(m.schema),
    m.example !== undefined ? json(m.example) : null,
    Object.entries(m.examples || {}).map(([name, e]) => el("details", {}, el("summary", {}, el("code", {}, name), " ", e.summary || ""), json(e.value)))));
}

function operation(path, method, op) {
  const scope = (op.security || []).flatMap((s) => Object.values(s)).flat().join(", ");
  return el("article", { id: op.operationId },
    el("h3", {}, el("span", { class: "method" }, method.toUpperCase()), el("code", {}, path)),
    el("p", {}, el("strong", {}, op.summary || ""), " ", op.description || ""),
    el("p", { class: "quiet" }, path[0] !== "/" ? "Sent by the server" : scope ? "Token with scope " + scope : "No token"),
    parameters(op.parameters),
    op.requestBody ? [el("h4", {}, op.requestBody.required ? "Body" : "Body, may be absent"), content(op.requestBody.content)] : null,
    el("h4", {}, "Answers"),
    table(["Status", "Answer"], Object.entries(op.responses).sort().map(([status, r]) => [
      el("code", {}, status), [el("div", {}, r.description || ""), content(r.content)]])));
}

function schema(name, s) {
  const rows = Object.entries(s.properties || {}).map(([field, p]) => [
    el("code", {}, field), [typeOf(p), (s.required || []).includes(field) ? ", always there" : ""],
    [p.description || "", el("div", { class: "quiet" }, limits(p))]]);
  return el("article", { id: "schema-" + name }, el("h3", {}, name), s.description ? el("p", {}, s.description) : null, table(["Field", "Type", "Meaning"], rows));
}

function show(doc) {
  document.getElementById("about").replaceChildren(doc.info.description + " ", "Version " + doc.info.version + ". ",
    el("a", { href: "/openapi.json" }, "OpenAPI document"));
  const groups = new Map();
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of methods) {
      if (!item[method]) continue;
      const tag = (item[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, method, item[method]]);
    }
  }
  for (const [name, item] of Object.entries(doc.webhooks || {})) {
    for (const method of methods) if (item[method]) groups.get(item[method].tags[0]).push([name, method, item[method]]);
  }
  const links = [];
  for (const [tag, ops] of groups) {
    document.getElementById("paths").append(el("h2", {}, tag), ...ops.map((o) => operation(...o)));
    for (const [path, method, op] of ops) links.push(el("li", {}, el("a", { href: "#" + op.operationId }, `${method.toUpperCase()} ${path}`)));
  }
  document.getElementById("contents").append(el("ul", {}, links));
  const schemas = Object.entries(doc.components.schemas).sort();
  document.getElementById("schemas").append(el("h2", {}, "Shapes"), ...schemas.map((s) => schema(...s)));
}

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((err) => { document.getElementById("about").textContent = "The description could not be read: " + err.message; });
