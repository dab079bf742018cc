"""The feedback page: usage reports as bars, tables, and CSV. Counts only.

Users' comments may describe patients; only the command-line export has them.
"""

import re
from collections.abc import Mapping
from datetime import date

from flask import Flask, Response, request

from cds_service.errors import RequestError
from cds_service.hooks.client_names import WORKBENCH
from cds_service.hooks.feedback import DayRange
from cds_service.library import Library
from cds_service.operations import feedback_report
from cds_service.store import feedback as stored
from cds_service.store import shown
from cds_service.store.database import Store
from cds_service.web import feedback_bars, feedback_words
from cds_service.web.pages import CONTENT_SECURITY_POLICY, rendered

# The form that selects the days submits to this same page.
POLICY = CONTENT_SECURITY_POLICY.replace("form-action 'none'", "form-action 'self'")
BOUNDS = ("since", "until")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def days_of(given: Mapping[str, str]) -> tuple[DayRange, list[str]]:
    """The requested days, and a sentence for each fault; the days leave out a faulty bound.

    ``given`` may have ``since`` and ``until``, each as 2026-11-25, both included; an empty bound is open.
    """
    found: dict[str, date] = {}
    faults = []
    for name in BOUNDS:
        text = given.get(name, "").strip()
        if not text:
            continue
        try:
            if not _DAY.fullmatch(text):
                raise ValueError
            found[name] = date.fromisoformat(text)
        except ValueError:
            faults.append(feedback_words.no_day(name))
    if len(found) == len(BOUNDS) and found["until"] < found["since"]:
        faults.append(feedback_words.LAST_BEFORE_FIRST)
        found = {}
    return DayRange(**found), faults


def of_workbench(given: Mapping[str, str]) -> bool:
    """Whether the request is for feedback on the workbench's demo calls."""
    return given.get("of") == WORKBENCH


def register(app: Flask, library: Library, store: Store) -> None:
    """Add ``/feedback`` and ``/feedback.csv``, and a link to the page in the head of every page.

    Both show feedback from EHRs or, with ``?of=workbench``, on the workbench's demo calls; never both together.
    """
    app.jinja_env.globals["feedback_kept"] = True
    titles = {policy.id: policy.title for policy in library.policies}

    def report(days: DayRange) -> feedback_report.FeedbackReport:
        demo = of_workbench(request.args)
        kept, counts = stored.kept(store, days, workbench=demo), shown.counts(store, days, workbench=demo)
        return feedback_report.report(days, kept, counts, library.reason_label, workbench=demo)

    @app.get("/feedback")
    def feedback_page() -> Response:
        days, faults = days_of(request.args)
        return rendered(
            "feedback.html",
            "./",
            400 if faults else 200,
            POLICY,
            days=days,
            faults=faults,
            found=None if faults else report(days),
            bars=feedback_bars,
            percent=feedback_report.percent,
            titles=titles,
            demo=of_workbench(request.args),
        )

    @app.get("/feedback.csv")
    def feedback_csv() -> Response:
        days, faults = days_of(request.args)
        if faults:
            raise RequestError(400, "value", " ".join(faults))
        answer = Response(feedback_report.as_csv(report(days)), content_type="text/csv; charset=utf-8")
        name = "feedback-workbench.csv" if of_workbench(request.args) else "feedback.csv"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer
