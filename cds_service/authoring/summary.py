"""A report as lines for an author: errors, warnings, then one summary line or the places to fill in."""

from collections.abc import Iterator, Sequence

from cds_service.authoring.check import CheckReport
from cds_service.authoring.placeholders import guidance
from cds_service.authoring.problems import Problem, Severity, told_once


def lines(report: CheckReport) -> Iterator[tuple[Severity | None, str]]:
    """The lines of one folder's report, each with its severity (None for other lines)."""
    name = report.folder.name
    yield from problem_lines(report.problems, f"{name}/")
    if report.to_fill:
        yield from ((None, line) for line in guidance(report.folder, report.to_fill))
    else:
        yield None, f"{name}: {_summary(report)}"


def problem_lines(problems: Sequence[Problem], folder: str = "") -> Iterator[tuple[Severity | None, str]]:
    """Problems as lines, errors first, each problem once; ``folder`` precedes their places."""
    for severity in Severity:
        for sentence in told_once((problem for problem in problems if problem.severity is severity), folder):
            yield severity, sentence


def _summary(report: CheckReport) -> str:
    parts = [count(report.case_count, "case")] if report.policy else ["cannot be read"]
    if report.mutation_count is not None:
        noticed = f"{report.survivor_count} not noticed" if report.survivor_count else "all noticed"
        parts.append(f"{count(report.mutation_count, 'mutation')} {noticed}")
    elif report.why_no_slips:
        parts.append(report.why_no_slips)
    parts += [count(len(report.of(severity)), severity.value) for severity in Severity]
    pending = f"; statement text pending verification: {', '.join(report.pending)}" if report.pending else ""
    return ", ".join(parts) + pending


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 case``, ``2 cases``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
