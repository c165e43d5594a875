(function () {
  var read = function (id) { return JSON.parse(document.getElementById(id).textContent); };
  if (!window.Plotly) {
    document.getElementById('missing').hidden = false;
    return;
  }
  var config = read('config');
  var places = Array.prototype.slice.call(document.querySelectorAll('.plot'));
  var draw = function (place) {
    if (place.dataset.drawn) { return; }
    place.dataset.drawn = 'yes';
    var figure = read(place.dataset.figure);
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
  places.forEach(function (place) { near.observe(place); });
  window.addEventListener('beforeprint', function () {
    places.filter(function (place) { return place.offsetParent !== null; }).forEach(draw);
  });
})();
