"""One HTML page with everything that is known of a model, to hand to someone else."""

from tamecheck.report.document import SECTIONS, Report, make_report
from tamecheck.report.subject import Subject, subject_of

__all__ = ["SECTIONS", "Report", "Subject", "make_report", "subject_of"]
