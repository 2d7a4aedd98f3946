/* The order page with a script: step forms open in place, the history stays live, a form is sent once.
 * Without this file every link leads to a page with the same form, and "Refresh" reads the history. */
(function () {
  "use strict";
  const root = document.getElementById("ff-order");
  if (!root) return;
  const place = document.getElementById("ff-panel");
  const news = document.getElementById("ff-news");
  const page = root.dataset.page;
  let opener = null;

  // ---- Step forms ----

  /** The markup of a fragment of ours, parsed without running anything. */
  function parse(text) {
    const template = document.createElement("template");
    template.innerHTML = text;
    return template.content.firstElementChild;
  }

  async function open(link) {
    const url = new URL(link.href, window.location.href);
    url.searchParams.set("panel", "1");
    url.searchParams.set("seen", root.dataset.version);
    let panel = null;
    try {
      const response = await fetch(url, { credentials: "same-origin", headers: { "X-Requested-With": "fetch" } });
      if (response.ok && !response.redirected) panel = parse(await response.text());
    } catch (error) {
      panel = null;
    }
    if (!panel || panel.hasAttribute("data-stale")) {
      // No answer, no permission, or the order has moved on: the whole page says it better.
      url.searchParams.delete("panel");
      window.location.assign(url);
      return;
    }
    opener = link;
    show(panel);
  }

  function show(panel) {
    place.replaceChildren(panel);
    prepare(panel);
    panel.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true }));  // access_key.js looks for new fields
    panel.scrollIntoView({ block: "nearest" });
    focusFirst(panel);
  }

  function focusFirst(panel) {
    const field = panel.querySelector(".ff-wrong input, .ff-wrong textarea, .ff-wrong select") ||
      panel.querySelector("input:checked, input:not([type=hidden]):not([type=radio]):not([type=checkbox]), select, textarea");
    (field || panel).focus({ preventScroll: true });
  }

  function close() {
    if (new URL(window.location.href).pathname !== page) return false;
    place.replaceChildren();
    if (opener && opener.isConnected) opener.focus();
    return true;
  }

  function prepare(scope) {
    const kinds = scope.querySelectorAll("[data-kinds]");
    if (!kinds.length) return;
    const form = kinds[0].closest("form");
    const update = () => {
      const kind = form.querySelector("[name=kind]:checked");
      kinds.forEach((part) => { part.hidden = kind && !part.dataset.kinds.split(" ").includes(kind.value); });
    };
    form.addEventListener("change", update);
    update();
  }

  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = event.target.closest("a[data-panel]");
    if (link && plain) {
      event.preventDefault();
      closeMenus(null);
      open(link);
      return;
    }
    if (event.target.closest("[data-close-panel]") && plain && close()) {
      event.preventDefault();
      return;
    }
    const more = event.target.closest("[data-add-box]");
    if (more && plain) {
      event.preventDefault();
      addBox(more.closest("[data-boxes]"));
      return;
    }
    if (event.target.closest("[aria-disabled=true]")) event.preventDefault();
    closeMenus(event.target.closest(".ff-menu"));
  });

  /** The fields of one more parcel, below the last: named as the server names them (carrier, carrier_2, carrier_3). */
  function addBox(boxes) {
    const all = boxes.querySelectorAll("[data-box]");
    const number = all.length + 1;
    const last = all[all.length - 1];
    const box = last.cloneNode(true);
    if (number > 99) return;
    box.querySelector("legend").textContent = boxes.dataset.title.replace("{n}", number);
    box.querySelectorAll(".ff-errors, .ff-help").forEach((part) => part.remove());
    box.querySelectorAll(".ff-wrong").forEach((part) => part.classList.remove("ff-wrong"));
    box.querySelectorAll("input, select").forEach((field) => {
      const old = { name: field.name, id: field.id };
      const name = `${old.name.replace(/_\d+$/, "")}_${number}`;
      const label = box.querySelector(`label[for="${old.id}"]`);
      field.name = name;
      field.id = old.id.slice(0, old.id.length - old.name.length) + name;
      field.removeAttribute("aria-describedby");
      field.removeAttribute("aria-invalid");
      if (label) label.htmlFor = field.id;
      if (field.tagName === "INPUT") field.value = "";
      else field.value = last.querySelector("select").value;  // mostly the same carrier
    });
    last.after(box);
    box.querySelector("input").focus();
  }

  function closeMenus(except) {
    document.querySelectorAll(".ff-menu[open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector(".ff-menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (place.contains(document.activeElement)) close();
  });

  // A second click on a button does not send the form again. The button that was pressed keeps its name and value.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-once]");
    if (!form) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    window.setTimeout(() => form.querySelectorAll("[data-submit]").forEach((button) => { button.disabled = true; }), 0);
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-once]").forEach((form) => {
    delete form.dataset.sent;
  }));

  // ---- Times ----

  const relative = typeof Intl !== "undefined" && Intl.RelativeTimeFormat
    ? new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "always" }) : null;

  /** A time to come in its two largest units, as the server writes it: "2 days 4 hours". */
  function lasting(seconds) {
    const minutes = Math.floor(seconds / 60);
    const parts = [[Math.floor(minutes / 1440), "day"], [Math.floor(minutes / 60) % 24, "hour"]];
    if (minutes < 1440) parts.push([Math.max(minutes % 60, minutes < 60 ? 1 : 0), "minute"]);
    return parts.filter(([count]) => count).map(([count, unit]) => new Intl.NumberFormat(
      document.documentElement.lang || "en", { style: "unit", unit, unitDisplay: "long" }).format(count)).join(" ");
  }

  function countDown() {
    document.querySelectorAll("time[data-until]").forEach((element) => {
      const seconds = (new Date(element.dateTime).getTime() - Date.now()) / 1000;
      if (seconds > 0) element.textContent = lasting(seconds);
      const soon = element.dataset.warn && seconds < Number(element.dataset.warn) * 3600;
      (element.closest("[data-soon]") || element).classList.toggle("ff-soon", Boolean(soon));
    });
  }

  function tick() {
    if (!relative) return;
    countDown();
    document.querySelectorAll("time[data-ago]").forEach((element) => {
      const seconds = Math.max((Date.now() - new Date(element.dateTime).getTime()) / 1000, 0);
      const [value, unit] = seconds < 60 ? [seconds, "second"] : seconds < 3600 ? [seconds / 60, "minute"]
        : seconds < 86400 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
      element.textContent = relative.format(-Math.floor(value), unit);
    });
  }
  window.setInterval(tick, 10000);

  // ---- Live history ----

  const pause = Number(root.dataset.poll) * 1000;
  let wait = pause;

  async function poll() {
    if (document.visibilityState === "visible") {
      const url = new URL(root.dataset.history, window.location.href);
      const history = document.getElementById("history");
      url.searchParams.set("after", history.dataset.version);
      try {
        const response = await fetch(url, { credentials: "same-origin", headers: { "X-Requested-With": "fetch" } });
        if (response.status === 403 || response.status === 404 || response.redirected) return;  // not ours any more
        wait = response.ok ? pause : Math.min(wait * 2, 60000);
        if (response.status === 200) renew(history, parse(await response.text()));
      } catch (error) {
        wait = Math.min(wait * 2, 60000);
      }
    }
    window.setTimeout(poll, wait);
  }

  function renew(history, fresh) {
    if (!fresh || fresh.id !== "history") return;
    history.replaceWith(fresh);
    if (fresh.dataset.news) {
      news.querySelector("[data-text]").textContent = fresh.dataset.news;  // text, never markup
      news.hidden = false;
    }
  }

  if (pause) window.setTimeout(poll, wait);
  document.addEventListener("visibilitychange", () => { wait = pause; });

  // ---- A page that came with an open form ----

  if (place.firstElementChild) {
    prepare(place);
    place.firstElementChild.scrollIntoView({ block: "nearest" });
    focusFirst(place.firstElementChild);
  }
})();
