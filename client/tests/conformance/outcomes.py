"""What pytest's reports say."""

from xml.etree import ElementTree


def outcome(case: ElementTree.Element) -> str:
    """passed, skipped or failed."""
    outcomes = {child.tag for child in case}
    if outcomes & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in outcomes else "passed"
