/* A prompt as its own words, each coloured by how far it pushes the verdict. Words are data: they are set as text.
   STYLES.words is words.css. */
window.midwatchWords = function ({data, parentElement, setTriggerValue}) {
  if (parentElement.adoptedStyleSheets && !parentElement.adoptedStyleSheets.length) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES.words);
    parentElement.adoptedStyleSheets = [sheet];
  }
  const make = (kind, name, text, into) => {
    const made = document.createElement(kind);
    made.className = name;
    if (text) { made.textContent = text; }
    into.append(made);
    return made;
  };
  const host = parentElement.host || parentElement;
  parentElement.querySelector('.card')?.remove();
  const card = make('div', 'card', '', parentElement);
  if (data.scale) { return scale(); }
  for (const flag of data.flags) { make('p', 'flag', '⚠ ' + flag, card); }
  const chosen = {name: data.ways[0].name};
  const choice = make('div', 'choice', '', card);
  const words = make('div', 'words' + (data.doubtful ? ' doubtful' : ''), '', card);
  words.dir = 'auto';
  if (data.hidden) { make('p', 'hidden', data.hidden, card); }
  const draw = () => {
    words.replaceChildren();
    const way = data.ways.find((each) => each.name === chosen.name);
    way.words.forEach((word, place) => {
      const chip = make('button', 'word' + (word.special ? ' special' : ''), '', words);
      make('span', 'text', word.text, chip);
      if (word.mark) { make('span', 'mark', word.mark, chip); }
      chip.style.setProperty('--strength', Math.round(100 * Math.abs(word.value)) + '%');
      chip.classList.add(word.unknown ? 'unknown' : word.value > 0 ? 'unsafe' : 'safe');
      if (Math.abs(word.value) > 0.62 && !data.doubtful) { chip.classList.add('strong'); }
      chip.title = (word.full || word.text) + '\n' + word.hover;
      chip.setAttribute('aria-label', (word.full || word.text) + ': ' + word.hover);
      chip.onclick = () => setTriggerValue('picked', place);
    });
    choice.replaceChildren();
    for (const each of data.ways.length > 1 ? data.ways : []) {
      const button = make('button', 'way', each.name, choice);
      button.setAttribute('aria-pressed', String(each.name === chosen.name));
      button.onclick = () => { chosen.name = each.name; draw(); };
    }
    host.dataset.words = JSON.stringify(way.words.map((word) => [word.text, word.value]));
  };
  draw();
  const picture = (event) => { if (event.detail.panel.contains(host)) { save(words, data.stem); } };
  document.addEventListener('midwatch-picture', picture);
  return () => document.removeEventListener('midwatch-picture', picture);

  function scale() {
    make('span', 'end', '◀ ' + data.scale.safe, card);
    const bar = make('span', 'bar', '', card);
    for (const tick of data.scale.ticks) { make('span', 'tick', tick, bar); }
    make('span', 'end', data.scale.unsafe + ' ▶', card);
    make('span', 'end soft', data.scale.title, card);
  }
};

function save(words, stem) {
  const all = words.getBoundingClientRect(), ratio = 2;
  const canvas = document.createElement('canvas');
  canvas.width = ratio * all.width;
  canvas.height = ratio * all.height;
  const paper = canvas.getContext('2d');
  paper.scale(ratio, ratio);
  paper.fillStyle = getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor;
  paper.fillRect(0, 0, all.width, all.height);
  paper.textBaseline = 'middle';
  for (const chip of words.querySelectorAll('.word')) {
    const box = chip.getBoundingClientRect();
    paper.fillStyle = getComputedStyle(chip).backgroundColor;
    paper.fillRect(box.left - all.left, box.top - all.top, box.width, box.height);
    for (const part of chip.children) {
      const look = getComputedStyle(part), place = part.getBoundingClientRect();
      paper.font = look.fontWeight + ' ' + look.fontSize + ' ' + look.fontFamily;
      paper.fillStyle = look.color;
      paper.fillText(part.textContent, place.left - all.left, (place.top + place.bottom) / 2 - all.top);
    }
  }
  const link = document.createElement('a');
  link.href = canvas.toDataURL('image/png');
  link.download = stem + '.png';
  link.click();
}
