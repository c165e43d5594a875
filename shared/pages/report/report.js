(function () {
  var byId = function (id) { return document.getElementById(id); };
  var read = function (id) { return JSON.parse(byId(id).textContent); };
  var config = read('config');
  var chosen = new Map();  // place -> figure, of the checkpoint that is chosen
  var draw = function (place) {
    if (place.dataset.drawn || !window.Plotly) { return; }
    place.dataset.drawn = 'yes';
    var figure = chosen.get(place) || read(place.dataset.figure);
    Plotly.newPlot(place, figure.data, figure.layout, config);
  };
  // a figure is drawn when it comes near: a hundred at once would take the page half a minute
  var near = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (entry.isIntersecting) {
        near.unobserve(entry.target);
        draw(entry.target);
      }
    });
  }, {rootMargin: '1200px'});
  document.querySelectorAll('.plot').forEach(function (place) { near.observe(place); });
  window.addEventListener('beforeprint', function () {
    document.querySelectorAll('.plot').forEach(function (place) {
      if (place.offsetParent !== null) { draw(place); }
    });
  });
  if (!window.Plotly) { byId('missing').hidden = false; }

  var chooser = byId('checkpoint');
  if (!chooser) { return; }

  // an element with children; words are text, whatever they are
  var make = function (tag, look, children) {
    var made = document.createElement(tag);
    if (look) { made.className = look; }
    made.append.apply(made, children);
    return made;
  };
  var paragraph = function (words) {
    return make('p', '', words[0] === null ? [words[1]] : [make('b', '', [words[0] + ':']), words[1]]);
  };
  var table = function (it) {
    var cell = function (value) { return make('td', value[1] ? 't' : '', [value[0]]); };
    var row = function (values) { return make('tr', '', values.map(cell)); };
    var head = make('thead', '', [make('tr', '', it.head.map(function (name) { return make('th', '', [name]); }))]);
    var rows = make('table', '', [head, make('tbody', '', it.body.map(row))]);
    var note = it.total > it.body.length
      ? ['The first ' + it.body.length + ' of ' + it.total + ' rows; `midwatch export` writes all.'] : [];
    return make('details', '', [make('summary', '', ['The numbers behind it']), make('div', 'table', [rows].concat(note))]);
  };
  var figure = function (it) {
    var plot = make('div', 'plot', []);
    plot.setAttribute('role', 'img');
    plot.setAttribute('aria-label', it.alt);
    plot.style.height = it.height + 'px';
    chosen.set(plot, it.figure);
    var warnings = it.warnings.map(function (words) { return make('span', 'warning', [' \u00b7 \u26a0 ' + words]); });
    var words = [make('p', '', [make('b', '', [it.title + '.'])])];
    if (it.words.length) {
      words.push(make('details', '', [make('summary', '', ['How to read it'])].concat(it.words.map(paragraph))));
    }
    words.push(make('p', 'method', [it.method].concat(warnings)));
    if (it.total) { words.push(table(it)); }
    near.observe(plot);
    return make('figure', '', [
      make('p', 'headline', [it.headline]), make('div', 'figure', [plot]), make('figcaption', '', words)
    ]);
  };
  var unpacked = function (id) {
    var packed = atob(byId(id).textContent);
    var bytes = Uint8Array.from(packed, function (letter) { return letter.charCodeAt(0); });
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).json();
  };
  var show = function (it) {
    chosen.forEach(function (_, plot) {
      near.unobserve(plot);
      if (window.Plotly) { Plotly.purge(plot); }
    });
    chosen.clear();
    var parts = it === null ? [] : [make('h3', '', [it.title])].concat(it.figures.map(figure));
    byId('chosen').replaceChildren.apply(byId('chosen'), parts);
  };
  var choose = function () {
    var wanted = chooser.value, place = chooser.selectedIndex;
    byId('earlier').disabled = place <= 1;
    byId('later').disabled = place === chooser.options.length - 1;
    if (!wanted) { show(null); return; }
    unpacked(wanted).then(function (it) {
      if (chooser.value === wanted) { show(it); }  // else another one was chosen meanwhile
    });
  };
  var step = function (by) {
    return function () { chooser.selectedIndex += by; choose(); };
  };
  if (!window.DecompressionStream) {
    byId('packed').hidden = false;
    chooser.disabled = byId('earlier').disabled = byId('later').disabled = true;
    return;
  }
  chooser.addEventListener('change', choose);
  byId('earlier').addEventListener('click', step(-1));
  byId('later').addEventListener('click', step(1));
  choose();  // a browser keeps what was chosen when the page is loaded again
})();
