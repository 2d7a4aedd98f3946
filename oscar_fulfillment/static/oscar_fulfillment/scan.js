/* The scan desk with a script: a scan is answered without loading the page, heard, seen and read out; the focus goes back
 * to the field. Scans wait in a line, so that a fast scanner loses none; a request without an answer is sent again under
 * its own name, which counts once. Without this file every scan is a form that is sent. */
(function () {
  "use strict";
  const desk = document.getElementById("scan-desk");
  if (!desk) return;
  const say = document.getElementById("scan-say");
  const region = () => document.getElementById("scan-region");
  const field = () => document.getElementById("scan-text");
  const LONGEST = 8000;  // milliseconds for an answer
  const PAUSES = [400, 1200, 3000];  // before it is asked again

  // ---- Heard and seen ----

  const sound = desk.querySelector("[data-sound]");
  let audio = null;

  function beep(ok) {
    if (!sound.checked || !(window.AudioContext || window.webkitAudioContext)) return;
    try {
      audio = audio || new (window.AudioContext || window.webkitAudioContext)();
      audio.resume();
      const tones = ok ? [[880, 0, 0.09]] : [[220, 0, 0.18], [180, 0.22, 0.3]];
      for (const [pitch, start, length] of tones) {
        const tone = audio.createOscillator();
        const volume = audio.createGain();
        tone.type = ok ? "sine" : "square";
        tone.frequency.value = pitch;
        volume.gain.value = ok ? 0.25 : 0.15;
        tone.connect(volume).connect(audio.destination);
        tone.start(audio.currentTime + start);
        tone.stop(audio.currentTime + start + length);
      }
    } catch (error) {
      audio = null;  // a browser that lets nobody make a noise
    }
    desk.dataset.beeps = `${desk.dataset.beeps || ""}${ok ? "+" : "-"}`.slice(-20);
  }

  function tell(text, ok) {
    say.textContent = text;
    say.classList.toggle("is-ok", ok === true);
    say.classList.toggle("is-refused", ok === false);
  }

  function back() {
    const input = field();
    if (input) input.focus({ preventScroll: true });
  }

  // ---- One request after the other ----

  const line = [];
  let busy = false;

  function name() {
    return window.crypto && crypto.randomUUID ? crypto.randomUUID()
      : Array.from({ length: 4 }, () => Math.random().toString(16).slice(2, 10)).join("-");
  }

  function put(job) {
    line.push(job);
    work();
  }

  async function work() {
    if (busy) return;
    busy = true;
    desk.setAttribute("aria-busy", "true");
    while (line.length) {
      const job = line.shift();
      // Where a scan goes is known when its turn comes: the one before may have led to another page.
      const { url, data } = job.url ? job : addressed(job);
      if (!url) {
        tell(desk.dataset.nowhere, false);
        beep(false);
        continue;
      }
      const answer = await ask(url, data);
      if (answer) await take(answer);
      else line.length = 0;  // what follows may have meant another page
    }
    busy = false;
    desk.removeAttribute("aria-busy");
    back();
  }

  function addressed({ text, scan, out }) {
    const form = region().querySelector("form[data-scan]");
    if (!form) return {};
    const data = { ...Object.fromEntries(new FormData(form)), text, scan };
    delete data.take_out;
    if (out) data.take_out = "1";
    return { url: form.action, data };
  }

  async function once(url, data) {
    const control = new AbortController();
    const clock = window.setTimeout(() => control.abort(), LONGEST);
    try {
      const response = await fetch(url, {
        method: "POST", body: new URLSearchParams(data), credentials: "same-origin", signal: control.signal,
        headers: { "X-Requested-With": "fetch" },
      });
      const isOurs = (response.headers.get("Content-Type") || "").includes("json");
      if (response.ok && !response.redirected && isOurs) return await response.json();
      // Logged out, not allowed any more, or gone: the page itself says it. A server in trouble is asked again.
      if (response.status < 500) window.location.reload();
      return response.status < 500 ? false : null;
    } catch (error) {
      return null;
    } finally {
      window.clearTimeout(clock);
    }
  }

  async function ask(url, data) {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await once(url, data);
      if (answer !== null) return answer;
      if (attempt === PAUSES.length) break;
      tell(desk.dataset.trying);
      await new Promise((done) => { window.setTimeout(done, PAUSES[attempt]); });
    }
    tell(desk.dataset.lost, false);
    beep(false);
    return null;
  }

  async function take(answer) {
    tell(answer.say, answer.ok);
    beep(answer.ok);
    if (answer.line) count(answer);
    if (answer.leave) {
      window.location.assign(answer.go);
      return;
    }
    if (answer.then) {
      const next = await ask(answer.then, { csrfmiddlewaretoken: token() });
      if (next) {
        tell(`${answer.say} ${next.say}`, next.ok);
        if (!next.ok) beep(false);
        if (next.go) await show(next.go);
      }
    } else if (answer.go) await show(answer.go);
  }

  function token() {
    const found = region().querySelector("[name=csrfmiddlewaretoken]");
    return found ? found.value : "";
  }

  /** Put the numbers of a scan that counts into the page. */
  function count(answer) {
    const row = region().querySelector(`[data-line="${answer.line.pk}"]`);
    if (row) {
      row.querySelector("[data-counted]").textContent = answer.line.counted;
      row.classList.toggle("is-complete", answer.line.is_complete);
      row.querySelector("[data-complete]").hidden = !answer.line.is_complete;
      const many = row.querySelector("[name=quantity]");
      if (many) many.value = answer.line.quantity - answer.line.counted || "";
      row.scrollIntoView({ block: "nearest" });
      region().querySelectorAll(".is-last").forEach((other) => other.classList.remove("is-last"));
      row.classList.add("is-last");
    }
    const total = region().querySelector("[data-total] [data-counted]");
    if (total) total.textContent = answer.total.counted;
    const last = region().querySelector("[data-last-scan]");
    if (last && answer.scan) {
      last.value = answer.scan;
      last.form.querySelector("button").disabled = false;
    }
  }

  /** Show another page of the desk in place of this one. */
  async function show(url) {
    try {
      const response = await fetch(url, { credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("scan-region");
      if (!response.ok || !fresh || response.redirected) throw new Error("not of the desk");
      region().replaceWith(fresh);
      window.history.replaceState(null, "", url);
    } catch (error) {
      window.location.assign(url);
    }
    back();
  }

  // ---- Scanner, keyboard, buttons ----

  function scan(form, text) {
    const input = form.querySelector("[name=text]");
    const typed = text === undefined ? input.value : text;
    const out = form.querySelector("[name=take_out]");
    if (typed.trim()) put({ text: typed, scan: name(), out: Boolean(out && out.checked) });
    input.value = "";
    if (out) out.checked = false;
    back();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!desk.contains(form)) return;
    if (form.hasAttribute("data-scan")) {
      event.preventDefault();
      scan(form);
    } else if (form.hasAttribute("data-act")) {
      event.preventDefault();
      const data = Object.fromEntries(new FormData(form, event.submitter));
      if (data.scan !== undefined && !form.querySelector("[data-last-scan]")) data.scan = name();
      put({ url: form.action, data });
    }
  });

  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = event.target.closest("a[data-go]");
    if (link && plain) {
      event.preventDefault();
      tell("");
      show(link.href);
    }
  });

  // A scanner types wherever the focus is: letters and digits beside a field go to the field.
  document.addEventListener("keydown", (event) => {
    const on = document.activeElement;
    const types = on && (on.matches("input:not([type=checkbox]), textarea, select") || on.isContentEditable);
    if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey && !types) back();
  });

  // ---- Camera ----

  const tools = document.getElementById("scan-tools");
  const button = tools.querySelector("[data-camera]");
  const note = tools.querySelector("[data-camera-note]");
  const frame = document.getElementById("scan-camera");
  const video = frame.querySelector("video");
  let stream = null;
  tools.hidden = false;
  if (!("BarcodeDetector" in window)) {
    button.hidden = true;
    note.hidden = false;
    note.textContent = desk.dataset.cameraNone;
  }

  async function open() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    } catch (error) {
      stream = null;
      tell(desk.dataset.cameraRefused, false);
      beep(false);
      return;
    }
    video.srcObject = stream;
    frame.hidden = false;
    button.setAttribute("aria-expanded", "true");
    video.play().catch(() => {});  // not awaited: a camera may be slow to give its first picture
    look(new window.BarcodeDetector());
  }

  function close() {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    frame.hidden = true;
    button.setAttribute("aria-expanded", "false");
    back();
  }

  /** Read until the camera is closed. The same code counts again only after it was out of sight. */
  async function look(detector) {
    let seen = "";
    let empty = 0;
    while (stream) {
      const found = await detector.detect(video).catch(() => []);
      const text = found.length ? found[0].rawValue : "";
      if (text && text !== seen) {
        seen = text;
        empty = 0;
        put({ text, scan: name(), out: false });
      } else if (!text && seen) {
        empty += 1;
        if (empty > 4) seen = "";
      } else empty = 0;
      await new Promise((done) => { window.setTimeout(done, 120); });
    }
  }

  button.addEventListener("click", () => (stream ? close() : open()));
  window.addEventListener("pagehide", close);

  try {
    sound.checked = window.localStorage.getItem("ff-scan-sound") !== "off";
  } catch (error) { /* a browser that keeps nothing */ }
  sound.addEventListener("change", () => {
    try {
      window.localStorage.setItem("ff-scan-sound", sound.checked ? "on" : "off");
    } catch (error) { /* as above */ }
    back();
  });
  back();
})();
