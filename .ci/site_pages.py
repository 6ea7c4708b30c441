"""MkDocs hook: the repository's pages, as they are, become those of the site.

The first page is README. What a page links to outside of ``docs/`` comes along: a Markdown file as
a page, every other file as a page that shows it. Links are written for the repository, and are
made to lead to the same places on the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
HOME = "README.md"
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)(#[^)\s]+)?(?=\))")
LANGUAGES = {
    ".json": "json",
    ".py": "python",
    ".service": "ini",
    ".socket": "ini",
    ".toml": "toml",
    ".yaml": "yaml",
}


def site_path(name: str) -> str:
    """Return where on the site a file or folder of the repository is. What a folder's README is
    about is the folder; MkDocs would take such a name for the first page of a section."""
    if name == HOME:
        return "index.md"
    name = name.removeprefix("docs/").replace("/README.md", ".md")
    return name if name.endswith(".md") else f"{name}.md"


def links(name: str) -> set[str]:
    """Return the files and folders of the repository that a page links to."""
    folder = posixpath.dirname(name)
    found = {
        posixpath.normpath(posixpath.join(folder, target))
        for target, _ in LINK.findall((ROOT / name).read_text())
    }
    return {target for target in found if (ROOT / target).exists()}


def brought_along() -> set[str]:
    """Return what the pages link to outside of ``docs/``, and what these link to."""
    seen: set[str] = set()
    ahead = {HOME, *(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))}
    while ahead:
        seen |= ahead
        pages = {name for name in ahead if name.endswith(".md")}
        ahead = {target for page in pages for target in links(page)} - seen
    return {name for name in seen if not name.startswith("docs/")}


def shown(name: str) -> str:
    """Return a page that shows a file, or the files of a folder."""
    path = ROOT / name
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    parts = [f"# {name}"]
    for each in files:
        if path.is_dir():
            parts.append(f"## {each.name}")
        parts.append(f"````{LANGUAGES.get(each.suffix, 'text')}\n{each.read_text().rstrip()}\n````")
    return "\n\n".join([*parts, ""])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is brought along."""
    for name in sorted(brought_along()):
        content = (ROOT / name).read_text() if name.endswith(".md") else shown(name)
        files.append(File.generated(config, site_path(name), content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links of a page lead to the same places on the site."""
    here = page.file.src_uri
    names = {site_path(name): name for name in brought_along()}
    folder = posixpath.dirname(names.get(here, f"docs/{here}"))

    def on_site(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        if not (ROOT / target).exists():
            return link[0]  # MkDocs says what is wrong
        return posixpath.relpath(site_path(target), posixpath.dirname(here)) + (link[2] or "")

    return LINK.sub(on_site, markdown)
