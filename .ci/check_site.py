"""Can a reader get everywhere on the built site, and does a browser stay there? `make docs` asks.

    python .ci/check_site.py SITE

From the first page on, every link is followed: page and heading have to be there, and no page may
be out of reach. No page may load anything from elsewhere. Every public name has an entry.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from public_types import MODULES

_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


@dataclass
class Page(HTMLParser):
    """What one page has and where it leads."""

    ids: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if _LOADED.get(tag) in given and given.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.add(given[_LOADED[tag]])


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text())
    return page


def faults_of(site: Path) -> list[str]:
    """Return what is wrong, a line each."""
    pages = {path: read(path) for path in site.rglob("*.html") if path.name != "404.html"}
    faults, seen, ahead = [], set(), [site / "index.html"]
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        name = path.relative_to(site)
        for loaded in pages[path].loaded:
            if urlsplit(loaded).scheme or urlsplit(loaded).netloc:
                faults.append(f"{name} loads {loaded}")
            elif not (path.parent / unquote(urldefrag(loaded).url.partition("?")[0])).exists():
                faults.append(f"{name} loads {loaded}, which is not there")
        for link in pages[path].links:
            if urlsplit(link).scheme:
                continue
            target, anchor = urldefrag(link)
            leads_to = (path.parent / unquote(target)).resolve() if target else path
            if leads_to.is_dir():
                leads_to /= "index.html"
            if leads_to not in pages:
                if not leads_to.exists():
                    faults.append(f"{name} links to {link}, which is not there")
            elif anchor and unquote(anchor) not in pages[leads_to].ids:
                faults.append(f"{name} links to {link}: there is no such heading")
            else:
                ahead.append(leads_to)
    faults += [f"{path.relative_to(site)} is out of reach" for path in sorted(pages.keys() - seen)]
    entries = {each for page in pages.values() for each in page.ids}
    for module in MODULES:
        names = importlib.import_module(module).__all__
        faults += [
            f"{module}.{name} is not in the reference"
            for name in names
            if f"{module}.{name}" not in entries and name != "__version__"
        ]
    return faults


def main() -> int:
    site = Path(sys.argv[1]).resolve()
    faults = faults_of(site)
    print("\n".join(faults) or f"{site}: every link leads somewhere, and nothing leads elsewhere")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
