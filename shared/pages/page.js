(function () {
  var read = function (id) { return JSON.parse(document.getElementById(id).textContent); };
  var each = function (what, act) { Array.prototype.forEach.call(document.querySelectorAll(what), act); };
  var cell = function (value) {
    var text = value === null ? '' : String(value);
    if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) { text = "'" + text; }
    return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  };
  each('a[data-rows]', function (link) {
    var rows = read(link.getAttribute('data-rows'));
    link.addEventListener('click', function () {
      var lines = [rows.columns].concat(rows.rows).map(function (row) { return row.map(cell).join(','); });
      link.href = URL.createObjectURL(new Blob([lines.join('\r\n') + '\r\n'], {type: 'text/csv'}));
    });
  });
  var way = document.getElementById('way');
  if (way && window.midwatchPages) {
    var here = decodeURIComponent(location.pathname.split('/').pop());
    Object.keys(window.midwatchPages).forEach(function (rest) {
      var pages = window.midwatchPages[rest], place = pages.indexOf(here);
      if (place < 0) { return; }
      [[place - 1, '\u2190 '], [place + 1, '\u2192 ']].forEach(function (to) {
        var name = pages[to[0]];
        if (!name) { return; }
        var link = document.createElement('a');
        link.href = name;
        link.rel = to[0] < place ? 'prev' : 'next';
        link.textContent = to[1] + name.slice(0, name.length - rest.length - 1).replace(/_/g, ' ');
        way.appendChild(link);
      });
    });
    way.hidden = false;
  }
  if (!window.Plotly) {
    each('.missing', function (words) { words.hidden = false; });
    return;
  }
  each('[data-figure]', function (place) {
    var figure = read(place.getAttribute('data-figure'));
    Plotly.newPlot(place, figure.data, figure.layout, read('config'));
  });
})();
