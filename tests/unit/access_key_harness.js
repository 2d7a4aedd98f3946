// Reads {"script": path, "keys": [...]} or {"script": path, "steps": [...]} from stdin and prints what the browser
// code answers: the problems of each key, or the state of a small form after each step of typing.
"use strict";
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const { examine, attach } = require(given.script);

function element(value = "") {
  const listeners = [];
  return {
    value, checked: false, id: "", dataset: {}, attributes: {}, children: [], classes: new Set(), events: 0,
    classList: {
      add() {},
      toggle(name, on) { this.names = on ? [name] : []; },
      names: [],
    },
    getAttribute(name) { return this.attributes[name] || null; },
    setAttribute(name, text) { this.attributes[name] = text; },
    addEventListener(_name, listener) { listeners.push(listener); },
    dispatchEvent() { this.events += 1; },
    insertAdjacentElement(_where, made) { this.after = made; return made; },
    replaceChildren(...lines) { this.children = lines; },
    type(text) { this.value = text; listeners.forEach((listener) => listener({ target: this })); },
  };
}

if (given.keys) {
  process.stdout.write(JSON.stringify(given.keys.map(examine)));
} else {
  const form = { key: element(), series: element(), number: element(), none: element() };
  form.key.id = "id_key";
  Object.assign(form.key.dataset, given.dataset, { series: "series", number: "number", noneChoice: "none" });
  attach(form.key, { querySelector: (name) => form[name], createElement: () => element() });
  attach(form.key, { querySelector: (name) => form[name], createElement: () => element() });  // twice harms nothing
  process.stdout.write(JSON.stringify(given.steps.map(([field, text]) => {
    form[field].type(text);
    return {
      series: form.series.value, number: form.number.value, none: form.none.checked, events: form.none.events,
      messages: form.key.after.children.map((line) => line.textContent),
      invalid: form.key.attributes["aria-invalid"], classes: form.key.classList.names,
      describedby: form.key.attributes["aria-describedby"], live: form.key.after.attributes["aria-live"],
    };
  })));
}
