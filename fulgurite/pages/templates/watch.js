"use strict";
// What is told of a watch, asked for twice a second; every text comes in as text.
const show = (id, text) => { document.getElementById(id).textContent = text; };
const figure = (value) => (value === undefined ? "–" : Number(value).toPrecision(4));

function draw(course, threshold) {
  const scores = course.map((point) => point[1]);
  const low = Math.min(0, threshold, ...scores);
  const high = Math.max(threshold, ...scores) * 1.05 || 1;
  const up = (value) => 120 - (118 * (value - low)) / (high - low) - 1;
  const first = course.length ? course[0][0] : 0;
  const span = course.length ? course[course.length - 1][0] - first || 1 : 1;
  const points = course.map(([time, score]) => `${(600 * (time - first)) / span},${up(score)}`);
  document.getElementById("points").setAttribute("points", points.join(" "));
  for (const end of ["y1", "y2"]) document.getElementById("line").setAttribute(end, up(threshold));
  show("range", course.length ? `${span.toFixed(0)} seconds, from ${figure(low)} to ${figure(high)}.` : "");
}

async function look() {
  let state;
  try {
    state = await (await fetch("/state", { signal: AbortSignal.timeout(5000) })).json();
  } catch {
    state = { over: true };
  }
  if (state.score !== undefined) {
    show("score", figure(state.score));
    show("threshold", figure(state.threshold));
    show("source", state.source);
    document.title = `${state.rings ? "ALARM" : figure(state.score)} · ${state.source}`;
    show("events", state.events === 1 ? "1 event" : `${state.events} events`);
    show("fps", `${state.fps.toFixed(1)} /s`);
    show("dropped", `${state.dropped} dropped`);
    show("delay", `The picture is that of the score: ${state.delay} behind the camera at most.`);
    draw(state.course, state.threshold);
  }
  const word = document.getElementById("state");
  word.textContent = state.over ? "over" : state.score === undefined ? "waiting" : state.rings ? "ALARM" : "normal";
  word.className = `value ${state.over ? "soft" : state.rings ? "loses" : "wins"}`;
  if (!state.over) setTimeout(look, 500);
}
look();
