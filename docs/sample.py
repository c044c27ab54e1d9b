"""Scan the hosts of Google's Outlook sync client and say what stands in the way of each."""

import sys

import tlsinspect

report = tlsinspect.scan(profile="gwsmo", timeout=10)

for assessment in report.assessments:
    print(f"{assessment.endpoint.host:24} {assessment.verdict:14} {assessment.confidence:8} {assessment.explanation}")
    if assessment.attribution is not None:  # a hint: names can be typed into any certificate
        print(f"{'':24} looks like {assessment.attribution.product}")

sys.exit(any(a.verdict is not tlsinspect.Verdict.GENUINE for a in report.assessments))
