"""Settings files of other programs, each read as its program reads it: text in, settings out.

What a program would refuse gives nothing, or what stands before it. Files that a file includes are not read.
"""

import configparser
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_LINE = 4096  # characters; no path and no list of hosts is longer


@dataclass(frozen=True)
class Setting:
    section: str
    of: str  # what alone it counts for, such as the URL of a server; empty: for everything
    key: str
    value: str


def git(text: str) -> Iterator[Setting]:
    """git-config(1): sections with names in quotes, values with quotes, escapes and comments."""
    section = of = ""
    for line in _lines(text.replace("\\\r\n", "").replace("\\\n", ""), "#;"):
        begun = _GIT_SECTION.match(line)
        if begun:
            section, of = begun["section"].casefold(), re.sub(r"\\(.)", r"\1", begun["of"] or "")
        named = _GIT_KEY.match(line[begun.end() :].strip() if begun else line)
        if named:
            given = named["given"]
            yield Setting(section, of, _key(named["key"]), "true" if given is None else _git_value(given))


_GIT_SECTION = re.compile(r'\[\s*(?P<section>[\w.-]+)(?:\s+"(?P<of>(?:[^"\\]|\\.)*)")?\s*\]')
_GIT_KEY = re.compile(r"(?P<key>[A-Za-z][\w-]*)\s*(?:=(?P<given>.*))?$")
_GIT_PART = re.compile(r'\\(?P<escaped>.)|(?P<quote>")|(?P<comment>[#;])|(?P<plain>.)', re.DOTALL)
_GIT_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}


def _git_value(given: str) -> str:
    value, quoted, end = "", False, 0  # `end`: of what is not blank at the end, where it is not in quotes
    for part in _GIT_PART.finditer(given.strip()):
        if part["quote"]:
            quoted = not quoted
        elif part["comment"] and not quoted:
            break
        else:
            escaped = part["escaped"]
            value += part.group() if escaped is None else _GIT_ESCAPES.get(escaped, escaped)
        if quoted or not part.group().isspace():
            end = len(value)
    return value[:end]


def ini(text: str) -> Iterator[Setting]:
    """What pip and gcloud read with Python's own configparser; a value may go on in further lines."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string("\n".join(line for line in text.splitlines() if len(line) <= MAX_LINE))
    except configparser.Error:
        return
    for section in parser.sections():
        for key, value in parser.items(section):
            yield Setting(section.casefold(), "", _key(key), value.strip().strip("\"'"))


def npmrc(text: str) -> Iterator[Setting]:
    """npm's: no sections count, and a comment may end a line."""
    for line in _lines(text, "#;"):
        key, given, value = line.partition("=")
        value = value.strip()
        bare = value[1:-1] if re.fullmatch(r"\"[^\"]*\"|'[^']*'", value) else re.split("[;#]", value, maxsplit=1)[0]
        yield Setting("", "", _key(key), bare.strip() if given else "true")


def curlrc(text: str) -> Iterator[Setting]:
    """curl's: options with or without their dashes; a word by itself is switched on, with no- before it off."""
    for line in _lines(text, "#"):
        named = _CURL.match(line)
        if named:
            key = named["key"] if len(named["key"]) > 1 else _CURL_SHORT.get(named["key"], "")
            value = named["value"].strip()
            if value:
                yield Setting("", "", _key(key), value.strip('"'))
            else:
                yield Setting("", "", _key(key.removeprefix("no-")), str(not key.startswith("no-")).casefold())


_CURL = re.compile(r"-{0,2}(?P<key>[A-Za-z][\w.-]*)(?:\s*[=:]|\s|$)(?P<value>.*)")
_CURL_SHORT = {"k": "insecure"}

FORMATS: dict[str, Callable[[str], Iterator[Setting]]] = {"git": git, "ini": ini, "npmrc": npmrc, "curlrc": curlrc}


def _lines(text: str, comments: str) -> Iterator[str]:
    for line in text.splitlines():
        bare = line.strip()
        if bare and len(bare) <= MAX_LINE and bare[0] not in comments:
            yield bare


def _key(text: str) -> str:
    return text.strip().casefold().replace("_", "-")
