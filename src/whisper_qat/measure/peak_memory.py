"""Peak memory of this process, as counted by the operating system.

Linux keeps it for each program as VmHWM. `ru_maxrss` is not used there, because a child process
inherits in it the size that its parent had at the start; the row of a small model would show the
memory of the parent.
"""

import re
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_rss_bytes() -> int:
    """The largest physical memory in bytes that this program has used since its start."""
    if STATUS.is_file():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes on macOS, else KiB
