// The order list works without this; it adds "all on this page", a count, and progress without reloading.
(() => {
  "use strict";

  // On a small screen the tabs scroll sideways: show the one we are on.
  const tab = document.querySelector(".ff-tabs [aria-current]");
  const tabs = tab && tab.closest("ul");
  if (tabs && tabs.scrollWidth > tabs.clientWidth) {
    tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2;
  }

  const form = document.querySelector("[data-ff-bulk]");
  if (form) {
    const boxes = [...form.querySelectorAll(".selected_order")];
    const all = form.querySelector("[data-ff-all]");
    const allBox = all.querySelector("input");
    const count = form.querySelector("[data-ff-count]");
    const across = form.querySelector("[data-ff-across]");
    const show = () => {
      const chosen = boxes.filter((box) => box.checked).length;
      const { none, one, many } = count.dataset;
      count.textContent = chosen === 0 ? none : chosen === 1 ? one : many.replace("%s", chosen);
      allBox.checked = chosen === boxes.length;
      allBox.indeterminate = chosen > 0 && chosen < boxes.length;
      form.classList.toggle("ff-across", Boolean(across && across.checked));
    };
    all.hidden = false;
    allBox.addEventListener("change", () => {
      boxes.forEach((box) => { box.checked = allBox.checked; });
      show();
    });
    let last = null;
    boxes.forEach((box, index) => {
      box.addEventListener("click", (event) => {
        // Shift and click chooses everything between.
        if (event.shiftKey && last !== null) {
          const [from, to] = [Math.min(last, index), Math.max(last, index)];
          boxes.slice(from, to + 1).forEach((other) => { other.checked = box.checked; });
        }
        last = index;
        show();
      });
    });
    if (across) across.addEventListener("change", show);
    window.addEventListener("pageshow", show);
    show();
  }

  const progress = document.querySelector("[data-ff-progress]");
  if (progress) {
    const bar = progress.querySelector("progress");
    const text = progress.querySelector("[data-ff-progress-text]");
    let failures = 0;
    const ask = async () => {
      try {
        const response = await fetch(progress.dataset.ffProgress, { headers: { Accept: "application/json" } });
        if (!response.ok) throw new Error(String(response.status));
        const state = await response.json();
        bar.value = state.percent;
        if (text.textContent !== state.text) text.textContent = state.text;
        if (state.finished) {
          window.location.reload();
          return;
        }
        failures = 0;
      } catch {
        failures += 1;
      }
      window.setTimeout(ask, Math.min(1000 * 2 ** failures, 30000));
    };
    window.setTimeout(ask, 500);
  }
})();
