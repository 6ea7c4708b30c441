"""Old commands and code in the fenced blocks of documents; only asked for with ``--docs``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate import formats, names
from nymproxy_migrate.finders import commands, go, log_scrapes, rust
from nymproxy_migrate.formats import markdown
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Action, Finding, SourceFile, Unparsable
from nymproxy_migrate.rewrite.commands import NAME
from nymproxy_migrate.rules import nym080, nym090

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy_migrate.options import ScanOptions

_API = re.compile(rb"\bNymProxy(?:Client|Server)\b")
_CODE: dict[str, Callable[[SourceFile, ScanOptions], Iterator[Finding]]] = {
    "block.rs": rust.find,
    "block.go": go.find,
    "block.sh": log_scrapes.find,
    "block.py": log_scrapes.find,
}


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield what the blocks of a document show of the old proxies."""
    if not options.docs:
        return
    # A document is read by somebody else, elsewhere: no path of this machine helps there.
    options = replace(options, program=options.program or NAME)
    for block in markdown.find(Text.whole(source.data)):
        found = list(_in_block(block, source, options))
        # An excerpt need not be a whole file: what is there counts, not what is missing.
        understood = [each for each in found if each.code != nym090.RULE.code]
        for finding in understood:
            if finding.action is not Action.INFO:
                yield nym080.in_document(finding)
        named = _api_in(block)
        if named is None and found:
            named = names.first_mention(block.text.data)
        if not understood and named is not None:
            yield nym080.excerpt(source, block.text.span(named, len(block.text.data)))


def _api_in(block: markdown.Block) -> int | None:
    """Return where Rust names the old types, which it need not have imported in an excerpt."""
    if not block.name.endswith(".rs") or b"nymproxy" in block.text.data:
        return None
    found = _API.search(block.text.data)
    return None if found is None else found.start()


def _in_block(block: markdown.Block, source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    try:
        for found in formats.find_in_text(block.name, block.text):
            yield from commands.findings_in(found, source, options)
        code = _CODE.get(block.name)
        if code is not None:
            alone = SourceFile(block.name, markdown.alone(block, len(source.data)))
            for finding in code(alone, options):
                yield replace(finding, path=source.path)
    except Unparsable as error:
        yield nym090.at(source, error.offset, str(error))
