"""Counts by host and job_name with DuckDB on one thread.

duckdb.py FILE COLUMNS PARALLEL [RESULT]; without a file it only starts, which is what its start
costs. PARALLEL is false for files that it cannot read otherwise; with one thread, that costs it a
little more."""

import sys

# The folder of this script comes first on the path, and its name is that of the library.
sys.path.pop(0)

import duckdb

connection = duckdb.connect()
connection.execute("SET threads=1")
if len(sys.argv) > 1:
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in sys.argv[2].split(","))
    # Nothing is left to be guessed from the file. Not strict: quotes in the middle of a field are text.
    connection.execute(
        f"""create table counts as
            select host, job_name, count(*) as count
            from read_csv('{sys.argv[1]}', header=true, auto_detect=false, delim=',', quote='"',
                          escape='"', strict_mode=false, max_line_size=2000000, parallel={sys.argv[3]},
                          columns={{{columns}}})
            group by host, job_name"""
    )
    if len(sys.argv) > 4:
        connection.execute(f"copy counts to '{sys.argv[4]}' (header true)")
