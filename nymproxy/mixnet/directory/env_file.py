"""From an env file and an environment to network details.

:func:`read_env_file` follows ``setup_env`` and ``new_from_env`` of nym-network-defaults 1.21.6
(src/env_setup.rs, src/network.rs) to the letter, so that tools can say what a Rust program does;
vectors: tests/vectors/directory.json, ``env_files``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NoReturn, TypeVar

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.directory.details import MAINNET, ApiUrl, NetworkDetails, NetworkWarning
from nymproxy.mixnet.directory.dotenv import Assignment, assignments
from nymproxy.mixnet.directory.url_text import normalise_url

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_DEPRECATED = {"NYMD_VALIDATOR": "NYXD", "API_VALIDATOR": "NYM_API"}
_U32 = re.compile(r"\+?0*[0-9]{1,10}")
_UNQUOTED_LIST = re.compile(
    r"""(?P<head>\s*(?:export\s+)?(?P<key>NYM_APIS|NYM_VPN_APIS)\s*=\s*)"""
    r"""(?P<json>\[[^']*"[^']*\])\s*(?:\s\#.*)?"""
)


def _api_list_json(urls: tuple[ApiUrl, ...]) -> str:
    return json.dumps([{"url": api.url, "front_hosts": api.front_hosts} for api in urls])


# Only what can change the outcome; every other variable just has some default.
_MAINNET_VARIABLES = {
    "NETWORK_NAME": MAINNET.network_name,
    "DENOMS_EXPONENT": "6",
    "NYXD": MAINNET.nyxd_url,
    "NYM_API": MAINNET.nym_api_urls[0].url,
    "NYM_APIS": _api_list_json(MAINNET.nym_api_urls),
    "NYM_VPN_APIS": "[]",
}


def read_env_file(text: str | None, environ: Mapping[str, str]) -> NetworkDetails:
    """Tell which network a Rust program uses with this env file in this environment.

    Args:
        text: the file's content, or ``None`` when no file is given.
        environ: the process environment. It is not changed.

    Raises:
        ConfigurationError: the Rust program panics.
    """
    if text is None and "CONFIGURED" not in environ:
        return MAINNET  # even over exported variables
    variables = dict(environ)
    if text is not None:
        _load(text, variables, apply="CONFIGURED" not in environ)
    return _details(variables)


def read_env_file_leniently(text: str | None, environ: Mapping[str, str]) -> NetworkDetails:
    """As :func:`read_env_file`, but read two common mistakes as they were meant.

    Returns:
        The details, with one warning for each mistake, or one for a file that was not loaded.

    Raises:
        ConfigurationError: the file is malformed otherwise, or describes no network.
    """
    if text is None:
        return read_env_file(None, environ)
    variables = dict(environ)
    text, unquoted = _quote_json(text)
    if "CONFIGURED" in environ:
        _load(text, variables, apply=False)
        return _details(variables, (_FILE_NOT_LOADED,))
    from_file = _load(text, variables, apply=True)
    warnings = [_unquoted_json(key) for key in unquoted if key not in environ]
    names_one = from_file & {"NYM_API", "API_VALIDATOR"}
    if names_one and any(map(variables.get, names_one)) and "NYM_APIS" not in variables:
        variables["NYM_APIS"] = ""
        warnings.append(_NYM_API_SHADOWED)
    return _details(variables, tuple(warnings))


_FILE_NOT_LOADED = NetworkWarning(
    "file-not-loaded",
    "the env file was not loaded, because CONFIGURED is set in the environment: unset it to use"
    " the file",
)
_NYM_API_SHADOWED = NetworkWarning(
    "nym-api-shadowed",
    "the env file sets NYM_API without NYM_APIS; it is used here, but the Rust programs go to"
    " mainnet: add the line NYM_APIS=",
)


def _unquoted_json(key: str) -> NetworkWarning:
    return NetworkWarning(
        "unquoted-json",
        f"the env file has JSON without single quotes in {key}; it is read as it was meant here,"
        " but the Rust programs refuse it: put it between single quotes",
    )


def _load(text: str, variables: dict[str, str], *, apply: bool) -> set[str]:
    """Add a file's assignments to ``variables``; the first of a variable wins.

    A file that is not applied is still read by the Rust programs, to log it, and so must be well
    formed.

    Returns:
        The variables that the file assigns.
    """
    if text.startswith("\ufeff"):
        # Loading would skip it, but the second reading, for the log, stumbles over it.
        raise ConfigurationError("the env file starts with a byte order mark: save it without")
    scope = variables if apply else dict(variables)
    keys = set()
    for assignment in assignments(text, scope):
        keys.add(assignment.key)
        if assignment.key not in scope:
            _refuse_nul(assignment)
            scope[assignment.key] = assignment.value
    return keys


def _refuse_nul(assignment: Assignment) -> None:
    if "\0" in assignment.value:
        raise ConfigurationError(
            f"line {assignment.line_number} of the env file holds a NUL character"
        )


def _quote_json(text: str) -> tuple[str, list[str]]:
    """Put single quotes around JSON lists that stand in an API list variable without any.

    Returns:
        The text, and the variables that were changed.
    """
    lines = text.split("\n")
    changed = []
    for index, line in enumerate(lines):
        match = _UNQUOTED_LIST.fullmatch(line)
        if match is not None and _is_json_list(match["json"]):
            lines[index] = f"{match['head']}'{match['json']}'"
            changed.append(match["key"])
    return "\n".join(lines), changed


def _is_json_list(text: str) -> bool:
    try:
        parse_api_urls("", text)
    except ConfigurationError:
        return False
    return True


def _details(
    variables: Mapping[str, str], warnings: tuple[NetworkWarning, ...] = ()
) -> NetworkDetails:
    variables = dict(variables)
    for old, new in _DEPRECATED.items():
        if old in variables:
            variables.setdefault(new, variables[old])
    variables = {**_MAINNET_VARIABLES, **variables}
    urls = _read_list("NYM_APIS", variables) or (_legacy_nym_api(variables),)
    _read_list("NYM_VPN_APIS", variables)
    exponent = variables["DENOMS_EXPONENT"]
    if not _U32.fullmatch(exponent) or int(exponent.lstrip("+0") or "0") >= 1 << 32:
        raise ConfigurationError("DENOMS_EXPONENT is no number below 2^32")
    return NetworkDetails(variables["NETWORK_NAME"], urls, variables["NYXD"], warnings)


def _read_list(key: str, variables: Mapping[str, str]) -> tuple[ApiUrl, ...]:
    text = variables[key]
    return parse_api_urls(key, text) if text else ()


def _legacy_nym_api(variables: Mapping[str, str]) -> ApiUrl:
    text = variables["NYM_API"]
    if not text:
        raise ConfigurationError("neither NYM_APIS nor NYM_API is set: set one of them")
    return ApiUrl(normalise_url(text))


def parse_api_urls(key: str, text: str) -> tuple[ApiUrl, ...]:
    """Read the JSON list of an API list variable, as strictly as the Rust programs do.

    Raises:
        ConfigurationError: no JSON, or of another shape.
    """
    try:
        text.encode()
        parsed = json.loads(text, object_pairs_hook=_unique_fields, parse_constant=_refuse)
        return tuple([_api_url(item) for item in _require(parsed, list)])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f"{key} is set but is no JSON list of URLs; in an env file it needs single quotes"
            """ around it: '[{"url":"http://127.0.0.1:8000/api/"}]'"""
        ) from error


def _api_url(item: object) -> ApiUrl:
    if isinstance(item, list):  # serde reads a struct from a list of its fields, too
        url, fronts = item
    else:
        fields = _require(item, dict)
        url, fronts = fields["url"], fields.get("front_hosts")
    if fronts is not None:
        fronts = tuple([_text(front) for front in _require(fronts, list)])
    return ApiUrl(_text(url), fronts)


def _text(value: object) -> str:
    text = _require(value, str)
    text.encode()  # refuses lone surrogates, which JSON escapes can make
    return text


def _require(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}")
    return value


def _unique_fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    for name in ("url", "front_hosts"):
        if sum(key == name for key, _ in pairs) > 1:
            raise ValueError(f"the field {name} occurs twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
