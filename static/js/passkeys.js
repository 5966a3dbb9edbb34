// Says in words what went wrong with a passkey; allauth's script writes it to the console only.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const name = event.detail.exception.name;
  let place = document.getElementById("passkey-error");
  if (!place) {
    place = document.createElement("p");
    place.id = "passkey-error";
    place.className = "errors";
    place.setAttribute("role", "alert");
    document.querySelector("#main h1").after(place);
  }
  place.textContent =
    name === "NotAllowedError"
      ? "No passkey was used: it was cancelled, or this device has none for this address. Try again, or use another way."
      : name === "InvalidStateError"
        ? "This device has a passkey for this account already."
        : "The browser could not use a passkey here. Use another way.";
});
