"""Peak memory of this process, as the operating system counted it.

Linux keeps it per program (VmHWM). `ru_maxrss` is not used there: a child inherits in it the size
that its parent had when it was started, so a small model's row would show the parent's memory.
"""

import re
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_rss_bytes() -> int:
    """The most physical memory this program has held since it started."""
    if STATUS.is_file():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes on macOS, else KiB
