// Niceties for the built-in pages. Every page works without this file, except buttons that talk to security keys.
"use strict";

const all = (selector, within = document) => within.querySelectorAll(selector);

function button(text, className, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.textContent = text;
  made.addEventListener("click", onClick);
  return made;
}

// Passwords can be shown while they are typed. The page brings the words.
const words = document.body.dataset;
for (const input of all('.field input[type="password"]')) {
  const label = document.querySelector(`label[for="${input.id}"]`)?.textContent.trim() ?? "";
  const offer = (word) => {
    reveal.textContent = word;
    reveal.setAttribute("aria-label", `${word}: ${label}`);
  };
  const reveal = button("", "", () => {
    const isHidden = input.type === "password";
    input.type = isHidden ? "text" : "password";
    offer(isHidden ? words.hide : words.show);
  });
  reveal.setAttribute("aria-controls", input.id);
  offer(words.show);
  const wrapper = document.createElement("div");
  wrapper.className = "with-reveal";
  const wasFocused = document.activeElement === input;
  input.replaceWith(wrapper);
  wrapper.append(input, reveal);
  if (wasFocused) input.focus();
  // A password leaves as a password, so that browsers do not keep it among the words that were typed.
  input.form?.addEventListener("submit", () => {
    input.type = "password";
  });
}

// Codes are often copied with blanks around or between them, which would take the room of digits.
for (const input of all('input[autocomplete="one-time-code"]')) {
  input.addEventListener("paste", (event) => {
    const pasted = event.clipboardData?.getData("text").replace(/\s/g, "");
    if (!pasted) return;
    event.preventDefault();
    input.setRangeText(pasted, input.selectionStart, input.selectionEnd, "end");
    if (input.maxLength > 0) input.value = input.value.slice(0, input.maxLength);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

// Times are told in the reader's zone and language.
function localize(within) {
  for (const time of all("time[datetime]", within)) {
    const when = new Date(time.dateTime);
    if (!Number.isNaN(when.getTime())) {
      time.textContent = when.toLocaleString(document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "short" });
    }
  }
}
localize(document);

// Backup codes and documents can be copied, codes printed, too.
for (const shown of all("[data-copy]")) {
  const tools = document.createElement("div");
  tools.className = "tools";
  const copy = button(shown.dataset.copy, "secondary", async () => {
    const codes = [...all("code", shown)].map((code) => code.textContent);
    await navigator.clipboard.writeText(codes.length > 0 ? codes.join("\n") : shown.textContent);
    copy.textContent = shown.dataset.copied;
  });
  copy.setAttribute("aria-live", "polite");
  // Of several such buttons each says what it copies, also after it did.
  const about = document.getElementById(shown.getAttribute("aria-labelledby"));
  if (about) copy.setAttribute("aria-describedby", about.id);
  if (navigator.clipboard) tools.append(copy);
  if (shown.dataset.print) tools.append(button(shown.dataset.print, "secondary", () => window.print()));
  shown.after(tools);
}

// The settings are several forms. What was typed into the others stays when one is sent, also through a sign-in in between;
// secrets are left out, it is kept in this window only, and shown to nobody else.
const areas = document.querySelector("[data-owner]");
if (areas) {
  const KEY = "portcullis-unsaved";
  const HOUR = 60 * 60 * 1000;
  const fields = () =>
    [...all(".field input[id], .field select[id]", areas)].filter(
      (f) => !["hidden", "password"].includes(f.type) && f.closest(".with-reveal") === null && f.autocomplete !== "one-time-code",
    );
  const initial = new Map(fields().map((f) => [f, f.type === "checkbox" ? f.checked : f.value]));
  const now = (f) => (f.type === "checkbox" ? f.checked : f.value);
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    sessionStorage.removeItem(KEY);
    if (kept?.owner === areas.dataset.owner && Date.now() - kept.at < HOUR) {
      let restored = false;
      for (const f of fields()) {
        const typed = kept.fields[f.id];
        if (typed === undefined || typed === now(f) || f.disabled) continue;
        if (f.type === "checkbox") f.checked = typed;
        else f.value = typed;
        restored = true;
      }
      if (restored) {
        const notice = document.createElement("p");
        notice.className = "notice plain";
        notice.setAttribute("role", "status");
        notice.textContent = areas.dataset.kept;
        areas.prepend(notice);
      }
    }
    document.addEventListener("submit", (event) => {
      const others = fields().filter((f) => f.form !== event.target && now(f) !== initial.get(f));
      if (others.length === 0) return;
      const typed = Object.fromEntries(others.map((f) => [f.id, now(f)]));
      sessionStorage.setItem(KEY, JSON.stringify({ owner: areas.dataset.owner, at: Date.now(), fields: typed }));
    });
  } catch {
    // Some browsers keep nothing at all.
  }
}

// The mailbox of developers looks for new messages by itself.
if (document.querySelector("[data-refresh]")) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href);
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
      const shown = document.querySelector("[data-refresh]");
      localize(fresh);
      if (fresh.innerHTML === shown.innerHTML) return;
      const at = document.activeElement?.getAttribute("href");
      shown.replaceWith(fresh);
      if (at) fresh.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus();
    } catch {
      // The server is being restarted.
    }
  }, 2000);
}

// Security keys and passkeys: the server's own script brings the functions that nodes name.
const run = (name) => {
  if (/^ory[A-Za-z]+$/.test(name) && typeof window[name] === "function") window[name]();
};

for (const trigger of all("button[data-trigger]")) {
  trigger.hidden = false;
  trigger.addEventListener("click", () => run(trigger.dataset.trigger));
}

window.addEventListener("load", () => {
  for (const field of all("[data-onload]")) run(field.dataset.onload);
});
