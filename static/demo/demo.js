// What a website's own script does with Outward: events on buttons, the choice about the cookie.
// Without JavaScript, or with the tracker blocked, every page works and every form is sent.
(() => {
  const tell = (...call) => window.outward && window.outward(...call);

  for (const button of document.querySelectorAll("[data-event]")) {
    button.addEventListener("click", () => {
      tell("event", button.dataset.event, JSON.parse(button.dataset.props || "{}"));
      const says = button.parentElement.querySelector(".says");
      if (says) says.textContent = button.dataset.says;
    });
  }

  const form = document.querySelector("[data-enquiry]");
  if (form) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      tell("event", "Enquiry");
      form.reset();
      form.querySelector(".says").textContent = "Thank you. In a demo, nobody will answer.";
    });
  }

  const choice = document.querySelector("[data-consent]");
  const show = () =>
    choice.setAttribute("aria-checked", String(/\boutward_id=\w/.test(document.cookie)));
  choice.addEventListener("click", () => {
    tell("consent", choice.getAttribute("aria-checked") !== "true");
    show();
  });
  show();
})();
