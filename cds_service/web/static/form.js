"use strict";

// Keys for the form: y, n and l answer the question in focus and go on to the next, a accepts the offered record, s goes
// to the signature.
(() => {
  const questions = [...document.querySelectorAll("[data-question]")];
  const keys = document.querySelector(".keys");
  if (keys) keys.hidden = false;

  const values = { y: "yes", n: "no", l: "" };
  // Numbers and dates hold no letters, so that a letter is a key there as well.
  const isTyping = (target) => target.matches("select, input[type=text]:not([inputmode=decimal], [placeholder])");
  const current = () => questions.find((question) => question.contains(document.activeElement));

  const focus = (question) => {
    const first = question.matches("fieldset")
      ? question.querySelector("input[type=radio]:checked") || question.querySelector("input")
      : question.querySelector("input");
    (first || question).focus();
    question.scrollIntoView({ block: "nearest" });
  };

  const next = (question) => {
    const following = questions[questions.indexOf(question) + 1];
    if (following) focus(following);
    else document.querySelector("#role")?.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && current() && event.target.matches("input[type=text]")) {
      event.preventDefault();
      next(current());
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const role = document.querySelector("#role");
    if (event.key === "s" && role) {
      event.preventDefault();
      role.focus();
      return;
    }
    const question = current() || questions[0];
    if (!question) return;
    if (event.key in values) {
      const radio = question.querySelector(`:scope > .choices input[value="${values[event.key]}"]`);
      if (!radio) {
        if (event.key !== "l") return;
        event.preventDefault();
        next(question);
        return;
      }
      event.preventDefault();
      radio.checked = true;
      const offers = question.querySelector(".offered input:not(:checked)");
      // Pressed again it leaves the offered records as they are.
      if (event.key === "y" && offers && !event.target.closest(".offered")) offers.focus();
      else next(question);
    } else if (event.key === "a") {
      const offer = question.querySelector(".offered input:not(:checked)");
      if (!offer) return;
      event.preventDefault();
      offer.checked = true;
      next(question);
    }
  });

  const faults = document.querySelector("#faults");
  const sign = document.querySelector("[data-sign]");
  if (faults) faults.focus();
  else if (sign) sign.focus();
  else if (questions.length) focus(questions[0]);
})();
