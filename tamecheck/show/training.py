"""What is said of a table and of a training, in lines."""

from __future__ import annotations

from collections import Counter

from tamecheck.loaders.tables.forms import is_days, said, unit_of
from tamecheck.loaders.tables.rows import Table

_LISTED = 60
_SHOWN = 5


def columns_text(table: Table) -> str:
    """The types of the columns in a sentence: numbers and days with their ranges, categories."""
    found: list[str] = []
    for number, column in enumerate(table.columns[:_LISTED]):
        name, values = column.name, table.rows[:, number].tolist()
        if column.categories is not None:
            shown = ", ".join(column.categories[:_SHOWN])
            more = ", …" if len(column.categories) > _SHOWN else ""
            found.append(f"{name} is one of {len(column.categories)} categories ({shown}{more})")
        else:
            kind, unit = "a day" if is_days(column.form) else "a number", unit_of(column.form)
            low, high = (said(end, column.form, unit) for end in (min(values), max(values)))
            found.append(f"{name} is {kind} ({low} to {high})")
    if len(table.columns) > _LISTED:
        found.append(f"{len(table.columns) - _LISTED} more")
    if table.target:
        counts = Counter(map(str, table.labels.tolist())).most_common()
        shown = ", ".join(f"{name} {count}" for name, count in counts[:_SHOWN])
        more = ", …" if len(counts) > _SHOWN else ""
        found.append(f"the label {table.target} is {shown}{more}")
    return "; ".join(found)
