// The page works without this; it sends many files in portions, with a bar, and begins when they are dropped.
(() => {
  "use strict";

  // A request with fewer files than any server's limit, and small enough not to time out.
  const FILES = 20;
  const BYTES = 4e6;
  const TRIES = 3;

  const portions = (files) => {
    const found = [];
    let current = [];
    let size = 0;
    for (const file of files) {
      if (current.length && (current.length >= FILES || size + file.size > BYTES)) {
        found.push(current);
        current = [];
        size = 0;
      }
      current.push(file);
      size += file.size;
    }
    if (current.length) found.push(current);
    return found;
  };

  const wait = (milliseconds) => new Promise((resolve) => { window.setTimeout(resolve, milliseconds); });

  const send = async (form, files) => {
    const data = new FormData();
    for (const name of ["csrfmiddlewaretoken", "batch"]) data.append(name, form.elements[name].value);
    for (const file of files) data.append("files", file, file.name);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" } });
        // What the server refuses it says in JSON; anything else is a server or a network in trouble.
        if (response.headers.get("Content-Type") === "application/json") return await response.json();
        throw new Error(String(response.status));
      } catch (error) {
        if (attempt === TRIES) throw error;
        await wait(1000 * attempt);
      }
    }
  };

  document.querySelectorAll("form[data-ff-notes]").forEach((form) => {
    const input = form.querySelector('input[type="file"]');
    const button = form.querySelector('button[type="submit"]');
    const sending = form.querySelector("[data-ff-sending]");
    const bar = sending.querySelector("progress");
    const text = sending.querySelector('[role="status"]');
    const lost = form.querySelector("[data-ff-lost]");

    const sendAll = async (files) => {
      let done = 0;
      let url = "";
      const errors = [];
      for (const portion of portions(files)) {
        const answer = await send(form, portion);
        if (answer.error) errors.push(answer.error);
        if (answer.url) url = answer.url;
        done += portion.length;
        bar.value = Math.round((done * 100) / files.length);
        text.textContent = form.dataset.sending.replace("%d", done).replace("%t", files.length);
      }
      return { url, errors: [...new Set(errors)] };
    };

    form.addEventListener("submit", async (event) => {
      const files = [...input.files];
      if (!files.length) return;
      event.preventDefault();
      button.disabled = true;
      lost.hidden = true;
      sending.hidden = false;
      bar.value = 0;
      text.textContent = form.dataset.sending.replace("%d", 0).replace("%t", files.length);
      try {
        const { url, errors } = await sendAll(files);
        if (url && !errors.length) {
          window.location.assign(url);
          return;
        }
        lost.textContent = errors.join(" ");
        if (url) {
          const link = document.createElement("a");
          link.href = url;
          link.textContent = form.dataset.arrived;
          lost.append(" ", link);
        }
      } catch {
        lost.textContent = form.dataset.lost;
      }
      lost.hidden = false;
      sending.hidden = true;
      button.disabled = false;
    });
    form.querySelector("[data-ff-drop]").addEventListener("drop", () => {
      // After the listener that put the files into the input.
      window.setTimeout(() => { if (input.files.length) form.requestSubmit(); });
    });
  });
})();
