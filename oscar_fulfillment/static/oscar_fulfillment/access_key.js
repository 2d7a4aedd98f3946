/* The access key, checked as it is typed. The server checks again and has the last word: without this file the form
 * works, only later. Same algorithm as oscar_fulfillment/fiscal/access_key.py; a test compares the two.
 *
 * <input data-access-key data-series="#id_series" data-number="#id_number" data-none-choice="#id_kind_none"
 *        data-msg-check-digit="... {found} ... {expected}" ...>       (access_key.widget_attrs() gives all of these)
 * Load with <script src defer>. Problems go to the element named by data-problems (a selector), else to one made after the field.
 */
(function () {
  "use strict";
  const ZEROS = "0".repeat(44);
  const STATES = "11 12 13 14 15 16 17 21 22 23 24 25 26 27 28 29 31 32 33 35 41 42 43 50 51 52 53".split(" ");
  const SEPARATORS = /[ \t\n\r\f\v\u00a0\u2007\u2009\u200b\u202f\ufeff.\-/]/g;

  function normalise(raw) {
    // Only a-z: toUpperCase() would turn characters like "ı" into letters that pass.
    const text = raw.replace(SEPARATORS, "").replace(/[a-z]/g, (letter) => letter.toUpperCase());
    return text.startsWith("NFE") ? text.slice(3) : text;
  }

  function mod11(body, maxWeight) {
    let weight = 2, total = 0;
    for (let index = body.length - 1; index >= 0; index--) {
      total += (body.charCodeAt(index) - 48) * weight;
      weight = weight === maxWeight ? 2 : weight + 1;
    }
    return total % 11 < 2 ? 0 : 11 - (total % 11);
  }

  function checked(base, digits, maxWeight) {
    const first = mod11(base, maxWeight);
    return digits === `${first}${mod11(base + first, maxWeight)}`;
  }

  const repeated = (text) => new Set(text).size === 1;
  const isCnpj = (text) => !repeated(text) && checked(text.slice(0, 12), text.slice(12), 9);
  const isCpf = (text) => /^[0-9]{11}$/.test(text) && !repeated(text) && checked(text.slice(0, 9), text.slice(9), 11);

  function issuerProblem(held, series) {
    // 0-889 and 900-909 a CNPJ, 890-899 a CNPJ or a CPF, 910-969 a CPF; more do not exist.
    if (series > 969) return { code: "series", field: "series", found: series };
    if (!(series >= 910) && isCnpj(held)) return null;
    if (series >= 890 && !(series >= 900 && series <= 909) && held.startsWith("000") && isCpf(held.slice(3))) return null;
    if (series >= 910) return { code: "issuer_cpf", field: "issuer", found: held, series };
    return { code: "issuer", field: "issuer", found: held.replace(/^(..)(...)(...)(....)(..)$/, "$1.$2.$3/$4-$5") };
  }

  function misplaced(characters) {
    const wrong = [];
    characters.forEach((character, index) => {
      const letter = index >= 6 && index < 18 && /[A-Z]/.test(character);
      if (!letter && !/[0-9]/.test(character)) wrong.push(`${character} (${index + 1})`);
    });
    return wrong.slice(0, 5).join(", ") + (wrong.length > 5 ? " ..." : "");
  }

  /** Everything wrong with a key: [{code, field, ...values for the message}]. */
  function examine(raw) {
    const count = Array.from(raw).length;  // code points, as Python counts
    if (count > 200) return [{ code: "length", field: "text", count }];
    const text = normalise(raw), characters = Array.from(text);
    if (!text) return [{ code: "empty", field: "text" }];
    if (text === ZEROS) return [{ code: "zeros", field: "text" }];
    if (characters.length !== 44) return [{ code: "length", field: "text", count: characters.length }];
    const problems = [];
    const shaped = /^[0-9]{6}[0-9A-Z]{12}[0-9]{26}$/.test(text);
    if (!shaped) problems.push({ code: "characters", field: "text", found: misplaced(characters) });
    const part = (start, end) => characters.slice(start, end).join("");
    const judge = (field, start, end, good) => {
      const found = part(start, end);
      if (/^[0-9]+$/.test(found) && !good(found)) problems.push({ code: field, field, found });
    };
    judge("uf", 0, 2, (found) => STATES.includes(found));
    judge("year_month", 2, 6, (found) => Number(found.slice(2)) >= 1 && Number(found.slice(2)) <= 12);
    judge("model", 20, 22, (found) => found === "55" || found === "65");
    judge("number", 25, 34, (found) => Number(found) > 0);
    judge("emission_type", 34, 35, (found) => "12345679".includes(found));
    if (/^[0-9]{3}$/.test(part(22, 25)) && /^[0-9A-Z]{12}[0-9]{2}$/.test(part(6, 20))) {
      const problem = issuerProblem(part(6, 20), Number(part(22, 25)));
      if (problem) problems.push(problem);
    }
    const expected = mod11(text.slice(0, 43), 9);
    if (shaped && expected !== Number(text[43])) {
      problems.push({ code: "check_digit", field: "check_digit", found: text[43], expected });
    }
    return problems;
  }

  function message(input, problem) {
    const name = "msg" + problem.code.replace(/(^|_)([a-z])/g, (_all, _start, letter) => letter.toUpperCase());
    return (input.dataset[name] || problem.code).replace(/\{(\w+)\}/g, (all, key) => (key in problem ? problem[key] : all));
  }

  function attach(input, doc) {
    if (input.dataset.checked) return;
    input.dataset.checked = "on";
    const find = (selector) => (selector ? doc.querySelector(selector) : null);
    const output = find(input.dataset.problems) || input.insertAdjacentElement("afterend", doc.createElement("ul"));
    output.classList.add("access-key-problems");
    output.id = output.id || `${input.id}_problems`;
    output.setAttribute("aria-live", "polite");
    input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby") || ""} ${output.id}`.trim());
    const others = { series: find(input.dataset.series), number: find(input.dataset.number) };
    const filled = {};
    function check(event) {
      const problems = input.value.trim() ? examine(input.value) : [];
      const zeros = problems.some((problem) => problem.code === "zeros");
      const choice = find(input.dataset.noneChoice);
      const property = choice && "selected" in choice ? "selected" : "checked";  // an <option>, or radio or checkbox
      if (zeros && choice && !choice[property]) {
        choice[property] = true;
        choice.dispatchEvent(new Event("change", { bubbles: true }));
      }
      if (input.value.trim() && !problems.length) {
        const text = normalise(input.value);
        const held = { series: Number(text.slice(22, 25)), number: Number(text.slice(25, 34)) };
        for (const [name, other] of Object.entries(others)) {
          if (!other) continue;
          // What a person typed stays, and is told to disagree; what we filled in follows the key.
          const typed = other.value.replace(/[ .]/g, "");
          const ours = !typed || typed === filled[name];
          if (ours && !(event && event.target === other)) other.value = filled[name] = String(held[name]);
          else if (typed && (!/^[0-9]+$/.test(typed) || Number(typed) !== held[name])) {
            problems.push({ code: `${name}_mismatch`, field: name, given: typed, found: held[name] });
          }
        }
      }
      const shown = zeros ? [] : problems;
      output.replaceChildren(...shown.map((problem) => {
        const line = doc.createElement("li");
        line.textContent = message(input, problem);  // text, never markup
        return line;
      }));
      input.setAttribute("aria-invalid", shown.length ? "true" : "false");
      input.classList.toggle("is-invalid", shown.length > 0);
    }
    [input, others.series, others.number].forEach((field) => field && field.addEventListener("input", check));
    check();
  }

  if (typeof module === "object" && module.exports) module.exports = { examine, normalise, attach };
  else {
    const attachAll = (root) => root.querySelectorAll("[data-access-key]").forEach((input) => attach(input, document));
    attachAll(document);
    document.addEventListener("htmx:load", (event) => attachAll(event.target));  // forms that arrive later
  }
})();
