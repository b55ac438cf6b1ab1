"""The command that writes the generated pages: `python -m properties.docs`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from properties.docs import measured, site


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages; the exit status is 2 where a results file is not usable."""
    parser = argparse.ArgumentParser(prog="python -m properties.docs", description="Write the documentation's pages.")
    parser.add_argument("--output", type=Path, default=Path("docs/generated"), help="the directory to write to")
    parser.add_argument("--results", type=Path, help="what `kvmarm check --json` wrote")
    parser.add_argument("--matrix", type=Path, help="what `kvmarm matrix --json` wrote")
    parser.add_argument("--other", type=Path, action="append", default=[], help="the same, of another design")
    options = parser.parse_args(arguments)
    try:
        found = measured.read(options.results, options.matrix, options.other)
    except measured.NotReadable as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{site.write(options.output, found)} pages in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
