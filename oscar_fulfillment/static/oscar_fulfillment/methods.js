/* The form of a payment method with a script: rows that do not apply are hidden. Without it all of them show, and the
 * server says what does not fit. A row with an error is never hidden. */
(function () {
  "use strict";
  const form = document.getElementById("method_form");
  if (!form) return;
  const holding = new Set((form.elements.paid_by.dataset.holding || "").split(" "));

  function chosen(name) {
    const picked = form.querySelector(`[name="${name}"]:checked`);
    return picked ? picked.value : "";
  }

  function adapt() {
    const paidBy = form.elements.paid_by.value;
    const gateway = paidBy !== "manual|";
    const holdable = holding.has(paidBy);
    if (!holdable && chosen("capture") === "hold" && !form.querySelector("#group-money .ff-wrong")) {
      form.querySelector('[name="capture"][value="now"]').checked = true;
    }
    const ships = form.elements.ships_before_payment.checked;
    const applies = {
      gateway: gateway,
      by_hand: !gateway,
      holdable: holdable,
      hold: holdable && chosen("capture") === "hold",
      waits: !ships,
      groups: chosen("audience") === "groups",
      customers: chosen("audience") === "customers",
    };
    for (const row of document.querySelectorAll("[data-when]")) {
      row.hidden = !applies[row.dataset.when] && !row.querySelector(".ff-wrong") && !isFilled(row);
    }
  }

  /** Whether something stands in a row of the clock: what is kept must be seen. */
  function isFilled(row) {
    return row.dataset.when === "waits" && [...row.querySelectorAll("input")].some((input) => input.value);
  }

  form.addEventListener("change", adapt);
  adapt();
})();
