#!/usr/bin/env python3
"""Counts records per host and job in CSV files, and prints host,job,count, sorted.

Independent of logtally on purpose: it uses nothing but Python's csv module, so that the two can be
compared. A row that names both columns is a header, wherever it stands, and says where the columns
are from there on; without one, they are the first two. Blank lines and rows without the needed
columns are not counted.
"""

import csv
import sys
from collections import Counter


def count(path, counts):
    """Adds the records of one file to the counts."""
    host, job = 0, 1
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            if "host" in row and "job_name" in row:
                host, job = row.index("host"), row.index("job_name")
            elif len(row) > max(host, job):
                counts[row[host], row[job]] += 1


def main(paths):
    if not paths:
        sys.exit("usage: recount.py FILE...")
    counts = Counter()
    for path in paths:
        count(path, counts)
    csv.writer(sys.stdout, lineterminator="\n").writerows(
        (host, job, number) for (host, job), number in sorted(counts.items())
    )


if __name__ == "__main__":
    main(sys.argv[1:])
