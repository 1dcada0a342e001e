// Lets xterm.js style itself where the page's policy (CSP) allows no inline styles: what it writes into style elements goes into adopted style sheets, and what it writes into
// style attributes of spans goes through their style object. The policy restricts neither, as only a script that runs already can use them.

/** Changes what scripts of this page get as style elements and spans, once, before the first terminal. */
export function adoptStyles() {
  document.createElement = function (name, options) {
    return name === "style" ? sheetElement() : Document.prototype.createElement.call(this, name, options);
  };
  HTMLSpanElement.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

// An element that shows nothing and whose text is a style sheet of the page, until it is removed. A style element would not do: even an empty one is against the policy.
function sheetElement() {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const element = document.createElement("template");
  Object.defineProperty(element, "textContent", { set: (text) => sheet.replaceSync(text) });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}
