"""Answers as text for people, HTML for notebooks and JSON for scripts."""

from __future__ import annotations

from tamecheck.show.text import check_html, check_line, check_text, print_check
from tamecheck.show.wording import check_json

__all__ = ["check_html", "check_json", "check_line", "check_text", "print_check"]
