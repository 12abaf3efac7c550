(() => {
  "use strict";
  const look = document.getElementById("look");
  if (!look) return;
  const frame = document.getElementById("swipe");
  const range = document.getElementById("at");
  const sides = { left: document.getElementById("left"), right: document.getElementById("right") };
  const images = { left: frame.querySelector(".over"), right: frame.querySelector(".under") };
  const tags = { left: frame.querySelector(".on-left"), right: frame.querySelector(".on-right") };

  const place = () => (look.querySelector('input[name="place"]:checked') || { value: "0" }).value;

  const show = () => {
    for (const side of ["left", "right"]) {
      const key = sides[side].value;
      const source = document.querySelector(`img[data-place="${place()}"][data-key="${key}"]`);
      images[side].src = source.src;
      images[side].alt = source.alt;
      tags[side].textContent = sides[side].selectedOptions[0].textContent;
    }
  };

  const move = (per_cent) => {
    const at = Math.min(100, Math.max(0, per_cent));
    frame.style.setProperty("--at", `${at}%`);
    range.value = at;
    range.setAttribute("aria-valuetext", `${Math.round(at)} per cent ${tags.left.textContent}, the rest ${tags.right.textContent}`);
  };

  const follow = (event) => {
    const box = frame.getBoundingClientRect();
    move(((event.clientX - box.left) / box.width) * 100);
  };

  frame.addEventListener("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    follow(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) follow(event);
  });
  range.addEventListener("input", () => move(Number(range.value)));
  for (const side of ["left", "right"]) sides[side].addEventListener("change", () => { show(); move(Number(range.value)); });
  for (const input of look.querySelectorAll('input[name="place"]')) input.addEventListener("change", show);

  look.hidden = false;
  show();
  move(50);
})();

(() => {
  "use strict";
  const veil = document.getElementById("veil");
  if (!veil) return;
  const map = document.querySelector(".overview .veiled");
  const see = () => { map.style.opacity = veil.value / 100; };
  veil.addEventListener("input", see);
  veil.closest("label").hidden = false;
  see();
})();
