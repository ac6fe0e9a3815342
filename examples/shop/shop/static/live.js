addEventListener("load", () => {
  const line = document.getElementById("live");
  new EventSource("/live").onmessage = (event) => {
    const { order, what } = JSON.parse(event.data);
    line.textContent = `order ${order}, just now: ${what}`;
  };
});
