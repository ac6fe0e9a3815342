const page = document.body.dataset;
const pause = Number(page.againIn) * 1000;
async function look() {
  try {
    const answer = await fetch(page.state, { cache: "no-store" });
    const state = await answer.json();
    if (state.phase === "ready" || state.phase !== page.phase) return location.reload();
    const step = document.getElementById("step");
    if (step && state.step && step.textContent !== state.step) step.textContent = state.step;
  } catch { /* the controller restarts: asked again */ }
  setTimeout(look, pause);
}
if (pause) setTimeout(look, pause);
