"""Numbers as tables write them: plain, in groups of thousands, percentages, money, and days.

A column is of numbers where all of its cells are written in one form.  A percentage is its number
of hundredths (``5%`` is 5), money its amount, a day its number in the calendar, so that days are
ordered.  Texts of numbers are kept as decimals until somebody wants floats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeAlias, cast

import numpy as np

Decimal: TypeAlias = Literal[".", ","]

_GROUPED = {
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?", re.ASCII),
}
_COMMA = re.compile(r"[+-]?\d*,?\d+", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_MONEY = "$€£¥₹"
_BEFORE = re.compile(rf"([+-]?)\s*([{_MONEY}])\s*([+-]?)(?=[\d.,])(.*)", re.DOTALL)
_AFTER = re.compile(rf"(.*[\d.,])\s*([{_MONEY}%])", re.DOTALL)
_ISO = "%Y-%m-%d"
_DAYS = (_ISO, "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
_LOOKS = {
    **dict.fromkeys(_DAYS[:1], re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)),
    **dict.fromkeys(_DAYS[1:2], re.compile(r"\d{4}/\d{1,2}/\d{1,2}", re.ASCII)),
    **dict.fromkeys(_DAYS[2:3], re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}", re.ASCII)),
    **dict.fromkeys(_DAYS[3:5], re.compile(r"\d{1,2}/\d{1,2}/\d{4}", re.ASCII)),
    **dict.fromkeys(_DAYS[5:7], re.compile(r"\d{1,2}-\d{1,2}-\d{4}", re.ASCII)),
}
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(?:Z| ?[+-]\d{2}:?\d{2})?", re.ASCII
)
_DATE = "date:"


def is_days(form: str) -> bool:
    """Whether the numbers of this form are days."""
    return form.startswith(_DATE)


def unit_of(form: str) -> str:
    """The unit in which such numbers are: ``%``, ``$``; days and plain numbers have none."""
    return "" if is_days(form) else form


def number_text(cell: Any, form: str = "", decimal: Decimal = ".") -> str | None:
    """A number of this form as a plain decimal; None for what is none."""
    if is_days(form):
        found = _day(str(cell), form.removeprefix(_DATE))
        return None if found is None else str(found.toordinal())
    if not isinstance(cell, str):
        return _plain(cell) if not form else None
    text = cell.strip()
    if form:
        if form_of_unit(text) != form:
            return None
        text = _without_unit(text)
    group = "," if decimal == "." else "."
    if group in text:
        if not _GROUPED[decimal].fullmatch(text):
            return None
        text = text.replace(group, "")
    text = text if decimal == "." else text.replace(",", ".")
    try:
        return None if math.isnan(float(text)) or "_" in text else text
    except ValueError:
        return None


def _plain(cell: Any) -> str | None:
    """A number that is no text, as the decimal that it is exactly, or to the last digit of it."""
    try:
        if isinstance(cell, int | np.integer):
            return str(int(cast("int", cell)))
        number = float(cell)
    except (TypeError, ValueError):
        return None
    except OverflowError:
        return "inf"
    return None if math.isnan(number) else repr(number)


def number_of(cell: Any, form: str = "", decimal: Decimal = ".") -> float | None:
    """A cell as a float, infinite where it is beyond all floats; None if it is no number."""
    text = number_text(cell, form, decimal)
    return None if text is None else float(text)


def is_exact(text: str) -> bool:
    """Whether a float is the number that a plain decimal says, if that is written as an integer."""
    if not _WHOLE.fullmatch(text) or len(text) < 16:
        return True
    return len(text) < 320 and int(float(text)) == int(text)


def form_of(cells: Sequence[Any], decimal: Decimal = ".") -> str | None:
    """The form in which all cells are numbers, empty for plain ones; None if there is none.

    Truth values are words: what a frame calls True is what its CSV file calls True.  Days of which
    nobody can tell whether the day or the month comes first are no numbers.
    """
    if any(isinstance(cell, bool | np.bool_) for cell in cells):
        return None
    if not cells:
        return ""
    form = form_of_unit(cells[0]) if isinstance(cells[0], str) else ""
    if all(number_text(cell, form, decimal) is not None for cell in cells):
        return form
    days = [day for day in _DAYS if all(_day(str(cell), day) is not None for cell in cells)]
    if not days or is_ambiguous_day(cells):
        return None
    return f"{_DATE}{days[0]}"


def is_ambiguous_day(cells: Sequence[Any]) -> bool:
    """Whether all cells are days, and nobody can tell whether the day or the month comes first."""
    return bool(cells) and any(
        all(_day(str(cell), day) is not None for cell in cells for day in pair)
        and any(_day(str(cell), pair[0]) != _day(str(cell), pair[1]) for cell in cells)
        for pair in ((_DAYS[3], _DAYS[4]), (_DAYS[5], _DAYS[6]))
    )


def may_be_decimal_comma(cells: Iterable[Any]) -> bool:
    """Whether cells look like numbers with a decimal comma, or with groups that look the same."""
    texts = [_without_unit(cell.strip()) for cell in cells if isinstance(cell, str)]
    commas = [text for text in texts if "," in text]
    return bool(commas) and all(_COMMA.fullmatch(text) for text in texts)


def has_time(cells: Iterable[Any]) -> bool:
    """Whether days have times beside them that are not midnight."""
    found = (_TIME.fullmatch(str(cell).strip()) for cell in cells)
    return any(m is not None and m[2].strip("0:.") != "" for m in found)


def said(value: float, form: str, unit: str = "") -> str:
    """A number in words: a day as a date, another number in few digits and with its unit."""
    if is_days(form):
        day = math.ceil(value)
        if 1 <= day <= date.max.toordinal():
            return date.fromordinal(day).isoformat()
    return f"{short(value)} {unit}".strip()


def short(value: float) -> str:
    """A number in few digits that are still the number."""
    return f"{value:.12g}" if float(f"{value:.12g}") == value else repr(value)


def form_of_unit(text: str) -> str:
    """The ``%`` or the currency that stands at a number, or nothing."""
    found = _BEFORE.fullmatch(text.strip()) or _AFTER.fullmatch(text.strip())
    return "" if found is None else found[2]


def _without_unit(text: str) -> str:
    before, after = _BEFORE.fullmatch(text), _AFTER.fullmatch(text)
    if before is not None:
        return text if before[1] and before[3] else f"{before[1]}{before[3]}{before[4]}"
    return text if after is None else after[1]


def _day(text: str, form: str) -> date | None:
    """The day of a text; one of ISO 8601, perhaps with a time, is understood in every form."""
    text = text.strip()
    timed = _TIME.fullmatch(text)
    for known in dict.fromkeys((form, _ISO)):
        said = timed[1] if timed is not None and known == _ISO else text
        if _LOOKS[known].fullmatch(said):
            try:
                return datetime.strptime(said, known).date()  # noqa: DTZ007  # a day has no zone
            except ValueError:
                return None
    return None
