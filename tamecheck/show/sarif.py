"""Answers as a SARIF log (version 2.1.0), which code hosts show beside the files they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

import tamecheck

Level: TypeAlias = Literal["error", "warning", "note", "none"]

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
"""What the log says that it obeys."""
_RULES: Mapping[str, tuple[str, str, Level]] = {
    "not-tame": ("NotTame", "The model is not definable in any o-minimal structure.", "error"),
    "violated": ("PropertyViolated", "An input of the region violates the property.", "error"),
    "unknown": ("Undecided", "The question was not decided.", "none"),
    "error": ("Failed", "The question could not be asked.", "error"),
}
"""By verdict: the name of its rule, what it says, and how grave it is."""

_PASSED = ("tame", "locally-tame", "holds")


def sarif_log(answers: Sequence[tuple[Mapping[str, str], Mapping[str, Any]]]) -> dict[str, Any]:
    """The log of answers, each with the files that it is about, the model first."""
    verdicts = [_verdict(answer) for _, answer in answers]
    rules = list(_RULES)
    results = [
        _result(word, rules.index(word), files, answer)
        for word, (files, answer) in zip(verdicts, answers, strict=True)
        if word in _RULES
    ]
    driver = {
        "name": "tamecheck",
        "version": tamecheck.__version__,
        "rules": [_rule(word) for word in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": "error" not in verdicts}],
        "results": results,
        # code hosts show every result as something to mend, so what passes is only counted
        "properties": {word: verdicts.count(word) for word in (*_PASSED, *_RULES)},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _verdict(answer: Mapping[str, Any]) -> str:
    found: Any = answer.get("verdict")
    if found in _PASSED or found in _RULES:
        return found
    return "error" if "error" in answer else "unknown"


def _rule(word: str) -> dict[str, Any]:
    name, text, level = _RULES[word]
    return {
        "id": word,
        "name": name,
        "shortDescription": {"text": text},
        "defaultConfiguration": {"level": level},
    }


def _result(
    word: str, index: int, files: Mapping[str, str], answer: Mapping[str, Any]
) -> dict[str, Any]:
    level = _RULES[word][2]
    places = [_place(path) for path in files.values()]
    found: dict[str, Any] = {
        "ruleId": word,
        "ruleIndex": index,
        # the standard: of anything but a failure the level is none
        "kind": "open" if level == "none" else "fail",
        "level": level,
        "message": {"text": _message(word, answer)},
        "locations": places[:1],
    }
    if places[1:]:
        found["relatedLocations"] = [
            {"id": number, **place} for number, place in enumerate(places[1:], start=1)
        ]
    kept = ("verdict", "structure", "rests_on", "certificate", "exit_code", "witness")
    found["properties"] = {key: answer[key] for key in kept if answer.get(key) is not None}
    return found


def _message(word: str, answer: Mapping[str, Any]) -> str:
    for key in ("error", "reason", "summary"):
        if isinstance(answer.get(key), str) and answer[key]:
            return answer[key]
    return _RULES[word][1]


def _place(path: str) -> dict[str, Any]:
    """A file; from the folder of the run on, as code hosts want it, where it is below."""
    absolute = PurePath(path).is_absolute()
    if absolute and Path(path).is_relative_to(Path.cwd()):
        path, absolute = str(Path(path).relative_to(Path.cwd())), False
    uri = Path(path).as_uri() if absolute else quote(PurePath(path).as_posix())
    return {"physicalLocation": {"artifactLocation": {"uri": uri}}}
