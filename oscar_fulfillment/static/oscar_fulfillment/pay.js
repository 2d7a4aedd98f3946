/* The payment page: shows the new state as soon as the provider has told it, and copies codes. Works without, too. */
(function () {
  "use strict";
  var page = document.querySelector(".of-paying");
  if (!page) { return; }
  page.querySelectorAll("[data-copy]").forEach(function (button) {
    if (!navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      var code = document.getElementById(button.dataset.copy);
      navigator.clipboard.writeText(code.textContent.trim()).then(function () { button.textContent = button.dataset.done; });
    });
  });
  var url = page.dataset.poll;
  if (!url) { return; }
  var wait = 4000, state = page.dataset.state, until = Date.now() + 15 * 60 * 1000;
  function ask() {
    if (Date.now() > until) { return; }
    if (document.hidden) { setTimeout(ask, wait); return; }
    fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" })
      .then(function (answer) { return answer.ok ? answer.json() : null; })
      .then(function (found) {
        if (found && found.state !== state) { window.location.reload(); return; }
        wait = Math.min(wait * 1.3, 20000);
        setTimeout(ask, wait);
      })
      .catch(function () { setTimeout(ask, 20000); });
  }
  setTimeout(ask, wait);
})();
