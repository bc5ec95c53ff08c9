"""What the scripts that write Markdown from a suite's results share: reading GoogleTest's JSON report, and table rows."""
import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments(doc, suite, output):
    """Parses [REPORT] [--output FILE]; returns the report, parsed, and the output's path. Exits if there is no report."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", type=pathlib.Path,
                        default=ROOT / f"build/release/test-results/{suite}.json")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / output)
    args = parser.parse_args()
    try:
        return json.loads(args.report.read_text()), args.output
    except (OSError, ValueError) as error:
        sys.exit(f"no report: {error}")


def tests(report):
    """Yields (name, parameter, test) of every test of the report, in its order."""
    for group in report["testsuites"]:
        for test in group["testsuite"]:
            name, _, parameter = test["name"].partition("/")
            yield name, parameter, test


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def head(cells):
    return line(cells) + line(["---"] * len(cells))
