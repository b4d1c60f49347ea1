"""Reports on the dumps of a directory by Ray, one dump a task: ray_reports.py DIRECTORY REPORTS.ndjson

ray.init() starts Ray on this machine; with RAY_ADDRESS the tasks go to that cluster, whose nodes have to see the
dumps under the same paths and have kva and jq in PATH.

A dump that cannot be read has an error in its report, and is done. Tried again, RETRIES times, is only what may go
better elsewhere: the node went away, or Ray ended the task for want of memory.
"""

import json
import pathlib
import subprocess
import sys

import ray

HERE = pathlib.Path(__file__).resolve().parent
RETRIES = 2


@ray.remote(num_cpus=1, memory=2 << 30, max_retries=RETRIES)
def report(dump):
    # The files beside this one are the task's working directory.
    return subprocess.run(["./report-one", dump], check=True, stdout=subprocess.PIPE, text=True).stdout


ray.init(log_to_driver=False, runtime_env={"working_dir": str(HERE)})
dumps = sorted(str(path.absolute()) for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_file())
waiting = {report.remote(dump): dump for dump in dumps}
# Not standard output: Ray itself writes there, when a task dies.
with open(sys.argv[2], "w") as reports:
    while waiting:
        [done], _ = ray.wait(list(waiting))
        dump = waiting.pop(done)
        try:
            line = ray.get(done)
        except ray.exceptions.RayError as error:
            kind, message = "no-report", f"gave up after {RETRIES + 1} attempts: {type(error).__name__}"
            line = json.dumps({"schema": 1, "dump": dump, "error": {"kind": kind, "message": message}}) + "\n"
        reports.write(line)
        reports.flush()
