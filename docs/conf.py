"""The site: `sphinx-build -W docs build/site`.

Pages are Markdown; a page for each verb is made from the command line's parser, and the Python
reference from the docstrings, when the site is built, so neither can be out of date.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from make_reference import write_verbs

import tamecheck

project = "tamecheck"
author = "the tamecheck developers"
version = release = tamecheck.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["recheck"]
html_theme = "furo"
html_title = f"tamecheck {release}"
html_static_path: list[str] = []
smartquotes = False  # options begin with two hyphens
html_show_sourcelink = False
html_copy_source = False
html_domain_indices = False

myst_enable_extensions = ["dollarmath", "attrs_block"]
myst_heading_anchors = 3
# files beside docs/ are shown where the repository is read; here their names are text
suppress_warnings = ["myst.xref_missing"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
# transcripts hold prompts, ellipses and outputs that are no shell
pygments_style = "friendly"
highlight_language = "text"

write_verbs(Path(__file__).parent / "reference" / "verbs")
