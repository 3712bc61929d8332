// Niceties for the built-in pages. Every page works without this file, except buttons that talk to security keys.
"use strict";

// Passwords can be shown while they are typed. The page brings the words.
const words = document.body.dataset;
for (const input of document.querySelectorAll('.field input[type="password"]')) {
  const button = document.createElement("button");
  const label = document.querySelector(`label[for="${input.id}"]`)?.textContent.trim() ?? "";
  const offer = (word) => {
    button.textContent = word;
    button.setAttribute("aria-label", `${word}: ${label}`);
  };
  button.type = "button";
  button.setAttribute("aria-controls", input.id);
  offer(words.show);
  button.addEventListener("click", () => {
    const isHidden = input.type === "password";
    input.type = isHidden ? "text" : "password";
    offer(isHidden ? words.hide : words.show);
  });
  const wrapper = document.createElement("div");
  wrapper.className = "with-reveal";
  const wasFocused = document.activeElement === input;
  input.replaceWith(wrapper);
  wrapper.append(input, button);
  if (wasFocused) input.focus();
  // A password leaves as a password, so that browsers do not keep it among the words that were typed.
  input.form?.addEventListener("submit", () => {
    input.type = "password";
  });
}

// Times are told in the reader's zone and language.
for (const time of document.querySelectorAll("time[datetime]")) {
  const when = new Date(time.dateTime);
  if (!Number.isNaN(when.getTime())) {
    time.textContent = when.toLocaleString(document.documentElement.lang || undefined, { dateStyle: "long", timeStyle: "short" });
  }
}

// Security keys and passkeys: the server's own script brings the functions that nodes name.
const run = (name) => {
  if (/^ory[A-Za-z]+$/.test(name) && typeof window[name] === "function") window[name]();
};

for (const button of document.querySelectorAll("button[data-trigger]")) {
  button.hidden = false;
  button.addEventListener("click", () => run(button.dataset.trigger));
}

window.addEventListener("load", () => {
  for (const field of document.querySelectorAll("[data-onload]")) run(field.dataset.onload);
});
