// A search box for the documentation opened from disk, where a browser lets no page fetch the index of the theme's own search. The index comes
// as a script instead, which docs/site.py writes. On a server the theme's search serves, and nothing here runs.

function found(entries, query, most = 20) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const scored = [];
  for (const entry of entries) {
    const title = entry.title.toLowerCase(), text = entry.text.toLowerCase();
    if (!words.every((word) => title.includes(word) || text.includes(word))) continue;
    const inTitle = words.filter((word) => title.includes(word)).length;
    scored.push([10 * inTitle + (title === words.join(" ") ? 20 : 0) - title.length / 1000, entry]);
  }
  return scored.sort((a, b) => b[0] - a[0]).slice(0, most).map((pair) => pair[1]);
}

function plain(html) {
  const text = html.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, "&");
}

function excerpt(entry, query) {
  const text = plain(entry.text);
  const at = Math.max(0, text.toLowerCase().indexOf(query.toLowerCase().split(/\s+/)[0]) - 40);
  return text.slice(at, at + 140);
}

function searchBox() {
  const base = new URL(JSON.parse(document.getElementById("__config").textContent).base + "/", location.href);
  const input = document.createElement("input"), list = document.createElement("div");
  input.type = "search";
  input.placeholder = "Search";
  input.setAttribute("aria-label", "Search the documentation");
  input.style.cssText = "font: inherit; font-size: 0.7rem; padding: 0.3rem 0.5rem; width: 11rem; max-width: 40vw; border: 0; border-radius: 0.2rem";
  list.style.cssText =
    "position: absolute; top: 100%; right: 0; width: min(32rem, 100vw); max-height: 80vh; overflow: auto; display: none; padding: 0.6rem; " +
    "background: var(--md-default-bg-color); color: var(--md-default-fg-color); box-shadow: 0 0.3rem 1rem #0005; font-size: 0.7rem";
  input.addEventListener("input", () => {
    const results = found(typeof __index === "undefined" ? [] : __index.docs, input.value);
    list.replaceChildren(...results.map((entry) => {
      const link = document.createElement("a"), title = document.createElement("strong"), text = document.createElement("div");
      link.href = new URL(entry.location, base);
      link.style.cssText = "display: block; padding: 0.4rem 0; color: inherit";
      title.textContent = plain(entry.title);
      text.textContent = excerpt(entry, input.value);
      link.append(title, text);
      return link;
    }));
    if (!results.length) list.textContent = "Nothing found";
    list.style.display = input.value.trim() ? "block" : "none";
  });
  const index = document.createElement("script");
  index.src = new URL("search/search_index.js", base);
  document.querySelectorAll(".md-search").forEach((own) => own.remove());
  document.querySelector(".md-header__inner").append(input);
  document.querySelector(".md-header").append(list);
  document.head.append(index);
}

if (typeof module !== "undefined") module.exports = { found, excerpt };
else if (location.protocol === "file:") document.addEventListener("DOMContentLoaded", searchBox);
