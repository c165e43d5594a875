/* What only the browser can do: say whether it shows dark and is narrow, and lead keys to the page's own controls.
   Nothing of it comes from data; it clicks what is on screen, or puts the keyboard there. */
export default function ({data, setTriggerValue}) {
  window.midwatchWidth ??= matchMedia('(max-width: 720px)');
  const fit = () => {
    const narrow = window.midwatchWidth.matches;
    if (narrow !== data.narrow) { setTriggerValue('narrow', narrow); }
  };
  window.midwatchWidth.onchange = fit;
  fit();
  if (window.midwatchKeys) { return; }
  window.midwatchKeys = true;
  const root = document.documentElement;
  const tell = () => {
    const app = document.querySelector('[data-testid=stApp]');
    root.dataset.midwatch = app && getComputedStyle(app).colorScheme === 'dark' ? 'dark' : 'light';
  };
  tell();
  new MutationObserver(tell).observe(document.head, {childList: true, subtree: true});
  new MutationObserver(tell).observe(document.body, {attributes: true, subtree: true, attributeFilter: ['class']});
  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element && event.target.closest('[class*="st-key-png-"]');
    const of = button && [...button.classList].find((name) => name.startsWith('st-key-png-'));
    const panel = of && document.querySelector('.' + CSS.escape(of.replace('-png-', '-panel-')));
    if (panel) {
      panel.querySelector('.modebar-btn[data-title*="ownload plot"]')?.click();
      document.dispatchEvent(new CustomEvent('midwatch-picture', {detail: {panel}}));
    }
  });
  const writes = (at) => at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    if (event.target instanceof HTMLElement && writes(event.target) && event.target.type !== 'range') { return; }
    if (event.key === '/') {
      const open = () => document.querySelector('.st-key-search input');
      if (!open() || !open().checkVisibility()) {
        document.querySelector('[data-testid=stExpandSidebarButton]')?.click();
      }
      event.preventDefault();
      requestAnimationFrame(() => open()?.focus());
    } else if (/^[1-8]$/.test(event.key)) {
      const tabs = document.querySelectorAll('[data-testid=stMain] [role=tab]');
      const places = tabs.length ? tabs : document.querySelectorAll('[data-testid=stSidebarNavLink]');
      places[event.key - 1]?.click();
    }
  });
}
