"""What logtally replaces: the csv module and a dictionary, as a Python exporter counts.

naive.py FILE [RESULT]; without a file it only starts, which is what its start costs."""

import csv
import sys

csv.field_size_limit(1 << 20)

if len(sys.argv) > 1:
    counts = {}
    with open(sys.argv[1], newline="") as file:
        rows = csv.reader(file)
        names = next(rows)
        host, job_name = names.index("host"), names.index("job_name")
        for row in rows:
            key = (row[host], row[job_name])
            counts[key] = counts.get(key, 0) + 1
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["host", "job_name", "count"])
            rows.writerows((*key, count) for key, count in counts.items())
