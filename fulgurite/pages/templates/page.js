"use strict";
// Draws each figure when it is scrolled to, in the colours that the page has, and again when they change; a click shows
// a picture in its full size.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const canvases = [...document.querySelectorAll(".canvas")];
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  // A text that is var(--name), as a whole, stands for a colour or font of style.css.
  const coloured = (value, style) => {
    if (typeof value === "string") {
      const found = /^var\((--[\w-]+)\)$/.exec(value);
      return found ? style.getPropertyValue(found[1]).trim() : value;
    }
    if (Array.isArray(value)) {
      return typeof value[0] === "number" ? value : value.map((one) => coloured(one, style));
    }
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one, style)]));
  };

  const draw = (canvas) => {
    const figure = JSON.parse(canvas.nextElementSibling.textContent);
    const { data, layout } = coloured(figure, getComputedStyle(document.documentElement));
    canvas.dataset.drawn = "yes";
    return Plotly.react(canvas, data, layout, settings);
  };

  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        watch.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "400px" });
  canvases.forEach((canvas) => watch.observe(canvas));

  const again = () => canvases.filter((canvas) => canvas.dataset.drawn).forEach(draw);
  dark.addEventListener("change", again);
  for (const button of document.querySelectorAll(".zoom")) {
    button.addEventListener("click", () => button.classList.toggle("full"));
  }
  addEventListener("beforeprint", () => canvases.forEach(draw));
})();
