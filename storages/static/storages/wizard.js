// Of the wizard: Escape closes it, buttons put a placeholder where the cursor is, a picture that does not load shows none.
"use strict";
(() => {
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input:not([type=radio], [type=checkbox]), select, textarea, dialog, details[open].menu");
    const way = document.querySelector("[data-escape]");
    if (event.key === "Escape" && way && !busy) way.click();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (!button) return;
    const field = document.getElementById(button.dataset.insert);
    field.setRangeText(button.dataset.insertText, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", {bubbles: true}));
    field.focus();
  });
  document.addEventListener("error", (event) => {
    if (event.target instanceof Element && event.target.matches(".thumbnail img")) event.target.remove();
  }, true);
})();
