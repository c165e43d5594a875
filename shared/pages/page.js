(function () {
  var read = function (id) { return JSON.parse(document.getElementById(id).textContent); };
  var rows = read('rows'), link = document.getElementById('csv');
  var cell = function (value) {
    var text = value === null ? '' : String(value);
    if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) { text = "'" + text; }
    return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  };
  link.addEventListener('click', function () {
    var lines = [rows.columns].concat(rows.rows).map(function (row) { return row.map(cell).join(','); });
    link.href = URL.createObjectURL(new Blob([lines.join('\r\n') + '\r\n'], {type: 'text/csv'}));
  });
  if (!window.Plotly) {
    document.getElementById('missing').hidden = false;
    return;
  }
  var figure = read('figure');
  Plotly.newPlot('plot', figure.data, figure.layout, read('config'));
})();
