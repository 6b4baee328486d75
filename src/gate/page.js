"use strict";
// Sends a file, and shows the answer. What comes back goes into text nodes, and
// the report into a frame that can reach nothing.
(() => {
  const by = (id) => document.getElementById(id);
  const [form, drop, file, token, box, frame] = ["form", "drop", "file", "token", "answer", "report"].map(by);
  const say = (decision, title, message) => {
    box.className = decision;
    by("decision").textContent = title;
    by("message").textContent = message;
    box.hidden = false;
  };
  const headers = (more) => (token.value ? { ...more, Authorization: "Bearer " + token.value } : more);
  const send = async (chosen) => {
    frame.hidden = true;
    say("", "Examining…", chosen.name);
    try {
      const type = { "Content-Type": "application/octet-stream" };
      const to = "/v1/scan?name=" + encodeURIComponent(chosen.name);
      const response = await fetch(to, { method: "POST", body: chosen, headers: headers(type) });
      const answer = await response.json();
      say(answer.decision, answer.decision === "allow" ? "Allowed" : "Denied", answer.message);
      const sha256 = answer.report && answer.report.files[0].sha256;
      if (!sha256) return;
      const report = await fetch("/v1/reports/" + sha256, { headers: headers({ Accept: "text/html" }) });
      if (report.ok) {
        frame.srcdoc = await report.text();
        frame.hidden = false;
      }
    } catch (error) {
      say("deny", "No answer", String(error));
    }
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  file.addEventListener("change", () => file.files.length && send(file.files[0]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
    });
  }
  document.addEventListener("drop", (event) => event.dataTransfer.files.length && send(event.dataTransfer.files[0]));
})();
