"""Errors of estimators: of our family, and of the type that scikit-learn's users expect."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from tamecheck.errors import InputError

__all__ = ["DataError", "data_errors"]


class DataError(InputError, ValueError):
    """Data or parameters that cannot be trained on; a ``ValueError``, as in scikit-learn."""

    def __str__(self) -> str:
        # scikit-learn's own texts have several lines, which its tools look for
        return self.what if not self.hint else f"{self.what} {self.hint}"


@contextmanager
def data_errors() -> Generator[None]:
    """Turn the ``ValueError`` of scikit-learn's validation into a `DataError` of the same text."""
    try:
        yield
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from None
