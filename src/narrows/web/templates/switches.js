(function () {
  var root = document.documentElement;
  function keep(key, value) { try { localStorage.setItem('narrows-' + key, value); } catch (e) { /* private window */ } }
  function show() {
    var lang = root.dataset.lang;
    root.lang = lang === 'zh' ? 'zh-CN' : 'en';
    document.querySelectorAll('[data-' + lang + ']').forEach(function (node) {
      var text = node.getAttribute('data-' + lang);
      if (node.tagName === 'TITLE') document.title = text;
      else node.setAttribute(node.tagName === 'IMG' ? 'alt' : 'aria-label', text);
    });
    document.querySelectorAll('[data-set-lang]').forEach(function (button) {
      button.setAttribute('aria-pressed', String(button.dataset.setLang === lang));
    });
  }
  document.querySelectorAll('[data-set-lang]').forEach(function (button) {
    button.addEventListener('click', function () {
      root.dataset.lang = button.dataset.setLang;
      keep('lang', root.dataset.lang);
      show();
    });
  });
  document.getElementById('theme').addEventListener('click', function () {
    var system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
    root.dataset.theme = (root.dataset.theme || system) === 'dark' ? 'light' : 'dark';
    keep('theme', root.dataset.theme);
  });
  show();
})();
