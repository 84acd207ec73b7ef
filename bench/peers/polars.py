"""Counts by host and job_name with Polars; POLARS_MAX_THREADS says with how many threads.

polars.py FILE [RESULT]; without a file it only starts, which is what its start costs."""

import sys

# The folder of this script comes first on the path, and its name is that of the library.
sys.path.pop(0)

import polars

if len(sys.argv) > 1:
    rows = polars.scan_csv(sys.argv[1], infer_schema=False)
    counts = rows.group_by("host", "job_name").agg(polars.len().alias("count")).collect()
    if len(sys.argv) > 2:
        counts.write_csv(sys.argv[2])
