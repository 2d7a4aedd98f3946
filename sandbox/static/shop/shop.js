// The store and language selectors work at once; without JavaScript their "Go" buttons stay visible.
document.querySelectorAll("form[data-submit-on-change]").forEach(function (form) {
    form.classList.add("is-enhanced");
    form.addEventListener("change", function () {
        form.submit();
    });
});
