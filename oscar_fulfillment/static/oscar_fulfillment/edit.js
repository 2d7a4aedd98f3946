/* Editing an order with a script: the difference follows what is typed, and the draft is kept while typing.
 * Without this file the button "Recalculate" does both. */
(function () {
  "use strict";
  const root = document.getElementById("ff-edit");
  const form = document.getElementById("edit-form");
  if (!root || !form) return;
  const apply = document.getElementById("ff-apply");
  const kept = document.getElementById("ff-kept");
  let timer = 0;
  let asking = null;
  root.dataset.live = "yes";

  function parse(text) {
    const template = document.createElement("template");
    template.innerHTML = text;
    return template.content.firstElementChild;
  }

  /** What is typed is newer than what is shown: nothing is applied before the figures are back. */
  function soon() {
    apply.disabled = true;
    root.classList.add("ff-busy");
    window.clearTimeout(timer);
    timer = window.setTimeout(ask, 250);
  }

  async function ask() {
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    try {
      const response = await fetch(root.dataset.price, {
        method: "POST", body: new FormData(form), credentials: "same-origin", signal: mine.signal,
        headers: { "X-Requested-With": "fetch" },
      });
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      show(await response.json());
      root.classList.remove("ff-busy");
    } catch (error) {
      if (error.name === "AbortError") return;
      // The page without a script still works: give its button back.
      delete root.dataset.live;
      root.classList.remove("ff-busy");
    }
  }

  function show(answer) {
    const fresh = parse(answer.summary);
    if (!fresh || fresh.id !== "ff-edit-summary") return;
    document.getElementById("ff-edit-summary").replaceWith(fresh);
    apply.disabled = !answer.can_apply;
    kept.textContent = kept.dataset.text || "";
    form.querySelectorAll("[data-line]").forEach((row) => {
      const key = row.dataset.line;
      const line = answer.lines[key];
      const errors = answer.errors[key] || [];
      list(row.querySelector(".ff-errors"), errors);
      row.classList.toggle("ff-wrong", errors.length > 0);
      row.querySelector("input").setAttribute("aria-invalid", errors.length > 0 ? "true" : "false");
      if (!line) return;
      row.querySelector("[data-sum]").textContent = line.sum || "–";
      row.querySelector("[data-full]").textContent = line.full;
      row.querySelector("[data-missing]").textContent = line.missing_text;
      row.classList.toggle("ff-row-gone", line.gone);
      row.classList.toggle("ff-row-changed", line.changed && !line.gone);
    });
    const charge = (answer.errors.charge || []).concat(answer.errors.shipping || []);
    list(document.getElementById("edit-charge-errors"), charge);
  }

  function list(place, sentences) {
    place.replaceChildren(...sentences.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }));
  }

  form.addEventListener("input", (event) => {
    const name = event.target.name || "";
    if (name === "charge" && event.target.value) {
      const byHand = form.querySelector("input[name=shipping][value=charge]");
      if (byHand) byHand.checked = true;
    }
    if (/^(line|new)-|^(shipping|charge)$/.test(name)) soon();
  });

  // A second click does not send the form again.
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    window.clearTimeout(timer);
  });
  window.addEventListener("pageshow", () => { delete form.dataset.sent; });

  // "Take away" without a new page.
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=drop]");
    if (!button || !root.dataset.live) return;
    event.preventDefault();
    const field = form.elements[button.value];
    field.value = "0";
    field.focus();
    soon();
  });
})();
