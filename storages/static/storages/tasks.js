// Puts words in place of a picture, player or document that does not load, and asks its link why.
"use strict";
(() => {
  const GONE = "The storage does not give it. Check that the object still exists and that the storage's credentials may read it.";
  const SIGNED = "The object is there, but its signed link gave nothing that this browser can show: it may be damaged or of another format than its name says, or the storage's credentials may not read it.";
  const FORMAT = "The file was read, but this browser cannot show it: it may be damaged, or of another format than its name says.";
  const AWAY = "The server could not be asked. Check your connection and reload the page.";

  const why = async (link) => {
    const stop = new AbortController();
    try {
      const answer = await fetch(link, {redirect: "manual", signal: stop.signal, headers: {Range: "bytes=0-0"}});
      if (answer.type === "opaqueredirect") {  // to the storage; this server looks for the object itself on HEAD
        return (await fetch(link, {method: "HEAD", signal: stop.signal})).ok ? SIGNED : GONE;
      }
      return answer.ok ? FORMAT : (await answer.json()).detail || FORMAT;
    } catch {
      return AWAY;
    } finally {
      stop.abort();
    }
  };

  const replace = async (shown) => {
    shown.hidden = true;
    const small = shown.parentElement.querySelector(":scope > .broken");
    if (small) small.hidden = false;
    const figure = shown.closest("[data-medium]");
    if (!figure) return;
    const told = figure.querySelector("[data-broken]");
    told.hidden = false;
    told.querySelector("[data-reason]").textContent = await why(figure.dataset.medium);
  };

  document.addEventListener("error", (event) => {
    if (event.target instanceof Element && event.target.matches("[data-media]")) replace(event.target);
  }, true);
  for (const shown of document.querySelectorAll("[data-media]")) {  // what failed before this file was here
    if (shown.error || (shown.complete && !shown.naturalWidth && shown.currentSrc)) replace(shown);
  }

  // A frame tells no error, so its link is asked first, without the body.
  for (const frame of document.querySelectorAll("[data-document]")) {
    const link = frame.closest("[data-medium]").dataset.medium;
    fetch(link, {method: "HEAD"}).then((answer) => {
      if (!answer.ok) return replace(frame);
      frame.src = link;
      frame.hidden = false;
    }, () => replace(frame));
  }
})();
