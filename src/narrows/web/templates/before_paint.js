/* Before the first paint: the language and theme that were asked for, chosen before, or fit. */
(function () {
  var root = document.documentElement, asked = new URLSearchParams(location.hash.slice(1));
  function kept(key) { try { return localStorage.getItem('narrows-' + key); } catch (e) { return null; } }
  var lang = asked.get('lang') || kept('lang') || navigator.language || 'en';
  var theme = asked.get('theme') || kept('theme');
  root.dataset.script = '';
  root.dataset.lang = /^zh/i.test(lang) ? 'zh' : 'en';
  if (theme === 'dark' || theme === 'light') root.dataset.theme = theme;
})();
