// The pages work without this; it adds dropping a file, and "all on this page".
(() => {
  "use strict";

  document.querySelectorAll("[data-ff-drop]").forEach((zone) => {
    const input = zone.querySelector('input[type="file"]');
    const hint = document.createElement("span");
    hint.className = "ff-drop__hint";
    hint.textContent = zone.dataset.text;
    zone.append(hint);
    let depth = 0;
    const show = () => zone.classList.toggle("ff-drop--over", depth > 0);
    zone.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; show(); });
    zone.addEventListener("dragleave", () => { depth -= 1; show(); });
    zone.addEventListener("dragover", (event) => event.preventDefault());
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      show();
      if (event.dataTransfer.files.length) {
        input.files = event.dataTransfer.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
      }
    });
  });

  document.querySelectorAll("form[data-ff-many]").forEach((form) => {
    const all = form.querySelector("[data-ff-all]");
    const boxes = [...form.elements].filter((box) => box.type === "checkbox" && box.name);
    const outside = [...document.querySelectorAll(`input[type="checkbox"][form="${form.id}"]`)];
    const every = form.id ? [...new Set([...boxes, ...outside])] : boxes;
    if (!all || !every.length) return;
    const box = all.querySelector("input");
    const show = () => {
      const chosen = every.filter((one) => one.checked).length;
      box.checked = chosen === every.length;
      box.indeterminate = chosen > 0 && chosen < every.length;
    };
    all.hidden = false;
    box.addEventListener("change", () => { every.forEach((one) => { one.checked = box.checked; }); });
    every.forEach((one) => one.addEventListener("change", show));
    window.addEventListener("pageshow", show);
    show();
  });

  // A form is sent once.
  document.querySelectorAll(".ff-money form[method='post']").forEach((form) => {
    let sent = false;
    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault();
      sent = true;
    });
    window.addEventListener("pageshow", () => { sent = false; });
  });
})();
