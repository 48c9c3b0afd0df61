// Cards that are renewed while somebody uses them: what is open stays open, the focus lands near, "3 minutes ago" stays true.
"use strict";
(() => {
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const {target, fragment} = event.detail;
    for (const open of target.querySelectorAll("details[open][id]")) {
      const next = fragment.getElementById(open.id);
      if (next) next.open = true;
    }
    const held = target.contains(document.activeElement) ? document.activeElement.id : "";
    if (held && !fragment.getElementById(held)) {
      requestAnimationFrame(() => document.querySelector(`#${target.id} [data-lands]`)?.focus());
    }
  });

  // The element that asked may be gone by now, renewed by another answer: htmx would look for the cards beside it, in nothing.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const {elt, xhr} = event.detail;
    if (elt.isConnected) return;
    event.detail.shouldSwap = false;
    htmx.swap(document.body, xhr.response, {swapStyle: "none"});
  });

  const SIZES = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = (seconds) => {
    for (const [name, size] of SIZES) {
      const count = Math.floor(Math.abs(seconds) / size);
      if (!count) continue;
      const text = `${count} ${name}${count > 1 ? "s" : ""}`;
      return seconds > 0 ? `in ${text}` : `${text} ago`;
    }
    return seconds > 0 ? "in a moment" : "just now";
  };
  setInterval(() => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      time.textContent = relative((Date.parse(time.dateTime) - Date.now()) / 1000);
    }
  }, 30000);
})();
