// Keeps a page fresh: times in the reader's own zone and words, and the main part
// anew when the server says that something has changed. Without it the page is whole.
"use strict";
(() => {
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  const narrow = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always", style: "narrow" });
  const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const day = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
  const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const longAgo = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];

  // words are how a time is said: near ones by the distance, others by the date;
  // without a form, always by the date.
  const words = (at, form) => {
    if (!form) return (Math.abs(at - Date.now()) < 6 * 86400e3 ? day : date).format(at);
    const seconds = (at - Date.now()) / 1000, far = Math.abs(seconds);
    if (far < 45) return seconds > 0 ? "in a moment" : "just now";
    if (seconds > 6 * 3600) return (far < 6 * 86400 ? day : date).format(at);
    if (far > 60 * 86400) return longAgo.format(at);
    const [unit, size] = units.find(([, size]) => far >= size) || units[2];
    return form.format(Math.sign(seconds) * Math.max(1, Math.round(far / size)), unit);
  };
  // A terse time says its own text only; it is kept, since that is replaced.
  const times = (root) => {
    for (const t of root.querySelectorAll("time")) {
      const terse = !t.hasAttribute("datetime") || t.hasAttribute("data-terse");
      if (!t.hasAttribute("datetime")) {
        t.dateTime = t.textContent.replace(" ", "T");
        t.setAttribute("data-terse", "");
      }
      if (t.dateTime.length < 11) continue; // a whole day
      const at = new Date(t.dateTime);
      if (isNaN(at)) continue;
      const text = words(at, terse ? narrow : t.hasAttribute("data-at") ? null : relative);
      if (t.textContent !== text) t.textContent = text;
      if (!t.title) t.title = whole.format(at);
    }
  };

  // place is where an element stands below main, by which it is found again.
  const place = (main, e) => {
    const path = [];
    for (; e && e !== main; e = e.parentElement) path.unshift([...e.parentElement.children].indexOf(e));
    return e ? path : null;
  };
  const found = (main, path) => path.reduce((e, n) => e && e.children[n], main);

  // Nothing moves under a finger, or under a pointer on its way to a button: what
  // is pressed is what was there.
  let down = false, moved = 0;
  const aiming = (main) => down || (Date.now() - moved < 2000 && main.querySelector("button:hover") !== null);

  let busy = false, again = false;
  const look = async () => {
    const main = document.getElementById("main");
    const typing = document.activeElement;
    if (busy || (typing && main.contains(typing) && /^(INPUT|SELECT)$/.test(typing.tagName))) {
      again = true;
      return;
    }
    if (aiming(main)) {
      soon();
      return;
    }
    busy = true;
    again = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = fresh.getElementById("main");
      if (!next) return;
      if (aiming(main)) {
        soon();
        return;
      }
      const focus = main.contains(document.activeElement) ? place(main, document.activeElement) : null;
      const toggled = [...main.querySelectorAll("details")].map((d) => [place(main, d), d.open]);
      const scrolled = [...main.querySelectorAll(".wide, .lanes")].map((e) => [place(main, e), e.scrollLeft]);
      times(next);
      const imported = document.adoptNode(next);
      main.replaceWith(imported);
      document.title = fresh.title;
      for (const [path, open] of toggled) {
        const d = found(imported, path);
        if (d && d.tagName === "DETAILS") d.open = open;
      }
      for (const [path, left] of scrolled) {
        const e = found(imported, path);
        if (e) e.scrollLeft = left;
      }
      const focused = focus && found(imported, focus);
      if (focused) focused.focus({ preventScroll: true });
    } catch {
      // The server restarts or the line is down: the next event tries again.
    } finally {
      busy = false;
    }
    wait();
  };
  const soon = (() => {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(look, 150);
    };
  })();
  document.addEventListener("focusout", () => again && soon());
  document.addEventListener("pointermove", (e) => {
    moved = Date.now();
    down = e.buttons !== 0; // it may have been let go of elsewhere
  }, { passive: true });
  document.addEventListener("pointerdown", () => (down = true), { passive: true });
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => (down = false), { passive: true });

  // An answer that is to come is looked for, for two minutes.
  let looks = 0;
  const wait = () => {
    if (document.getElementById("main").hasAttribute("data-waits") && looks++ < 60) setTimeout(look, 2000);
  };

  times(document);
  setInterval(() => times(document), 20000);
  wait();
  const live = document.getElementById("main").dataset.live;
  const mark = document.querySelector(".livemark");
  if (live && mark) {
    const events = new EventSource("/events");
    const say = (on) => {
      mark.hidden = false;
      mark.classList.toggle("on", on);
      mark.textContent = on ? "Live" : "Not live: connecting again";
    };
    let lost = false;
    events.onopen = () => {
      say(true);
      if (lost) soon(); // what was missed meanwhile
      lost = false;
    };
    events.onerror = () => {
      lost = true;
      say(false);
    };
    events.addEventListener("changed", (e) => {
      if (live === "*" || live === e.data) soon();
    });
    addEventListener("pagehide", () => events.close());
    addEventListener("pageshow", (e) => e.persisted && location.reload());
  }
})();
