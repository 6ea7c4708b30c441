"""Commands in YAML: walks a document and asks the module of each shape that it meets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import ansible, ci, compose, kubernetes
from nymproxy_migrate.formats.yaml_nodes import Document, get, text_value
from nymproxy_migrate.formats.yaml_words import embedded_file
from nymproxy_migrate.model import BinarySource, Unparsable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text
    from nymproxy_migrate.formats.yaml_nodes import YamlNode as Node


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of every document of a YAML file.

    Raises:
        Unparsable: it is not YAML.
    """
    document = Document(text)
    for root in document.roots():
        yield from _Walker(document, root).walk(root)


_OUR_IMAGE = re.compile(rb"image:[ \t]*[\"']?[^\s\"']*nymproxy")


class _Walker:
    def __init__(self, document: Document, root: Node) -> None:
        self._document = document
        services = get(root, "services") if root.id == "mapping" else None
        self._is_compose = services is not None and services.id == "mapping"
        # An override file names services without their image.
        self._services = (
            {id(value) for _, value in services.value if value.id == "mapping"}
            if services is not None and self._is_compose
            else set()
        )
        self._seen: set[int] = set()

    def walk(self, root: Node) -> Iterator[Found]:
        """Yield what stands below a node; aliases lead to nodes that were seen already."""
        stack = [root]
        while stack:
            node = stack.pop()
            if id(node) in self._seen or node.id == "scalar":
                continue
            self._seen.add(id(node))
            if node.id == "sequence":
                stack += reversed(node.value)
                continue
            try:
                yield from self._mapping(node)
            except Unparsable as error:
                yield error
            stack += [value for _, value in reversed(node.value)]

    def _mapping(self, node: Node) -> Iterator[Found]:
        has_image = (
            id(node) in self._services
            or get(node, "image") is not None
            or get(node, "build") is not None
        )
        if self._is_compose and has_image:
            yield from compose.find(self._document, node)
        elif kubernetes.is_container(node):
            yield from kubernetes.find(self._document, node)
        else:
            yield from ansible.find(self._document, node)
            self._seen |= {id(value) for value in ansible.arguments(node)}
        if get(node, "image") is not None:
            for hook, found in kubernetes.hooks(self._document, node):
                self._seen.add(id(hook))
                yield from found
        yield from ci.find(self._document, node, has_image=has_image)
        yield from self._files(node)

    def _files(self, node: Node) -> Iterator[Found]:
        """Yield the commands of files that stand in the document: ConfigMaps, cloud-init, copy."""
        patch = get(node, "patch")
        if patch is not None and patch.id == "scalar":  # kustomize
            yield from embedded_file(self._document, patch, "patch.yaml")
        content = get(node, "content", "contents")
        target = text_value(get(node, "dest", "path", "target"))
        if content is not None and content.id == "scalar" and target:
            yield from embedded_file(self._document, content, target)
        data = get(node, "data", "stringData")
        if data is not None and data.id == "mapping":
            # Pods mount them: what they start comes from an image.
            ours = _OUR_IMAGE.search(self._document.text.data)
            binary = BinarySource.OWN_IMAGE if ours else BinarySource.IMAGE
            for key, value in data.value:
                if value.id == "scalar" and key.id == "scalar":
                    yield from embedded_file(self._document, value, key.value, binary)
