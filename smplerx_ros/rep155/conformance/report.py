"""Report and exit code of a conformance check."""

from __future__ import annotations

from collections.abc import Sequence

from .recording import LISTS, Recording
from .requirements import FAIL, NOT_SEEN, Finding

CONFORMS, BREAKS, NOTHING = 0, 1, 2


def exit_code(findings: Sequence[Finding], recording: Recording) -> int:
    """0: all requirements that could be checked are met; 1: one is violated; 2: nobody was tracked."""
    if not any(recording.tracked_spans(kind) for kind in LISTS):
        return NOTHING
    return BREAKS if any(finding.verdict == FAIL for finding in findings) else CONFORMS


def report(findings: Sequence[Finding], recording: Recording) -> str:
    """One line per requirement, with the violations below it, and a summary."""
    width = max(len(finding.requirement.name) for finding in findings)
    lines = []
    for finding in findings:
        number = f" ({finding.judged} judged)" if finding.judged else ""
        lines.append(f"{finding.verdict:8}  {finding.requirement.name:{width}}  {finding.requirement.text}{number}")
        lines += [f"{'':10}{'':{width}}  - {complaint}" for complaint in finding.complaints]
    seen = ", ".join(f"{len(recording.tracked_spans(kind))} {kind}" for kind in LISTS)
    failed = [finding.requirement.name for finding in findings if finding.verdict == FAIL]
    missing = [finding.requirement.name for finding in findings if finding.verdict == NOT_SEEN]
    lines += ["", f"{recording.end - recording.begin:.1f} s, {seen}; {len(failed)} requirements broken"]
    if missing:
        lines.append(f"not judged, since nothing was seen of them: {', '.join(missing)}")
    if exit_code(findings, recording) == NOTHING:
        lines.append("no body or face was tracked: bring somebody before the camera, or watch longer (--seconds)")
    return "\n".join(lines)
